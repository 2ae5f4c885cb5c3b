"""Records a client that does not wait for the server's Finished: Chromium and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import EPHEMERAL, Keys, keep, nginx, slowly, spoken
from tls_servers import browser

FILES = {"index.html": b'<!doctype html><title>Example</title><link rel="icon" href="data:,">\n'}

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    nginx(lab.server, identity, "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;", FILES)
    with lab.client.capture() as packets:
        assert "Example" in browser(lab.client, identity, keys)
    end = "C ChangeCipherSpec, C Finished, C GET /, S NewSessionTicket, S ChangeCipherSpec, S Finished, S 200"
    wanted = EPHEMERAL[: EPHEMERAL.index("C ChangeCipherSpec")] + end
    others = len(spoken(packets.path)) - 1
    keep(packets, __file__, f"{wanted}, …", *["C ClientHello, …"] * others, keys=keys)
