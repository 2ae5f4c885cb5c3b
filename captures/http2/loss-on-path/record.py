"""Records six downloads at once on a path that loses a segment: curl and nghttpd."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from forwarding import delay, drop, nth
from http2_recording import keep
from http2_servers import TRANSFER, curl, log_of_curl, log_of_nghttpd, nghttpd, trusted
from recording import Lab

FILES = {f"{name}.txt": name.encode() * 30000 for name in "abcdef"}

lose = nth(30, lambda frame: frame.sender == "server" and len(frame.payload) == 1448, drop)


def forward(frame):
    """20 ms each way; one full segment of the server gets lost once."""
    fate = lose(frame)
    return delay(frame, 0.02) if fate is None else fate


with Lab(forward=forward) as lab:
    authority, identity, keys = trusted(lab)
    verbose = nghttpd(lab.server, FILES, identity=identity)
    with lab.client.capture() as packets:
        told = curl(lab.client, "-Z", "-w", TRANSFER, keys=keys, authority=authority, names=FILES)
    keep(
        packets,
        __file__,
        "C HEADERS 11 GET /f.txt END, S DATA 3, S DATA 5, S DATA 3 END",
        keys=keys,
        logs={"server.log": log_of_nghttpd(verbose), "client.log": log_of_curl(told)},
    )
