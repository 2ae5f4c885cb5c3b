"""Records a server that answers before an upload has ended and resets the rest of it: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import keep
from http2_servers import curl, log_of, nginx, trusted
from recording import Lab
from tls_recording import NAME, slowly

with Lab(forward=slowly) as lab:
    authority, identity, keys = trusted(lab)
    log = nginx(lab.server, identity, "client_max_body_size 1k;", {"a.txt": b"a" * 700})
    body = lab.client.folder("body-") / "body"
    body.write_bytes(b"b" * 150000)
    with lab.client.capture() as packets:
        curl(lab.client, "-T", str(body), f"https://{NAME}/up", "-o", "/dev/null", keys=keys, authority=authority)
    keep(
        packets,
        __file__,
        "C HEADERS 1 PUT /up, S HEADERS 1 413, S RST_STREAM 1 NO_ERROR",
        keys=keys,
        logs={"server.log": log_of(log)},
    )
