"""Records a handshake whose third segment is lost, so that the first data completes it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, HELLO, close, hear, say
from forwarding import ACK, drop, nth
from recording import SERVER, Lab


def is_acknowledgement_of_client(frame):
    return frame.sender == "client" and frame.has(ACK)


with Lab(forward=nth(1, is_acknowledgement_of_client, drop)) as lab, lab.server.capture() as packets:
    with lab.server.listen(7) as listener:
        client = lab.client.new_socket()
        client.connect((SERVER, 7))
        client.sendall(b"hello\n")  # before the server sends its SYN-ACK again
        server, _ = listener.accept()
    hear(server)
    say(server, client)
    close(client, server)
packets.keep(__file__, f"C SYN, S SYN-ACK, {HELLO}, {CLIENT_CLOSES}")
