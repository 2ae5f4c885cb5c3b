"""Records a client whose own firewall rejects the answer to its SYN."""

import contextlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab, settle

with Lab() as lab:
    lab.client.firewall("tcp sport 7 reject with icmp type port-unreachable")
    lab.server.sysctl("net.ipv4.tcp_synack_retries", 2)
    with lab.server.listen(7), lab.server.capture() as packets:
        with lab.client.new_socket() as client, contextlib.suppress(TimeoutError):
            client.settimeout(0.5)  # its second SYN would come at the same moment as the second SYN-ACK
            client.connect((SERVER, 7))
            raise SystemExit("connected, in spite of the firewall")
        settle(5)  # SYN-ACK again after 1 and 2 seconds more
packets.keep(__file__, "C SYN, S SYN-ACK, C ICMP, S SYN-ACK, C ICMP, S SYN-ACK, C ICMP")
