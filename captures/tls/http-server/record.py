"""Records a ClientHello sent to a server that speaks HTTP only: openssl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import Lab
from tls_recording import keep, s_client, slowly

with Lab(forward=slowly) as lab:
    lab.server.nginx("server { listen 443; root html; }")
    lab.server.wait_for_listener(443)
    with lab.client.capture() as packets:
        s_client(lab.client, say=[])
    keep(packets, __file__, "C ClientHello, S 400")
