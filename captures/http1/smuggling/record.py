"""Records a request with two statements of its length: a Python socket and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import talk

FILES = {"a.txt": b"a" * 100}
# Where does the POST end: after 6 bytes, or after the chunk of size 0? What follows it is a request or is not.
REQUESTS = (
    b"GET /a.txt HTTP/1.1\r\nHost: server\r\n\r\n"
    b"POST /b HTTP/1.1\r\nHost: server\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\nG"
    b"GET /c.txt HTTP/1.1\r\nHost: server\r\n\r\n"
)

with Lab() as lab:
    lab.server.nginx("server { listen 80; root html; }", FILES)
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        answer = talk(lab.client, SERVER, 80, REQUESTS)
assert answer.count(b"HTTP/1.1 ") == 2
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, S FIN, C ACK, C FIN, S ACK")
