"""Records trailer sections in both directions: nghttp and nghttpd."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import CLEARTEXT, keep
from http2_servers import log_of_nghttpd, nghttp, nghttpd
from recording import SERVER, Lab

with Lab() as lab:
    verbose = nghttpd(lab.server, {"a.txt": b"a" * 3000}, "--trailer=checksum: 17", "--echo-upload")
    body = lab.client.folder("body-") / "body"
    body.write_bytes(b"b" * 700)
    with lab.client.capture() as packets:
        nghttp(lab.client, f"http://{SERVER}/a.txt")
        nghttp(lab.client, f"http://{SERVER}/", "-d", str(body), "--trailer", "checksum: 18")
    keep(
        packets,
        __file__,
        "C HEADERS 13 GET /a.txt END, S HEADERS 13 200, S DATA 13, S HEADERS 13 END",
        "C HEADERS 13 POST /, C DATA 13, C HEADERS 13 END, S HEADERS 13 200, S DATA 13, S HEADERS 13 END",
        logs={"server.log": log_of_nghttpd(verbose)},
        options=CLEARTEXT,
    )
