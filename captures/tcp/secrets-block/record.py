"""Records HTTPS with curl and puts the TLS secrets into the capture."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab, command, settle

NGINX = """
server {{
    listen 443 ssl;
    ssl_protocols TLSv1.3;
    ssl_certificate {0}/c.pem;
    ssl_certificate_key {0}/k.pem;
    root html;
}}
"""
CERTIFICATE = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=example.test"

with Lab() as lab:
    folder = lab.server.folder("tls-")
    names = ("-addext", "subjectAltName=DNS:example.test")
    command(*CERTIFICATE.split(), *names, "-keyout", f"{folder}/k.pem", "-out", f"{folder}/c.pem")
    lab.server.nginx(NGINX.format(folder), {"index.html": b"<!doctype html><title>Secret</title>\n"})
    lab.server.wait_for_listener(443)
    keys = folder / "keys.log"
    with lab.client.capture() as packets:
        curl = ["curl", "-sS", "--http1.1", "--resolve", f"example.test:443:{SERVER}", "--cacert", f"{folder}/c.pem"]
        lab.client.run(*curl, "https://example.test/", env=os.environ | {"SSLKEYLOGFILE": str(keys)})
        settle()
    packets.edit("editcap", "--inject-secrets", f"tls,{keys}", "{in}", "{out}")
# nginx closes as soon as it reads close_notify, curl as soon as it has sent it: either may be first.
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C DATA, S FIN?, C FIN, S FIN?, S ACK?, C ACK?")
