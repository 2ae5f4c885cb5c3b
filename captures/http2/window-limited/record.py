"""Records a download whose window is smaller than the path could fill: nghttp and nghttpd."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import CLEARTEXT, keep
from http2_servers import log_of_nghttpd, nghttp, nghttpd
from recording import SERVER, Lab
from tls_recording import slowly

with Lab(forward=slowly) as lab:
    verbose = nghttpd(lab.server, {"a.txt": b"a" * 80000})
    with lab.client.capture() as packets:
        nghttp(lab.client, "--window-bits=14", f"http://{SERVER}/a.txt")
    keep(
        packets,
        __file__,
        "C HEADERS 13 GET /a.txt END, S DATA 13, C WINDOW_UPDATE 13, S DATA 13, C WINDOW_UPDATE 13, S DATA 13 END",
        logs={"server.log": log_of_nghttpd(verbose)},
        options=CLEARTEXT,
    )
