"""Records early data that the server accepts: openssl on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FLIGHT_13, FULL_13, Keys, keep, s_client, s_server, slowly, typed

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    server = s_server(lab.server, identity, "-early_data", www=False)
    with lab.client.capture() as packets:
        session, early = keys.folder / "session", keys.folder / "early"
        early.write_bytes(b"early\n")
        s_client(lab.client, *keys.openssl, "-sess_out", str(session), say=[])
        resume = ("-sess_in", str(session), "-early_data", str(early))
        s_client(lab.client, *keys.openssl, *resume, say=[b"late\n", typed(server, b"answer\n")])
    resumed = (
        f"C ClientHello, C ChangeCipherSpec, C Data, {FLIGHT_13}, S Finished, C EndOfEarlyData, C Finished, "
        "S NewSessionTicket, C Data, S Data"
    )
    keep(packets, __file__, f"{FULL_13}, …", f"{resumed}, …", keys=keys)
