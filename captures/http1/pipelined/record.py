"""Records three requests sent at once: a Python socket and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import require, talk

FILES = {"a.txt": b"a" * 5000, "b.txt": b"b" * 10, "c.txt": b"c" * 700}
REQUESTS = (
    b"GET /a.txt HTTP/1.1\r\nHost: server\r\n\r\n"
    b"GET /b.txt HTTP/1.1\r\nHost: server\r\n\r\n"
    b"GET /c.txt HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n"
)

with Lab() as lab:
    lab.server.nginx("server { listen 80; root html; }", FILES)
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        answer = talk(lab.client, SERVER, 80, REQUESTS)
assert answer.count(b"HTTP/1.1 200 OK") == 3
require(packets, "C GET /a.txt, C GET /b.txt, C GET /c.txt, S 200, S 200, S 200")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, S FIN, C ACK, C FIN, S ACK")
