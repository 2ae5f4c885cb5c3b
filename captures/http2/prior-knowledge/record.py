"""Records HTTP/2 without TLS and without asking: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import CLEARTEXT, keep
from http2_servers import TRANSFER, curl, log_of, log_of_curl, nginx
from recording import SERVER, Lab
from servers import discarding
from tls_recording import slowly

FILES = {"a.txt": b"a" * 3000}

with Lab(forward=slowly) as lab:
    log = nginx(lab.server, None, "", FILES)
    urls = discarding(f"http://{SERVER}/a.txt")
    with lab.client.capture() as packets:
        told = curl(lab.client, "--http2-prior-knowledge", "-w", TRANSFER, *urls)
    keep(
        packets,
        __file__,
        "C SETTINGS 0, C HEADERS 1 GET /a.txt END, S SETTINGS 0, S HEADERS 1 200, S DATA 1 END",
        logs={"server.log": log_of(log), "client.log": log_of_curl(told)},
        options=CLEARTEXT,
    )
