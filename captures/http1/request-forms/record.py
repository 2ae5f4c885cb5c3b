"""Records requests in all the forms a target and a method may have: a Python socket and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import talk

REQUESTS = [
    b"OPTIONS * HTTP/1.1",
    b"GET http://server/a.txt?x=1 HTTP/1.1",
    b"get /a.txt HTTP/1.1",
    b"QUERY /a.txt HTTP/1.1",
    b"GET /%61.txt HTTP/1.1",
]
HEADER = b"\r\nHost: server\r\nConnection: close\r\n\r\n"

with Lab() as lab:
    lab.server.nginx("server { listen 80; root html; }", {"a.txt": b"a" * 100})
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        answers = [talk(lab.client, SERVER, 80, line + HEADER) for line in REQUESTS]
print(*(answer.partition(b"\r\n")[0] for answer in answers), sep="\n")
closed = "C SYN, S SYN-ACK, C ACK, C DATA, …, S FIN, C ACK, C FIN, S ACK"
packets.keep(__file__, *[closed] * len(REQUESTS))
