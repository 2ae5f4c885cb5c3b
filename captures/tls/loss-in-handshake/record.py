"""Records a handshake of which the capture lacks a part of the certificate, TLS 1.2: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from servers import packet_numbers
from tls_recording import Keys, https, keep, nginx, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    between = Authority(lab.server, "Example Intermediate", issuer=authority, key="rsa")
    identity = between.issue("example.test", key="rsa")
    nginx(lab.server, identity, "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256;")
    with lab.client.capture() as packets:
        https(lab.client, keys, authority)
    (lost,) = packet_numbers(packets, "tls.handshake.type == 2")
    print("without packet", lost)
    packets.edit("editcap", "{in}", "{out}", lost)
    keep(packets, __file__, "C ClientHello, …", keys=keys)
