"""Records connections that a firewall rejects with ICMP errors of three kinds."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab, settle

KINDS = {81: "port-unreachable", 82: "host-unreachable", 83: "admin-prohibited"}

with Lab() as lab:
    lab.server.firewall(*(f"tcp dport {port} reject with icmp type {kind}" for port, kind in KINDS.items()))
    with lab.client.capture() as packets:
        for port in KINDS:
            print(lab.client.run("nc", "-v", SERVER, str(port), check=False).stderr.strip())
            settle(1.2)  # the kernel sends few ICMP errors a second
packets.keep(__file__, *["C SYN, S ICMP"] * len(KINDS))
