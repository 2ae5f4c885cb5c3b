"""Records a client that has forgotten its connection and opens it anew from the same port."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, HELLO, OPEN, TCP_REPAIR, exchange, exchange_and_close
from recording import CLIENT, Lab, settle


def always_the_same_port(client):
    client.bind((CLIENT, 40000))


with Lab() as lab, lab.client.capture() as packets:
    client, forgotten = lab.connect(7, prepare_client=always_the_same_port)
    exchange(client, forgotten)
    # Closing in repair mode sends nothing: as if the client's machine had lost its power.
    client.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    client.close()
    settle()
    exchange_and_close(*lab.connect(7, prepare_client=always_the_same_port))
packets.keep(__file__, f"{OPEN}, {HELLO}", f"C SYN, S ACK, C RST, {FOUR_WAY}")
