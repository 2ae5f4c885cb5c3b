"""Records a page with twelve resources over HTTP/1.1: Chromium and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from forwarding import delay
from http2_recording import keep
from http2_servers import COMPARED, COMPARED_TYPES, log_of, nginx, trusted
from recording import Lab, streams
from servers import messages
from tls_recording import tshark_keys
from tls_servers import browser


def forward(frame):
    """20 ms each way."""
    return delay(frame, 0.02)


with Lab(forward=forward) as lab:
    authority, identity, keys = trusted(lab)
    log = nginx(lab.server, identity, COMPARED_TYPES, COMPARED, listen="")
    with lab.client.capture() as packets:
        assert "Flows, loaded" in browser(lab.client, identity, keys)
    shown = messages(packets.path, *tshark_keys(keys.path))
    print(*shown, sep="\n")
    assert len(shown) == 6, shown
    assert sum(line.count("S 200") for line in shown) == 13, shown
    tcp = ["C SYN, S SYN-ACK, C ACK, …"] * len(streams(packets.path))
    keep(packets, __file__, keys=keys, logs={"server.log": log_of(log)}, agree=False, tcp=tcp)
