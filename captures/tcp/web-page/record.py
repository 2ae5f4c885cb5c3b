"""Records curl and nc as they fetch pages from nginx: the capture of the demo."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab, settle

PAGE = b'<!doctype html><title>Flows</title><link rel="stylesheet" href="/style.css"><h1>Hello</h1>\n'
STYLE = b"h1 { font-family: serif }\n" * 200
NGINX = """
server {
    listen 80;
    root html;
    reset_timedout_connection on;
    location = /gone { return 444; }
}
"""

with Lab() as lab:
    lab.server.nginx(NGINX, {"index.html": PAGE, "style.css": STYLE})
    lab.server.wait_for_listener(80)

    def curl(*words: str, expect: int = 0) -> None:
        done = lab.client.run("curl", "-sS", "-o", "/dev/null", *words, check=False)
        assert done.returncode == expect, done.stderr
        settle()

    with lab.client.capture() as packets:
        curl(f"http://{SERVER}/")
        curl(f"http://{SERVER}/", "-o", "/dev/null", f"http://{SERVER}/style.css")
        # nc takes its time: it closes when its input ends, half a second after nginx has closed.
        talk = r"(printf 'GET / HTTP/1.0\r\nHost: 10.0.0.2\r\n\r\n'; sleep 0.5)"
        lab.client.run("sh", "-c", f"{talk} | nc {SERVER} 80")
        settle()
        curl(f"http://{SERVER}:8080/", expect=7)  # nothing listens there
        curl(f"http://{SERVER}/gone", expect=56)  # nginx resets what it ends with its own status 444
packets.keep(
    __file__,
    "C SYN, S SYN-ACK, C ACK, C DATA, S ACK?, S DATA, C ACK, C FIN, S FIN, C ACK",
    "C SYN, S SYN-ACK, C ACK, C DATA, S ACK?, S DATA, C ACK, C DATA, …, S DATA, C ACK, C FIN, S FIN, C ACK",
    "C SYN, S SYN-ACK, C ACK, C DATA, S ACK?, S DATA, C ACK, S FIN, C ACK, C FIN, S ACK",
    "C SYN, S RST-ACK",
    "C SYN, S SYN-ACK, C ACK, C DATA, S ACK?, S RST-ACK",
)
