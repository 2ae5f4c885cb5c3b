"""Records SSL 3.0: NSS on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import RSA, Keys, keep, slowly, tshark_keys
from tls_servers import nss_database, selfserv, tstclnt

CIPHER = ":0005"  # RSA_WITH_RC4_128_SHA

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test", key="rsa")
    selfserv(lab.server, nss_database(lab.server, identity, authority), "-V", "ssl3:ssl3", "-c", CIPHER)
    with lab.client.capture() as packets:
        tstclnt(lab.client, nss_database(lab.client, None, authority), "-V", "ssl3:ssl3", "-c", CIPHER)
    # NSS logs no secrets on Debian, and tshark finds them with the server's key.
    options = tshark_keys(None, identity.key)
    keep(packets, __file__, f"{RSA}, C GET /index.html, S 200, …", server_key=identity, options=options)
