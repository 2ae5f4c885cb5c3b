"""Two hosts in network namespaces with nginx on one of them, and `analyzer live` on the cable between them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cases import ROOT

sys.path.append(str(ROOT / "captures"))

from recording import Host, Lab

PROGRAMS = ("ip", "nft", "nginx", "curl", "tcpdump", "dumpcap", "tshark", "ethtool", "openssl", "setpriv", "ss")
PROGRAM = (sys.executable, "-m", "analyzer")
SECONDS = 60  # nothing here takes that long unless it hangs


def needed() -> None:
    """Skips where namespaces are impossible; in CI that is a failure, for there they must be possible."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None]
    if os.geteuid() != 0:
        reason = "network namespaces need root"
    elif missing:
        reason = f"not installed: {', '.join(missing)}"
    elif subprocess.run(["ip", "netns", "list"], capture_output=True, check=False).returncode:
        reason = "there are no network namespaces here"
    else:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def lab(**options) -> Iterator[Lab]:
    needed()
    before = signal.getsignal(signal.SIGTERM)
    try:
        with Lab(**options) as one:
            yield one
    finally:
        signal.signal(signal.SIGTERM, before)


class Live:
    """`analyzer live` on a host. It captures from the moment this object is there."""

    def __init__(self, host: Host, *words: str, through: tuple[str, ...] = (), ready: bool = True, **options):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "COVERAGE_FILE": os.environ.get("COVERAGE_FILE", "")}
        environment = {name: value for name, value in environment.items() if value} | options.pop("env", {})
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": ROOT, **options}
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", host.name, *through, *PROGRAM, "live", *words], env=environment, **options
        )
        self.said = b""
        while ready and b"Ctrl-C ends" not in self.said:
            line = self.process.stderr.readline()
            assert line, self.said.decode()
            self.said += line

    @property
    def pid(self) -> int:
        """`ip netns exec` becomes the program it is given."""
        return self.process.pid

    def end(self, number: int = signal.SIGINT, settle: float = 0.5) -> tuple[int, str, str]:
        """Sends the signal when packets on their way have come; exit code, output, and what it said."""
        time.sleep(settle)
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> tuple[int, str, str]:
        try:
            out, err = self.process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return self.process.returncode, (out or b"").decode(), (self.said + (err or b"")).decode()


def objects(text: str) -> dict[str, list[dict]]:
    """JSON Lines by their type."""
    found: dict[str, list[dict]] = {"event": [], "connection": [], "summary": []}
    for line in text.splitlines():
        one = json.loads(line)
        found[one["type"]].append(one)
    return found


def read(path: Path, *words: str) -> list[dict]:
    """What `analyzer read` prints of a file, without its name."""
    done = subprocess.run(
        [*PROGRAM, "read", "--format", "jsonl", *words, str(path)], capture_output=True, check=True, cwd=ROOT
    )
    return nameless([json.loads(line) for line in done.stdout.splitlines()])


def nameless(connections: list[dict]) -> list[dict]:
    """The connections by id, without the name of the capture."""
    return sorted(({**one, "capture": None} for one in connections), key=lambda one: one["id"])


def web(server: Host) -> Path:
    """nginx: HTTP/1 on 80, HTTPS with HTTP/2 on 443. Returns its folder."""
    folder = server.folder("certificate-")
    server.run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
        "-subj", "/CN=server.test", "-addext", "subjectAltName=DNS:server.test",
        "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"),
    )  # fmt: skip
    files = {"index.html": b"<p>hello\n" * 50, "a.css": b"a{}\n" * 500, "big.html": bytes(range(32, 127)) * 20_000}
    server.nginx(
        f"server {{ listen 80; listen 443 ssl http2; ssl_protocols TLSv1.2 TLSv1.3; root html;\n"
        f"ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem; }}",
        files,
    )
    server.wait_for_listener(443)
    return folder


def curl(client: Host, *words: str, keys: Path | None = None) -> None:
    environment = {**os.environ} | ({"SSLKEYLOGFILE": str(keys)} if keys else {})
    client.run("curl", "-sSk", "--max-time", "20", *words, env=environment)


def browse(client: Host, keys: Path) -> None:
    """HTTP/1 with one exchange and with several, HTTPS with HTTP/1.1, HTTP/2, and a port where nobody listens."""
    nowhere = ("-o", "/dev/null")
    curl(client, "http://10.0.0.2/", *nowhere)
    curl(client, "http://10.0.0.2/", *nowhere, "http://10.0.0.2/a.css", *nowhere, "http://10.0.0.2/none", *nowhere)
    resolved = ("--resolve", "server.test:443:10.0.0.2")
    curl(client, "--http1.1", *resolved, "https://server.test/a.css", *nowhere, keys=keys)
    curl(client, "--http1.1", "--tls-max", "1.2", *resolved, "https://server.test/", *nowhere, keys=keys)
    curl(client, "--http2", *resolved, "https://server.test/big.html", *nowhere, "https://server.test/a.css", *nowhere,
         keys=keys)  # fmt: skip
    client.run("curl", "-s", "--max-time", "20", "http://10.0.0.2:81/", check=False)
