"""Records three exchanges and takes a segment of the first body out of the capture."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl, discarding, packet_numbers, require

FILES = {"a.txt": b"a" * 9000, "b.txt": b"b" * 100, "c.txt": b"c" * 5000}

with Lab() as lab:
    lab.server.nginx("server { listen 80; root html; }", FILES)
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        curl(lab.client, *discarding(*(f"http://{SERVER}/{name}" for name in FILES)))
require(packets, "C GET /a.txt, S 200, C GET /b.txt, S 200, C GET /c.txt, S 200")
# As a capture program that falls behind would: the third segment of the body is not there, its acknowledgement is.
lost = packet_numbers(packets, "tcp.srcport == 80 && tcp.len == 1448")[2]
print("without packet", lost)
packets.edit("editcap", "{in}", "{out}", lost)
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S FIN, C ACK")
