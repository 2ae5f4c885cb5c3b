"""Records a client that does not take the first ICMP error for an answer."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER6, Lab, exchange, settle

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
        client, server = lab.connect(7, socket.AF_INET6)
        exchange(client, server)
        client.close()
        settle()
        server.close()
packets.keep(
    __file__,
    "C SYN, S ICMP, C SYN, S ICMP",
    "C SYN, S ICMP, C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S DATA, C ACK, C FIN, S ACK, S FIN, C ACK",
)
