"""Records a page with twelve resources over HTTP/2: Chromium and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from forwarding import delay
from http2_recording import frames, keep
from http2_servers import COMPARED, COMPARED_TYPES, log_of, nginx, trusted
from recording import Lab
from tls_recording import tshark_keys
from tls_servers import browser


def forward(frame):
    """20 ms each way."""
    return delay(frame, 0.02)


with Lab(forward=forward) as lab:
    authority, identity, keys = trusted(lab)
    log = nginx(lab.server, identity, COMPARED_TYPES, COMPARED)
    with lab.client.capture() as packets:
        assert "Flows, loaded" in browser(lab.client, identity, keys)
    # Mostly Chromium opens a second connection, just in case, and needs it not.
    others = len(frames(packets.path, *tshark_keys(keys.path))) - 1
    wanted = ["C HEADERS 1 GET / END, S DATA 1 END"] + ["S SETTINGS 0"] * others
    keep(packets, __file__, *wanted, keys=keys, logs={"server.log": log_of(log)})
