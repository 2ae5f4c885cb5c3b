"""Records HTTP/2 with prior knowledge to a server that speaks HTTP/1.1 only: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import keep
from http2_servers import curl, nginx
from recording import SERVER, Lab
from tls_recording import slowly

with Lab(forward=slowly) as lab:
    nginx(lab.server, None, "", {}, listen="")
    with lab.client.capture() as packets:
        curl(lab.client, "--http2-prior-knowledge", f"http://{SERVER}/", expect=52)
    keep(packets, __file__, "C SETTINGS 0, C HEADERS 1 GET / END")
