"""Records a connection to a host that drops what it receives."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab

with Lab() as lab:
    lab.server.firewall("tcp dport 81 drop")
    lab.client.sysctl("net.ipv4.tcp_syn_linear_timeouts", 0)  # retry after 1, 2, 4 seconds, as RFC 6298 wants
    lab.client.sysctl("net.ipv4.tcp_syn_retries", 3)
    with lab.client.capture() as packets:
        lab.client.run("nc", SERVER, "81", check=False)
        # Port 82 is closed, not blocked. This connection shows that the capture went on.
        lab.client.run("nc", SERVER, "82", check=False)
packets.keep(__file__, "C SYN, C SYN, C SYN, C SYN", "C SYN, S RST-ACK")
