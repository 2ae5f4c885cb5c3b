"""Records a request that is never answered: curl, and a server that only listens."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab, settle
from servers import curl, require

with Lab() as lab, lab.server.listen(80) as listener, lab.client.capture() as packets:
    curl(lab.client, "--max-time", "1", f"http://{SERVER}/never", expect=28)
    server, _ = listener.accept()
    assert server.recv(9999).startswith(b"GET /never")
    assert server.recv(9999) == b""
    server.close()
    settle()
require(packets, "C GET /never")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, C FIN, S ACK, S FIN, C ACK")
