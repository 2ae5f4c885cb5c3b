"""Records early data that is answered before the client's Finished: openssl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FLIGHT_13, FULL_13, GET, PAGE_READ, Keys, keep, nginx, s_client, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    nginx(lab.server, identity, "ssl_early_data on;")
    with lab.client.capture() as packets:
        session, early = keys.folder / "session", keys.folder / "early"
        early.write_bytes(GET)
        s_client(lab.client, *keys.openssl, "-sess_out", str(session))
        s_client(lab.client, *keys.openssl, "-sess_in", str(session), "-early_data", str(early), say=[b""])
    resumed = (
        f"C ClientHello, C ChangeCipherSpec, C GET /index.html, {FLIGHT_13}, S Finished, S 200, S close_notify, "
        "C EndOfEarlyData, C Finished"
    )
    keep(packets, __file__, f"{FULL_13}, {PAGE_READ}", f"{resumed}, …", keys=keys)
