"""Records connections that open and close exactly at 2**32."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab, choose_initial_sequence, settle

# The SYN takes the last number before the wrap; or a FIN does.
FIRST = {9: 2**32 - 1, 10: 2**32 - 8}

with Lab() as lab, lab.client.capture() as packets:
    for port, first in FIRST.items():
        with lab.server.listen(port) as listener:
            client = lab.client.new_socket()
            choose_initial_sequence(client, first)
            client.connect((SERVER, port))
            server, _ = listener.accept()
        settle()
        client.sendall(b"hello\n")
        assert server.recv(6) == b"hello\n"
        settle()
        client.close()
        settle()
        server.close()
        settle()
packets.keep(__file__, *["C SYN, S SYN-ACK, C ACK, C DATA, S ACK, C FIN, S ACK, S FIN, C ACK"] * 2)
