"""Records a server that resets the connection after its first flight: openssl and Python's ssl."""

import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from conversations import reset
from recording import Lab
from tls_recording import keep, s_client, slowly
from tls_servers import first_flight

with Lab(forward=slowly) as lab:
    authority = Authority(lab.server)
    identity = authority.issue("example.test")
    listener = lab.server.listen(443)

    def serve():
        sock, _ = listener.accept()
        flight = first_flight(identity, sock)
        sock.sendall(flight)
        reset(sock)

    server = threading.Thread(target=serve)
    server.start()
    with lab.client.capture() as packets:
        s_client(lab.client, "-tls1_2", say=[])
        server.join()
    wanted = "C ClientHello, S ServerHello, S Certificate, S ServerKeyExchange, S ServerHelloDone, …"
    keep(packets, __file__, wanted)
