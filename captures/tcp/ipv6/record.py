"""Records curl and nginx over IPv6."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER6, Lab, settle

NGINX = "server { listen [::]:80; root html; }"

with Lab(ipv6=True) as lab:
    lab.server.nginx(NGINX, {"index.html": b"<!doctype html><title>Six</title>\n"})
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        lab.client.run("curl", "-sS", f"http://[{SERVER6}]/")
        settle()
        lab.client.run("curl", "-sS", f"http://[{SERVER6}]:81/", check=False)  # nothing listens there
packets.keep(
    __file__,
    "C SYN, S SYN-ACK, C ACK, C DATA, S ACK?, S DATA, C ACK, C FIN, S FIN, C ACK",
    "C SYN, S RST-ACK",
)
