"""Records early data that the server does not accept: openssl and nginx."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import END_13, FLIGHT_13, FULL_13, GET, PAGE, PAGE_READ, Keys, keep, s_client, slowly

# Both servers can read each other's tickets; the second takes no early data.
NGINX = """
ssl_session_ticket_key {folder}/ticket.key;
server {{ listen 443 ssl; ssl_early_data on; {tls} }}
server {{ listen 8443 ssl; {tls} }}
"""

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    folder = keys.folder
    (folder / "ticket.key").write_bytes(os.urandom(80))
    tls = f"root html; ssl_protocols TLSv1.3; ssl_certificate {identity.chain}; ssl_certificate_key {identity.key};"
    lab.server.nginx(NGINX.format(folder=folder, tls=tls), {"index.html": PAGE})
    lab.server.wait_for_listener(443)
    lab.server.wait_for_listener(8443)
    with lab.client.capture() as packets:
        session, early = folder / "session", folder / "early"
        early.write_bytes(GET)
        s_client(lab.client, *keys.openssl, "-sess_out", str(session))
        again = ("-sess_in", str(session), "-early_data", str(early))
        s_client(lab.client, *keys.openssl, *again, port=8443)
    resumed = f"C ClientHello, C ChangeCipherSpec, C GET /index.html, {FLIGHT_13}, S Finished, {END_13}"
    keep(packets, __file__, f"{FULL_13}, {PAGE_READ}", f"{resumed}, {PAGE_READ}", keys=keys)
