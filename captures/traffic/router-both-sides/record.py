"""Records both sides of a Linux router with `tcpdump -i any`: HTTP over IPv4 and over IPv6."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from forwarding import drop
from recording import CLIENT, CLIENT6, CLIENT_MAC, SERVER, SERVER6, SERVER_MAC, Lab
from servers import curl, discarding

PAGE = b"".join(b"<p>paragraph %02d of the page</p>\n" % number for number in range(80))


def route(lab):
    """The kernel of the middle host hands packets on, instead of the program that otherwise does."""
    for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        lab.middle.sysctl(name, 1)
    for name in ("all", "to-client", "to-server"):
        lab.middle.sysctl(f"net.ipv4.conf.{name}.rp_filter", 0)
        lab.middle.sysctl(f"net.ipv6.conf.{name}.disable_ipv6", 0)
    sides = (
        ("to-client", lab.client, CLIENT, CLIENT6, CLIENT_MAC, SERVER, SERVER6),
        ("to-server", lab.server, SERVER, SERVER6, SERVER_MAC, CLIENT, CLIENT6),
    )
    for interface, host, address, address6, mac, peer, peer6 in sides:
        for ours in (f"{address}/32", f"{address6}/128"):
            lab.middle.run("ip", "route", "add", ours, "dev", interface)
        router = lab.middle.run("cat", f"/sys/class/net/{interface}/address").stdout.strip()
        for ours, theirs in ((address, peer), (address6, peer6)):
            permanent = ("nud", "permanent")
            lab.middle.run("ip", "neighbour", "add", ours, "lladdr", mac, "dev", interface, *permanent)
            host.run("ip", "neighbour", "replace", theirs, "lladdr", router, "dev", "eth0", *permanent)


with Lab(ipv6=True, forward=lambda frame: drop(frame)) as lab:
    route(lab)
    lab.server.nginx("server { listen 80; listen [::]:80; root html; }", {"page.html": PAGE})
    lab.server.wait_for_listener(80)
    with lab.middle.capture("tcp", interface="any", program="tcpdump") as packets:
        for host in (SERVER, f"[{SERVER6}]"):
            curl(lab.client, *discarding(f"http://{host}/page.html"))
twice = "C SYN, C SYN, S SYN-ACK, S SYN-ACK, C ACK, C ACK, …, C ACK, C ACK"
packets.keep(__file__, twice, twice)
