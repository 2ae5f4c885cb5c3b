"""Records five requests on one connection: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, Keys, https, keep, nginx, slowly

FILES = {f"{name}.txt": name.encode() * length for name, length in zip("abcde", (0, 1, 700, 5120, 20000), strict=True)}

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    nginx(lab.server, identity, "", FILES)
    with lab.client.capture() as packets:
        https(lab.client, keys, authority, names=FILES)
    pages = ", ".join(f"C GET /{name}, S NewSessionTicket?, S 200" for name in FILES)
    keep(packets, __file__, f"{FULL_13}, {pages}, …", keys=keys)
