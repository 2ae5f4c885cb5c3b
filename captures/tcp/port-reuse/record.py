"""Records three connections between the same two addresses and ports."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, HELLO, OPEN, SERVER_CLOSES, close, exchange, reset
from recording import CLIENT, Lab, settle


def always_the_same_port(client):
    client.bind((CLIENT, 40000))


with Lab() as lab, lab.client.capture() as packets:
    for ending in ("reset", "server first", "client first"):
        client, server = lab.connect(7, prepare_client=always_the_same_port)
        exchange(client, server)
        if ending == "reset":
            reset(client)
            settle()
        elif ending == "server first":
            close(server, client)  # the server stays in TIME-WAIT, and a new SYN may end that
        else:
            close(client, server)
packets.keep(
    __file__,
    f"{OPEN}, {HELLO}, C RST-ACK",
    f"{OPEN}, {HELLO}, {SERVER_CLOSES}",
    f"{OPEN}, {HELLO}, {CLIENT_CLOSES}",
)
