"""Records four connections into one pcapng file with two sections and three link types."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, FOUR_WAY, HELLO, OPEN, exchange, exchange_and_close, four_way
from recording import Lab

with Lab() as lab:
    # Section 1: an Ethernet interface and a cooked one, each with the connections of its own filter.
    with lab.client.capture("-f", "port 7 or port 9", "-i", "any", "-f", "port 8") as packets:
        across = lab.connect(9)
        exchange(*across)
        four_way(lab, 7)
        four_way(lab, 8)
    # Section 2: one interface, the second version of the cooked header. The connection to port 9 goes on here.
    with lab.client.capture("-y", "LINUX_SLL2", interface="any") as second:
        exchange_and_close(*across)
        four_way(lab, 7)
packets.edit("sh", "-c", f"cat {{in}} {second.path} > {{out}}")
packets.keep(__file__, f"{OPEN}, {HELLO}, {HELLO}, {CLIENT_CLOSES}", FOUR_WAY, FOUR_WAY, FOUR_WAY)
second.discard()
