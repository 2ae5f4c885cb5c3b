"""Records a download of a megabyte: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, Keys, https, keep, nginx

with Lab() as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    nginx(lab.server, identity, "", {"large.bin": bytes(range(256)) * 4096})
    with lab.client.capture() as packets:
        https(lab.client, keys, authority, "--tls13-ciphers", "TLS_AES_128_GCM_SHA256", names=["large.bin"])
    keep(packets, __file__, f"{FULL_13}, C GET /large.bin, S NewSessionTicket?, S 200, …", keys=keys)
