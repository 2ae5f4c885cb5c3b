"""Records both sides changing their keys: openssl on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, Keys, keep, s_client, s_server, slowly, typed

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    server = s_server(lab.server, identity, www=False)
    with lab.client.capture() as packets:
        one, two, three = b"one\n", b"two\n", b"three\n"
        asks = [one, typed(server, one), b"K\n", two, typed(server, two), typed(server, b"k\n"), typed(server, three)]
        s_client(lab.client, *keys.openssl, say=[*asks, three])
    lines = "C Data, S Data"
    updates = "C KeyUpdate, C Data, S KeyUpdate, S Data, S KeyUpdate, S Data, C Data"
    keep(packets, __file__, f"{FULL_13}, {lines}, {updates}, …", keys=keys)
