"""Records two downloads of which the capture sees the end of the first and the second: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from servers import packet_numbers
from tls_recording import Keys, https, keep, nginx, slowly

FILES = {"a.txt": b"a" * 30000, "b.txt": b"b" * 700}

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    nginx(lab.server, identity, "", FILES)
    with lab.client.capture() as packets:
        https(lab.client, keys, authority, names=FILES)
    first = packet_numbers(packets, "tcp.srcport == 443 && tcp.len == 1448")[4]
    print("from packet", first)
    packets.edit("editcap", "-r", "{in}", "{out}", f"{first}-9999")
    keep(packets, __file__, "…", keys=keys, tcp=["S DATA, …"])
