"""Records a download of which the capture lacks segments, TLS 1.1: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from servers import packet_numbers
from tls_recording import EPHEMERAL, Keys, https, keep, nginx, slowly

FILES = {"a.txt": b"a" * 40000, "b.txt": b"b" * 700}

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test", key="rsa")
    ciphers = "ECDHE-RSA-AES128-SHA@SECLEVEL=0"
    nginx(lab.server, identity, f"ssl_protocols TLSv1.1; ssl_ciphers {ciphers};", FILES)
    with lab.client.capture() as packets:
        https(lab.client, keys, authority, "--tlsv1.0", "--tls-max", "1.1", "--ciphers", ciphers, names=FILES)
    # In the second record: the first holds the header of the response.
    lost = packet_numbers(packets, "tcp.srcport == 443 && tcp.len == 1448")[14:18]
    print("without packets", *lost)
    packets.edit("editcap", "{in}", "{out}", *lost)
    keep(packets, __file__, f"{EPHEMERAL}, …", keys=keys)
