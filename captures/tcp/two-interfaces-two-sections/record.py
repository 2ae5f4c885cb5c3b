"""Records four connections into one pcapng file with two sections and three link types."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import Lab, exchange, settle

with Lab() as lab:

    def four_way(client, server):
        exchange(client, server)
        client.close()
        settle()
        server.close()
        settle()

    # Section 1: an Ethernet interface and a cooked one, each with the connections of its own filter.
    with lab.client.capture("-f", "port 7 or port 9", "-i", "any", "-f", "port 8") as packets:
        across = lab.connect(9)
        exchange(*across)
        four_way(*lab.connect(7))
        four_way(*lab.connect(8))
    # Section 2: one interface, the second version of the cooked header. The connection to port 9 goes on here.
    with lab.client.capture("-y", "LINUX_SLL2", interface="any") as second:
        four_way(*across)
        four_way(*lab.connect(7))
packets.edit("sh", "-c", f"cat {{in}} {second.path} > {{out}}")
OPEN, HELLO, CLOSE = "C SYN, S SYN-ACK, C ACK", "C DATA, S ACK, S DATA, C ACK", "C FIN, S ACK, S FIN, C ACK"
packets.keep(
    __file__,
    f"{OPEN}, {HELLO}, {HELLO}, {CLOSE}",
    f"{OPEN}, {HELLO}, {CLOSE}",
    f"{OPEN}, {HELLO}, {CLOSE}",
    f"{OPEN}, {HELLO}, {CLOSE}",
)
second.discard()
