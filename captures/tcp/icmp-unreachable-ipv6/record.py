"""Records IPv6 connections that a firewall rejects with ICMPv6 errors of four kinds."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from forwarding import delay
from recording import SERVER6, Lab, settle

KINDS = {81: "port-unreachable", 82: "addr-unreachable", 83: "admin-prohibited", 84: "no-route"}

# The delay matters: an error that comes back while the client's kernel is still sending the SYN is only remembered,
# and the SYN is sent again a second later (see icmp-unreachable-retried).
with Lab(ipv6=True, forward=lambda frame: delay(frame, 0.01)) as lab:
    lab.server.firewall(*(f"tcp dport {port} reject with icmpv6 type {kind}" for port, kind in KINDS.items()))
    with lab.client.capture() as packets:
        for port in KINDS:
            print(lab.client.run("nc", "-v", SERVER6, str(port), check=False).stderr.strip())
            settle(1.2)  # the kernel sends few ICMP errors a second
packets.keep(__file__, *["C SYN, S ICMP"] * len(KINDS))
