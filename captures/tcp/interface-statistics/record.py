"""Records more than the capture program can take, so that the file tells how much was dropped."""

import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import HELLO, OPEN, exchange, receive
from recording import Lab, settle

# 1 MiB is the smallest buffer; dumpcap stops by itself after 40 packets and writes its statistics.
with Lab() as lab, lab.client.capture("-B", "1", "-c", "40", "-s", "200") as packets:
    client, server = lab.connect(19)
    exchange(client, server)
    packets.process.send_signal(signal.SIGSTOP)
    settle()
    for _ in range(3000):
        server.sendall(b"x" * 1448)
        receive(client, 1448)
    packets.process.send_signal(signal.SIGCONT)
    packets.process.wait(10)
packets.keep(__file__, f"{OPEN}, {HELLO}, S DATA, …")
