"""Records three connections between the same two addresses and ports."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import CLIENT, SERVER, Lab, exchange, reset, settle

with Lab() as lab, lab.server.listen(7) as listener, lab.client.capture() as packets:
    for ending in ("reset", "server first", "client first"):
        client = lab.client.new_socket()
        client.bind((CLIENT, 40000))
        client.connect((SERVER, 7))
        server, _ = listener.accept()
        settle()
        exchange(client, server)
        if ending == "reset":
            reset(client)
        else:
            # When the server closes first it is the server that stays in TIME-WAIT, and a new SYN may end that.
            one, other = (server, client) if ending == "server first" else (client, server)
            one.close()
            settle()
            other.close()
        settle()
OPEN = "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S DATA, C ACK"
packets.keep(
    __file__,
    f"{OPEN}, C RST-ACK",
    f"{OPEN}, S FIN, C ACK, C FIN, S ACK",
    f"{OPEN}, C FIN, S ACK, S FIN, C ACK",
)
