"""Records a client that does not take the first ICMP error for an answer."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from recording import SERVER6, Lab, settle

# Without a delay between the hosts the error comes back while the client's kernel is still inside connect(): Linux
# then only remembers it and sends the SYN again a second later.
with Lab(ipv6=True) as lab:
    lab.server.firewall(
        "tcp dport 81 reject with icmpv6 type no-route",
        # The route comes back: only the first SYN to port 7 is rejected.
        "tcp dport 7 tcp flags syn limit rate over 1/minute burst 1 packets accept",
        "tcp dport 7 tcp flags syn reject with icmpv6 type no-route",
    )
    with lab.client.capture() as packets:
        lab.client.run("nc", SERVER6, "81", check=False)
        settle(1.2)  # the kernel sends few ICMP errors a second
        four_way(lab, family=socket.AF_INET6)
packets.keep(
    __file__,
    "C SYN, S ICMP, C SYN, S ICMP",
    f"C SYN, S ICMP, {FOUR_WAY}",
)
