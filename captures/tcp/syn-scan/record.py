"""Records nmap's SYN scan of an open, a closed and a filtered port."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab, settle

with Lab() as lab:
    lab.server.firewall("tcp dport 82 drop")
    with lab.server.listen(80), lab.client.capture() as packets:
        # -r: ports in order; no ping, no DNS.
        lab.client.run("nmap", "-sS", "-Pn", "-n", "-r", "--max-retries", "1", "-p", "80-82", SERVER)
        settle(1)
packets.keep(__file__, "C SYN, S SYN-ACK, C RST", "C SYN, S RST-ACK", "C SYN", "C SYN")
