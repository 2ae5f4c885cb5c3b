"""Records headers too long for one frame: nghttp and nghttpd."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import CLEARTEXT, keep
from http2_servers import log_of_nghttpd, nghttp, nghttpd
from recording import SERVER, Lab

INCOMPRESSIBLE = "~" * 7000  # 13 bits a letter in HPACK's Huffman code: sent as it is
LONG = ("x", "y", "z")

with Lab() as lab:
    verbose = nghttpd(lab.server, {"a.txt": b"a" * 3000}, f"--trailer=t: {INCOMPRESSIBLE * 3}")
    with lab.client.capture() as packets:
        nghttp(
            lab.client,
            *(word for name in LONG for word in ("-H", f"{name}: {INCOMPRESSIBLE}")),
            f"http://{SERVER}/a.txt",
        )
    keep(
        packets,
        __file__,
        "C HEADERS 13 GET /a.txt END, C CONTINUATION 13, S HEADERS 13 200, S DATA 13, S HEADERS 13 END, "
        "S CONTINUATION 13",
        logs={"server.log": log_of_nghttpd(verbose)},
        options=CLEARTEXT,
    )
