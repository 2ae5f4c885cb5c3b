"""Records a connection through VXLAN devices of the kernel."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from recording import CLIENT_MAC, SERVER_MAC, Lab
from tunnelling import ENDS


def build(host, peer, end, peer_end, mac, peer_mac):
    """The host's address moves from eth0, which gets the tunnel's end, to a VXLAN device."""
    host.run("ip", "address", "flush", "dev", "eth0")
    host.run("ip", "address", "add", f"{end}/24", "dev", "eth0")
    host.run("ip", "neighbour", "replace", peer_end, "lladdr", peer_mac, "dev", "eth0", "nud", "permanent")
    words = ("id", "42", "local", end, "remote", peer_end, "dstport", "4789", "dev", "eth0")
    host.run("ip", "link", "add", "vxlan0", "address", mac, "type", "vxlan", *words)
    host.run("ip", "link", "set", "vxlan0", "up")
    host.run("ip", "address", "add", f"{host.address}/24", "dev", "vxlan0")
    host.run("ip", "neighbour", "replace", peer.address, "lladdr", peer_mac, "dev", "vxlan0", "nud", "permanent")


with Lab() as lab:
    build(lab.client, lab.server, *ENDS, CLIENT_MAC, SERVER_MAC)
    build(lab.server, lab.client, *reversed(ENDS), SERVER_MAC, CLIENT_MAC)
    with lab.client.capture() as packets:
        four_way(lab)
packets.keep(__file__, FOUR_WAY)
