"""Records a server that asks who the client is after the request: curl and Apache."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from servers import apache
from tls_recording import FULL_13, PAGE, Keys, https, keep, slowly

APACHE = """
SSLEngine on
SSLProtocol TLSv1.3
SSLCertificateFile {0.chain}
SSLCertificateKeyFile {0.key}
SSLCACertificateFile {1}
<Location /private>
    SSLVerifyClient require
</Location>
"""

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    client = authority.issue("client", extensions=())
    configuration = APACHE.format(identity, authority.path)
    apache(lab.server, 443, "ssl socache_shmcb authz_host", configuration, {"private": PAGE})
    with lab.client.capture() as packets:
        credentials = ("--cert", str(client.cert), "--key", str(client.key))
        https(lab.client, keys, authority, *credentials, names=["private"])
    keep(packets, __file__, f"{FULL_13}, C GET /private, S NewSessionTicket?, S CertificateRequest, …", keys=keys)
