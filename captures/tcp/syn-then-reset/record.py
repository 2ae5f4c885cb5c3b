"""Records a TCP stack in user space that resets a connection nobody has answered yet."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from forwarding import RST, SYN, segment
from recording import CLIENT, SERVER, Lab, settle

ISN, PORTS = 1_000_000, (40000, 81)
ADDRESSES = socket.inet_aton(CLIENT) + socket.inet_aton(SERVER)

with Lab() as lab:
    lab.server.firewall("tcp dport 81 drop")
    with lab.client.inside():
        wire = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    with wire, lab.client.capture() as packets:
        wire.sendto(segment(ADDRESSES, PORTS, SYN, ISN, window=64240), (SERVER, 0))
        settle()
        # ABORT as in SYN-RECEIVED and later: <SEQ=SND.NXT><CTL=RST>, and the SYN has taken one number.
        wire.sendto(segment(ADDRESSES, PORTS, RST, ISN + 1), (SERVER, 0))
packets.keep(__file__, "C SYN, C RST")
