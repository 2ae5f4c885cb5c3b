"""Records two hosts that connect to one another at the same time."""

import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, HELLO, close, exchange
from forwarding import delay
from recording import CLIENT, SERVER, Lab, settle

# A slow network, so that each SYN is on its way before the other arrives.
with Lab(forward=lambda frame: delay(frame, 0.1)) as lab, lab.client.capture() as packets:
    client, server = lab.client.new_socket(), lab.server.new_socket()
    client.bind((CLIENT, 5001))
    server.bind((SERVER, 5002))
    other = threading.Thread(target=server.connect, args=((CLIENT, 5001),))
    other.start()
    client.connect((SERVER, 5002))
    other.join()
    settle()
    exchange(client, server)
    close(client, server, wait=0.5)
packets.keep(__file__, f"…, {HELLO}, {CLIENT_CLOSES}")
