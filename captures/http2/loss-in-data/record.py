"""Records five downloads at once and takes segments of bodies out of the capture: nghttp and nghttpd."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import CLEARTEXT, keep
from http2_servers import log_of_nghttpd, nghttp, nghttpd
from recording import SERVER, Lab
from servers import packet_numbers
from tls_recording import slowly

FILES = {f"{name}.txt": name.encode() * 20000 for name in "abcde"}
LOST = 14

with Lab(forward=slowly) as lab:
    verbose = nghttpd(lab.server, FILES)
    with lab.client.capture() as packets:
        nghttp(lab.client, *(f"http://{SERVER}/{name}" for name in FILES))
    # As a capture program that falls behind would: two segments inside one DATA frame are not there.
    full = packet_numbers(packets, "tcp.srcport == 80 && tcp.len == 1448")
    lost = full[LOST : LOST + 2]
    print("without packets", *lost)
    packets.edit("editcap", "{in}", "{out}", *lost)
    keep(
        packets,
        __file__,
        "C HEADERS 21 GET /e.txt END, S HEADERS 13 200, S HEADERS 21 200",
        logs={"server.log": log_of_nghttpd(verbose)},
        agree=False,  # tshark finds no frames behind the loss
        options=CLEARTEXT,
    )
