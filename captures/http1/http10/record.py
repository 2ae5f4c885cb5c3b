"""Records one exchange over HTTP/1.0: curl and Python's http.server."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl_into_slow_pipe, require

TEXT = b"".join(b"line %04d of a text\n" % number for number in range(500))

with Lab() as lab:
    folder = lab.server.folder("files-")
    (folder / "text.txt").write_bytes(TEXT)
    lab.server.start("python3", "-m", "http.server", "80", "--directory", str(folder))
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        text = curl_into_slow_pipe(lab.client, "--http1.0", f"http://{SERVER}/text.txt")
        assert text == TEXT.decode()
require(packets, "C GET /text.txt, S 200")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, …, S FIN, C ACK, C ACK?, C FIN, S ACK")
