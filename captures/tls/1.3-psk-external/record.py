"""Records a key that both know beforehand, TLS 1.3: openssl on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import PAGE_READ, PSK_13, Keys, keep, s_client, s_server, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    psk = ("-psk", "00112233445566778899aabbccddeeff", "-ciphersuites", "TLS_AES_128_GCM_SHA256")
    s_server(lab.server, None, *psk)
    with lab.client.capture() as packets:
        s_client(lab.client, *psk, *keys.openssl)
    keep(packets, __file__, f"{PSK_13}, {PAGE_READ}", keys=keys)
