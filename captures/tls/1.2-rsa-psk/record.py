"""Records a key that both know beforehand and RSA key exchange, TLS 1.2: openssl on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import PAGE_READ, RSA, Keys, keep, s_client, s_server, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test", key="rsa")
    psk = ("-tls1_2", "-cipher", "RSA-PSK-AES128-CBC-SHA256", "-psk", "00112233445566778899aabbccddeeff")
    s_server(lab.server, identity, *psk)
    with lab.client.capture() as packets:
        s_client(lab.client, *psk, *keys.openssl)
    keep(packets, __file__, f"{RSA}, {PAGE_READ}", keys=keys, server_key=identity)
