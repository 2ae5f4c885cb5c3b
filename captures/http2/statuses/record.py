"""Records HEAD, 304, 404, 206 and a redirection on one connection: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import keep
from http2_servers import TRANSFER, curl, log_of, log_of_curl, nginx, trusted
from recording import SERVER, Lab
from tls_recording import NAME, slowly

REQUESTS = (
    ("--head", "/a.txt"),
    ("-H", "if-none-match: *", "/a.txt"),
    ("-r", "100-299", "/a.txt"),
    ("/b.txt",),
    ("/old",),
)

with Lab(forward=slowly) as lab:
    authority, identity, keys = trusted(lab)
    log = nginx(lab.server, identity, "location = /old { return 301 /a.txt; }", {"a.txt": b"a" * 3000})
    usual = ["--connect-to", f"{NAME}:443:{SERVER}:443", "--cacert", str(authority.path), "-o", "/dev/null"]
    words = []
    for options in REQUESTS:
        *options, path = options
        words += ["--next", "-sS", *usual, "-w", TRANSFER, *options, f"https://{NAME}{path}"]
    with lab.client.capture() as packets:
        told = curl(lab.client, *words[1:], keys=keys)
    keep(
        packets,
        __file__,
        "S HEADERS 1 200 END, S HEADERS 3 304 END, S HEADERS 5 206, S DATA 5 END, S HEADERS 7 404, S HEADERS 9 301",
        keys=keys,
        logs={"server.log": log_of(log), "client.log": log_of_curl(told)},
    )
