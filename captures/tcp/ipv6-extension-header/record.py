"""Records IPv6 packets with a destination options header, with and without a hop-by-hop one before it."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, exchange_and_close
from recording import Lab

# From linux/in6.h. Each header is 8 bytes: next header and length are the kernel's to fill in, then PadN of 6 bytes.
IPV6_HOPOPTS, IPV6_DSTOPTS = 54, 59
PADDING = b"\0\0\1\4\0\0\0\0"


def add_destination_options(client):
    client.setsockopt(socket.IPPROTO_IPV6, IPV6_DSTOPTS, PADDING)


def add_both(client):
    client.setsockopt(socket.IPPROTO_IPV6, IPV6_HOPOPTS, PADDING)
    add_destination_options(client)


with Lab(ipv6=True) as lab, lab.client.capture() as packets:
    for port, add_headers in ((7, add_destination_options), (8, add_both)):
        exchange_and_close(*lab.connect(port, socket.AF_INET6, prepare_client=add_headers))
packets.keep(__file__, FOUR_WAY, FOUR_WAY)
