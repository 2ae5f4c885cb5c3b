"""Records data segments that a router has cut into IP fragments."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from forwarding import fragments
from recording import Lab, settle

IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0
TEXT = b"".join(b"line %02d of the text that the server sends\n" % number for number in range(100))


def forward(frame):
    """The way to the client leads through a link with an MTU of 580."""
    if frame.sender == "server" and len(frame.data) > 14 + 580:
        return [(0, part) for part in fragments(frame.data, 560)]
    return None


with Lab(forward=forward) as lab, lab.client.capture() as packets:
    with lab.server.listen(19) as listener:
        # Without path MTU discovery the kernel leaves the don't-fragment bit off.
        listener.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
        client = lab.client.new_socket()
        client.connect(listener.getsockname())
        server, _ = listener.accept()
    settle()
    server.sendall(TEXT)
    received = b""
    while len(received) < len(TEXT):
        received += client.recv(65536)
    assert received == TEXT
    settle()
    client.close()
    settle()
    server.close()
    settle()
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, S DATA, …, C FIN, S ACK, S FIN, C ACK")
