"""Records a server without a certificate, anonymous Diffie-Hellman: openssl on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import EPHEMERAL, PAGE_READ, Keys, keep, s_client, s_server, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    anonymous = ("-tls1_2", "-cipher", "ADH-AES128-GCM-SHA256:@SECLEVEL=0")
    s_server(lab.server, None, *anonymous)
    with lab.client.capture() as packets:
        s_client(lab.client, *anonymous, *keys.openssl)
    wanted = EPHEMERAL.replace("S Certificate, ", "")
    keep(packets, __file__, f"{wanted}, {PAGE_READ}", keys=keys)
