"""Records both sides saying that they close: Python's ssl."""

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
        # unwrap() sends close_notify and reads the other's.
        python_https(lab, identity, authority, keys, lambda connection: connection.unwrap().close(), to_end=True)
    page = "C GET /index.html, S NewSessionTicket?, S 200"
    keep(packets, __file__, f"{FULL_13}, {page}, S close_notify, C close_notify", keys=keys)
