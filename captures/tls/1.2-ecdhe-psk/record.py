"""Records a key that both know beforehand, with ECDHE, TLS 1.2: openssl on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import EPHEMERAL, PAGE_READ, Keys, keep, s_client, s_server, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    psk = ("-tls1_2", "-cipher", "ECDHE-PSK-CHACHA20-POLY1305", "-psk", "00112233445566778899aabbccddeeff")
    s_server(lab.server, None, *psk)
    with lab.client.capture() as packets:
        s_client(lab.client, *psk, *keys.openssl)
    wanted = EPHEMERAL.replace("S Certificate, ", "")
    keep(packets, __file__, f"{wanted}, {PAGE_READ}", keys=keys)
