"""Records two exchanges of which the capture sees the end of the first and the second."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl, discarding, packet_numbers, require

FILES = {"a.txt": b"a" * 20000, "b.txt": b"b" * 700}

with Lab() as lab:
    lab.server.nginx("server { listen 80; root html; }", FILES)
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        curl(lab.client, *discarding(*(f"http://{SERVER}/{name}" for name in FILES)))
require(packets, "C GET /a.txt, S 200, C GET /b.txt, S 200")
# As if the capture had been started in the middle of the first body.
first = packet_numbers(packets, "tcp.srcport == 80 && tcp.len == 1448")[4]
print("from packet", first)
packets.edit("editcap", "-r", "{in}", "{out}", f"{first}-9999")
packets.keep(__file__, "S DATA, …, C FIN, S FIN, C ACK")
