"""Records an upload with 100 Continue: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import EPHEMERAL, Keys, https, keep, nginx, slowly

# What is uploaded is put where it stays at once: nginx may not write to its usual folder for that.
NGINX = "ssl_protocols TLSv1.2; location / { dav_methods PUT; client_body_temp_path html; }"

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    html = nginx(lab.server, identity, NGINX) / "html"
    html.chmod(0o777)  # nginx writes as a user that may do little
    data = keys.folder / "data"
    data.write_bytes(b"0123456789" * 3000)
    with lab.client.capture() as packets:
        https(lab.client, keys, authority, "-T", str(data), names=["data.txt"])
    keep(packets, __file__, f"{EPHEMERAL}, C PUT /data.txt, S 100, S 201, …", keys=keys)
