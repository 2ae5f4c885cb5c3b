"""Records a request without TLS to a port where TLS is spoken: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import SERVER, Lab
from servers import curl
from tls_recording import keep, nginx, slowly

with Lab(forward=slowly) as lab:
    authority = Authority(lab.server)
    identity = authority.issue("example.test")
    nginx(lab.server, identity)
    with lab.client.capture() as packets:
        curl(lab.client, f"http://{SERVER}:443/")
    keep(packets, __file__, "C GET /, S 400")
