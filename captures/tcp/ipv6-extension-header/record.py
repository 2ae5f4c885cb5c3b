"""Records IPv6 packets with a destination options header, with and without a hop-by-hop one before it."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER6, Lab, exchange, settle

# From linux/in6.h. Each header is 8 bytes: next header and length are the kernel's to fill in, then PadN of 6 bytes.
IPV6_HOPOPTS, IPV6_DSTOPTS = 54, 59
PADDING = b"\0\0\1\4\0\0\0\0"

with Lab(ipv6=True) as lab, lab.client.capture() as packets:
    for port, options in ((7, [IPV6_DSTOPTS]), (8, [IPV6_HOPOPTS, IPV6_DSTOPTS])):
        with lab.server.listen(port, socket.AF_INET6) as listener:
            client = lab.client.new_socket(socket.AF_INET6)
            for option in options:
                client.setsockopt(socket.IPPROTO_IPV6, option, PADDING)
            client.connect((SERVER6, port))
            server, _ = listener.accept()
        settle()
        exchange(client, server)
        client.close()
        settle()
        server.close()
        settle()
FOUR_WAY = "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S DATA, C ACK, C FIN, S ACK, S FIN, C ACK"
packets.keep(__file__, FOUR_WAY, FOUR_WAY)
