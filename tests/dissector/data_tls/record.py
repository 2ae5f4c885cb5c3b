"""Records the transcripts beside this file: `python record.py`, anew for all of them.

OpenSSL's s_server and s_client talk through a relay on the loopback interface that keeps the bytes of both directions.
What OpenSSL has no more (SSL 3.0, RC4, 3DES) is recorded with tlslite-ng, both ends in this process: `pip install
tlslite-ng` where it is run. Keys and certificates are made here and worth nothing.

`transcripts.jsonl.xz` has one line a conversation: `name`, `keylog` (lines), `turns` (pairs of side, 0 or 1, and bytes
in hex), `said` (what client and server said in application data) and, for a few, `early` (what the client said early).
"""

from __future__ import annotations

import contextlib
import json
import lzma
import select
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

HERE = Path(__file__).parent
PATIENCE = 10.0  # seconds for one conversation


class Relay:
    """Listens, connects onwards, and keeps what passes: pairs of side and bytes."""

    def __init__(self, onwards: int):
        self.turns: list[tuple[int, bytes]] = []
        self._onwards = onwards
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        client, _ = self._listener.accept()
        with client, patient_connection(self._onwards) as server:
            ends = [client, server]
            open_ends = set(ends)
            while open_ends:
                ready, _, _ = select.select(list(open_ends), [], [], PATIENCE)
                if not ready:
                    break
                for end in ready:
                    side = ends.index(end)
                    try:
                        data = end.recv(65536)
                    except ConnectionError:
                        data = b""
                    if data:
                        self.turns.append((side, data))
                        with contextlib.suppress(OSError):
                            ends[1 - side].sendall(data)
                    else:
                        open_ends.discard(end)
                        with contextlib.suppress(OSError):
                            ends[1 - side].shutdown(socket.SHUT_WR)

    def finish(self) -> list[tuple[int, str]]:
        self._thread.join(PATIENCE)
        self._listener.close()
        joined: list[tuple[int, bytes]] = []
        for side, data in self.turns:
            if joined and joined[-1][0] == side:
                joined[-1] = side, joined[-1][1] + data
            else:
                joined.append((side, data))
        return [(side, data.hex()) for side, data in joined]


def patient_connection(port: int) -> socket.socket:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


KINDS = {
    "rsa": ["-newkey", "rsa:1024"],
    "ecdsa": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "dss": ["-newkey", "dsa:dsa.params"],
}


class Workshop:
    """Keys, certificates and Diffie-Hellman parameters, as small as they come."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.answering: IO[bytes] | None = None
        self.run("dsaparam", "-out", "dsa.params", "1024")
        self.run("dhparam", "-dsaparam", "-out", "dh.params", "1024")
        for kind, how in KINDS.items():
            self.run("req", "-x509", "-nodes", *how, "-keyout", f"{kind}.key", "-out", f"{kind}.crt", "-subj", "/CN=x")

    def run(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)

    @contextlib.contextmanager
    def server(self, authentication: str, *options: str) -> Iterator[int]:
        """An s_server that answers each line with its reverse; with early data it cannot, and `talk` makes it."""
        port = free_port()
        reverses = "-early_data" not in options
        own = (
            ["-nocert"]
            if authentication == "none"
            else ["-cert", f"{authentication}.crt", "-key", f"{authentication}.key"]
        )
        command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-dhparam", "dh.params", *own, *options]
        command += ["-rev"] if reverses else []
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet)
        self.answering = None if reverses else process.stdin
        try:
            yield port
        finally:
            process.terminate()
            process.wait()

    def talk(self, name: str, port: int, *options: str, lines: tuple[str, ...] = ("hello",), early: str = "") -> dict:
        """One conversation: each line is answered with its reverse. Lines of one letter are s_client's commands."""
        relay = Relay(port)
        keylog = self.folder / "keys.log"
        keylog.unlink(missing_ok=True)
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-keylogfile", str(keylog), *options]
        if early:
            (self.folder / "early").write_text(early)
            command += ["-early_data", "early"]
        process = subprocess.Popen(
            command, cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert process.stdin is not None
        assert process.stdout is not None
        seen = b""
        for line in lines:
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
            if len(line) == 1:
                time.sleep(0.3)
                continue
            if self.answering is not None:
                time.sleep(0.2)
                self.answering.write(line[::-1].encode() + b"\n")
                self.answering.flush()
            end = time.monotonic() + PATIENCE
            while line[::-1].encode() not in seen and time.monotonic() < end:
                if not select.select([process.stdout], [], [], 0.2)[0]:
                    continue
                piece = process.stdout.read1(65536)
                seen += piece
                if not piece:
                    raise RuntimeError(f"{name}: {seen.decode()}")
        process.stdin.close()
        process.wait()
        process.stdout.close()
        said = [line for line in lines if len(line) > 1]
        return {
            "name": name,
            "keylog": keylog.read_text().splitlines(),
            "turns": relay.finish(),
            "said": ["".join(f"{line}\n" for line in said), "".join(f"{line[::-1]}\n" for line in said)],
            **({"early": early} if early else {}),
        }


VERSIONS = {"tls1.0": "-tls1", "tls1.1": "-tls1_1", "tls1.2": "-tls1_2"}
ANY = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"


def old_suites(shop: Workshop) -> Iterator[dict]:
    """Every cipher suite that OpenSSL offers up to TLS 1.2, with encrypt_then_mac where it is agreed upon."""
    listed = subprocess.run(["openssl", "ciphers", "-s", "-v", ANY], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        suite, since, _, authentication, *_ = line.split()
        if since == "TLSv1.3":
            continue
        with shop.server(authentication[3:].lower(), "-cipher", f"{suite}:@SECLEVEL=0", "-no_ticket") as port:
            for version, option in VERSIONS.items():
                if since == "TLSv1.2" and version != "tls1.2":
                    continue
                if version == "tls1.1" and "AES128-SHA" not in suite:
                    continue  # 1.0 and 1.2 have all that 1.1 has
                yield shop.talk(f"{version} {suite}", port, option, "-cipher", f"{suite}:@SECLEVEL=0")


def old_ways(shop: Workshop) -> Iterator[dict]:
    """MAC-then-encrypt, resumption, renegotiation."""
    for version, option in VERSIONS.items():
        for suite in ("ECDHE-ECDSA-AES128-SHA", "AES256-SHA"):
            kind = "ecdsa" if "ECDSA" in suite else "rsa"
            weak = ["-cipher", f"{suite}:@SECLEVEL=0"]
            with shop.server(kind, *weak, "-no_etm") as port:
                yield shop.talk(
                    f"{version} {suite} no-etm", port, option, *weak, "-no_ticket", lines=("one", "x" * 300)
                )
    suite = "ECDHE-ECDSA-AES128-GCM-SHA256"
    for name, options in (("session-id", ["-no_ticket"]), ("ticket", [])):
        with shop.server("ecdsa", *options) as port:
            saved = ["-tls1_2", "-cipher", suite, *options]
            yield shop.talk(f"tls1.2 {name} first", port, *saved, "-sess_out", "session")
            yield shop.talk(f"tls1.2 {name} resumed", port, *saved, "-sess_in", "session")
    with shop.server("ecdsa", "-client_renegotiation") as port:
        lines = ("before", "R", "after")
        yield shop.talk("tls1.2 renegotiation", port, "-tls1_2", "-cipher", suite, lines=lines)


def new_ways(shop: Workshop) -> Iterator[dict]:
    """TLS 1.3."""
    suites = (
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_CCM_SHA256",
        "TLS_AES_128_CCM_8_SHA256",
    )
    for suite in suites:
        with shop.server("ecdsa", "-ciphersuites", suite, "-num_tickets", "1") as port:
            yield shop.talk(f"tls1.3 {suite}", port, "-ciphersuites", suite)
    with shop.server("ecdsa", "-groups", "P-384", "-num_tickets", "0") as port:
        yield shop.talk("tls1.3 hello-retry", port, "-groups", "X25519:P-384")
    with shop.server("ecdsa", "-num_tickets", "0") as port:
        lines = ("before", "K", "between", "k", "after")
        yield shop.talk("tls1.3 key-update", port, lines=lines)
    with shop.server("ecdsa", "-early_data", "-num_tickets", "1") as port:
        yield shop.talk("tls1.3 ticket", port, "-sess_out", "session", lines=("first", "again"))
        yield shop.talk("tls1.3 psk", port, "-sess_in", "session")
        yield shop.talk("tls1.3 ticket again", port, "-sess_out", "session", lines=("first", "again"))
        yield shop.talk("tls1.3 early-data", port, "-sess_in", "session", early="sooner\n")
    with shop.server("ecdsa", "-num_tickets", "1") as port:  # does not know the ticket
        yield shop.talk("tls1.3 early-data rejected", port, "-sess_in", "session", early="sooner\n")


def tlslite_ways(shop: Workshop) -> Iterator[dict]:
    """What OpenSSL has no more, with tlslite-ng at both ends."""
    from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey
    from tlslite.x509 import X509

    certificate = X509().parse((shop.folder / "rsa.crt").read_text())
    private = parsePEMKey((shop.folder / "rsa.key").read_text(), private=True)
    cases = [
        (version, cipher, mac, etm, ems)
        for version in (0, 1, 3)
        for cipher, mac, etm in (
            ("rc4", "md5", True),
            ("rc4", "sha", True),
            ("3des", "sha", True),
            ("3des", "sha", False),
            ("aes256", "sha", False),
        )
        for ems in (True, False)
        if not (version == 0 and (etm or ems) and cipher != "rc4")
    ]
    for version, cipher, mac, etm, ems in cases:
        settings = HandshakeSettings()
        settings.minVersion = settings.maxVersion = (3, version)
        settings.cipherNames, settings.macNames, settings.keyExchangeNames = [cipher], [mac], ["rsa"]
        settings.useEncryptThenMAC, settings.useExtendedMasterSecret = etm, ems
        settings.minKeySize = 512
        listener = socket.create_server(("127.0.0.1", 0))
        relay = Relay(listener.getsockname()[1])

        def serve(listener: socket.socket = listener, settings: HandshakeSettings = settings) -> None:
            end, _ = listener.accept()
            server = TLSConnection(end)
            server.handshakeServer(certChain=X509CertChain([certificate]), privateKey=private, settings=settings)
            heard = bytearray()
            while heard.count(b"\n") < 3:
                heard += server.read(max=4096, min=1)
            server.write(bytes(heard[:-1])[::-1] + b"\n")
            server.close()
            listener.close()

        thread = threading.Thread(target=serve)
        thread.start()
        client = TLSConnection(socket.create_connection(("127.0.0.1", relay.port)))
        client.handshakeClientCert(settings=settings)
        for line in (b"one\n", b"two\n", b"three\n"):
            client.write(line)
        answer = bytes(client.read(max=4096, min=14))
        master = bytes(client.session.masterSecret).hex()
        client.close()
        thread.join(PATIENCE)
        turns = relay.finish()
        hello = bytes.fromhex(turns[0][1])
        ways = "".join([" etm" if etm else "", " ems" if ems else ""])
        yield {
            "name": f"tlslite 3.{version} {cipher} {mac}{ways}",
            "keylog": [f"CLIENT_RANDOM {hello[11:43].hex()} {master}"],
            "turns": turns,
            "said": ["one\ntwo\nthree\n", answer.decode()],
        }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        shop = Workshop(Path(folder))
        conversations = [*old_suites(shop), *old_ways(shop), *new_ways(shop), *tlslite_ways(shop)]
        (HERE / "rsa.pem").write_text((shop.folder / "rsa.key").read_text())
    lines = "".join(json.dumps(each) + "\n" for each in conversations)
    with lzma.open(HERE / "transcripts.jsonl.xz", "wt", preset=9) as file:
        file.write(lines)


if __name__ == "__main__":
    main()
