"""Records TCP Fast Open with a cookie that the server does not know any more."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab, settle

with Lab() as lab:
    lab.client.sysctl("net.ipv4.tcp_fastopen", 1)
    lab.server.sysctl("net.ipv4.tcp_fastopen", 2)
    lab.client.sysctl("net.ipv4.tcp_no_metrics_save", 0)  # the cookie is kept where the metrics are
    with lab.server.listen(7) as listener, lab.client.capture() as packets:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
        for key in ("11111111-22222222-33333333-44444444", "55555555-66666666-77777777-88888888"):
            lab.server.sysctl(
                "net.ipv4.tcp_fastopen_key", key
            )  # the second connection brings a cookie of the first key
            client = lab.client.new_socket()
            client.settimeout(None)  # a socket with a timeout is not a blocking one, and would not send the data
            client.sendto(b"hello\n", socket.MSG_FASTOPEN, (SERVER, 7))
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
packets.keep(
    __file__,
    "C SYN, S SYN-ACK, C DATA, S ACK, S DATA, C ACK, C FIN, S ACK, S FIN, C ACK",
    "C SYN-DATA, S SYN-ACK, C DATA, S ACK, S DATA, C ACK, C FIN, S ACK, S FIN, C ACK",
)
