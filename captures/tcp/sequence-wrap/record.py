"""Records a connection whose sequence numbers pass 2**32."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab, choose_initial_sequence, settle

TEXT = b"".join(b"line %02d of the text that the client sends\n" % number for number in range(100))

with Lab() as lab, lab.client.capture() as packets:
    with lab.server.listen(9) as listener:
        client = lab.client.new_socket()
        choose_initial_sequence(client, 2**32 - 2000)  # the second data segment crosses the wrap
        client.connect((SERVER, 9))
        server, _ = listener.accept()
    settle()
    client.sendall(TEXT)
    received = b""
    while len(received) < len(TEXT):
        received += server.recv(65536)
    assert received == TEXT
    settle()
    client.close()
    settle()
    server.close()
    settle()
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C DATA, …, S ACK, C FIN, S ACK, S FIN, C ACK")
