"""Records two sides that close without saying so in TLS: Python's ssl."""

import ssl
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, Keys, keep, slowly
from tls_servers import python_https

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    with lab.client.capture() as packets:
        python_https(lab, identity, authority, keys, ssl.SSLSocket.close, to_end=False)
    keep(packets, __file__, f"{FULL_13}, C GET /index.html, S NewSessionTicket?, S 200", keys=keys)
