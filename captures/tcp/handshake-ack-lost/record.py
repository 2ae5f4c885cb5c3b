"""Records a handshake whose third segment is lost, so that the first data completes it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from forwarding import ACK
from recording import SERVER, Lab, settle

lost = []


def forward(frame):
    """The client's ACK of the SYN-ACK is lost."""
    if not lost and frame.sender == "client" and frame.has(ACK):
        lost.append(frame)
        return []
    return None


with Lab(forward=forward) as lab, lab.server.capture() as packets:
    with lab.server.listen(7) as listener:
        client = lab.client.new_socket()
        client.connect((SERVER, 7))
        client.sendall(b"hello\n")  # before the server sends its SYN-ACK again
        server, _ = listener.accept()
    assert server.recv(6) == b"hello\n"
    settle()
    server.sendall(b"hello\n")
    assert client.recv(6) == b"hello\n"
    settle()
    client.close()
    settle()
    server.close()
    settle()
packets.keep(__file__, "C SYN, S SYN-ACK, C DATA, S ACK, S DATA, C ACK, C FIN, S ACK, S FIN, C ACK")
