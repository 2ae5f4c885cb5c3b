"""Records a lost data segment where it did not arrive."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import Lab, settle

TEXT = b"".join(b"line %02d of the text that the server sends\n" % number for number in range(100))
lost = []


def forward(frame):
    """The second data segment is lost, once."""
    if frame.payload:
        lost.append(frame)
        if len(lost) == 2:
            return []
    return None


with Lab(forward=forward) as lab, lab.client.capture() as packets:
    client, server = lab.connect(19)
    server.sendall(TEXT)  # three segments of 1,448 bytes and less
    received = b""
    while len(received) < len(TEXT):
        received += client.recv(65536)
    assert received == TEXT
    settle()
    server.close()
    settle()
    client.close()
    settle()
packets.keep(
    __file__,
    "C SYN, S SYN-ACK, C ACK, …, S FIN, C ACK, C FIN, S ACK",
)
