"""Records a handshake whose last step never arrives."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from forwarding import SYN
from recording import SERVER, Lab, settle


def only_syns_reach_the_server(frame):
    return [] if frame.sender == "client" and not frame.has(SYN) else None


with Lab(forward=only_syns_reach_the_server) as lab:
    lab.server.sysctl("net.ipv4.tcp_synack_retries", 2)
    with lab.server.listen(7), lab.server.capture() as packets:
        client = lab.client.new_socket()
        client.connect((SERVER, 7))  # the client believes that it is connected
        settle(8)  # SYN-ACK again after 1 and 2 seconds; the server gives up 4 seconds later
        # Port 81 is closed. This connection shows that the capture went on.
        lab.client.run("nc", SERVER, "81", check=False)
packets.keep(__file__, "C SYN, S SYN-ACK, S SYN-ACK, S SYN-ACK", "C SYN, S RST-ACK")
