"""Records a renegotiation that the server asks for to see a client certificate: curl and Apache."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from servers import apache
from tls_recording import EPHEMERAL, PAGE, Keys, https, keep, slowly

APACHE = """
SSLEngine on
SSLProtocol TLSv1.2
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
        credentials = ("--cert", str(client.cert), "--key", str(client.key), "--tls-max", "1.2")
        https(lab.client, keys, authority, *credentials, names=["private"])
    again = EPHEMERAL.replace("S ServerHelloDone, ", "S CertificateRequest, S ServerHelloDone, C Certificate, ")
    again = again.replace("C ClientKeyExchange, ", "C ClientKeyExchange, C CertificateVerify, ")
    keep(packets, __file__, f"{EPHEMERAL}, C GET /private, S HelloRequest, {again}, S 200, …", keys=keys)
