"""Records a login that no longer sets its cookie: curl and the service of docs/own-flows.md."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl, require

SERVICE = Path(__file__).resolve().parents[3] / "docs" / "own-flows" / "service.py"

with Lab() as lab:
    lab.server.start("python3", str(SERVICE), "8080", "--forget-cookie")
    lab.server.wait_for_listener(8080)
    with lab.client.capture() as packets:
        form = ["--data-urlencode", "password=open sesame", "-L", "-c", "/dev/null"]
        shown = curl(lab.client, *form, f"http://{SERVER}:8080/login")
assert shown == "log in first\n"
require(packets, "C POST /login, S 302", "C GET /account, S 401")
closed = "C SYN, S SYN-ACK, C ACK, C DATA, …, S FIN, …, C FIN, S ACK"
packets.keep(__file__, closed, closed)
