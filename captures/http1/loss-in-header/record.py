"""Records three exchanges and takes the header of the second response out of the capture."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl, discarding, packet_numbers, require

FILES = {"a.txt": b"a" * 3000, "b.txt": b"b" * 5000, "c.txt": b"c" * 3000}

with Lab() as lab:
    lab.server.nginx("server { listen 80; root html; }", FILES)
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        curl(lab.client, *discarding(*(f"http://{SERVER}/{name}" for name in FILES)))
require(packets, "C GET /a.txt, S 200, C GET /b.txt, S 200, C GET /c.txt, S 200")
# As a capture program that falls behind would: the segment is not there, its acknowledgement is.
lost = packet_numbers(packets, 'tcp.payload contains "Content-Length: 5000"')[0]
print("without packet", lost)
packets.edit("editcap", "{in}", "{out}", lost)
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S FIN, C ACK")
