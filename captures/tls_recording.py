"""What the TLS cases share: programs that speak TLS, the secrets they log, and what tshark sees with those secrets.

The programs are Debian's. Secrets come from whoever of the two logs them: curl, Chromium, Python and NSS into the
file SSLKEYLOGFILE names, openssl into `-keylogfile`.
"""

from __future__ import annotations

import os
import re
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen

from certificates import Authority, Identity
from conversations import OPEN
from forwarding import Frame, delay
from recording import CLIENT, SERVER, Capture, Host, command, pattern, settle
from servers import INCOMPLETE, discarding

NAME = "example.test"
PAGE = b"<!doctype html><title>Example</title>\n"
GET = b"GET /index.html HTTP/1.0\r\n\r\n"

# From IANA's "TLS HandshakeType"; 67 is next_protocol of draft-agl-tls-nextprotoneg.
MESSAGES = {
    0: "HelloRequest",
    1: "ClientHello",
    2: "ServerHello",
    4: "NewSessionTicket",
    5: "EndOfEarlyData",
    8: "EncryptedExtensions",
    11: "Certificate",
    12: "ServerKeyExchange",
    13: "CertificateRequest",
    14: "ServerHelloDone",
    15: "CertificateVerify",
    16: "ClientKeyExchange",
    20: "Finished",
    22: "CertificateStatus",
    24: "KeyUpdate",
    67: "NextProtocol",
}
# RFC 8446 §4.1.3: a ServerHello with this random is a HelloRetryRequest.
RETRY = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"


# The handshakes as tshark shows them with the secrets, up to the second Finished; for `keep`.
_END = "C ChangeCipherSpec, C Finished, S NewSessionTicket?, S ChangeCipherSpec, S Finished"
RSA = f"C ClientHello, S ServerHello, S Certificate, S ServerHelloDone, C ClientKeyExchange, {_END}"
EPHEMERAL = RSA.replace("S ServerHelloDone", "S CertificateStatus?, S ServerKeyExchange, S ServerHelloDone")
RESUMED = (
    "C ClientHello, S ServerHello, S NewSessionTicket?, S ChangeCipherSpec, S Finished, C ChangeCipherSpec, C Finished"
)
FLIGHT_13 = "S ServerHello, S ChangeCipherSpec?, S EncryptedExtensions"
CERTIFICATE_13 = "S Certificate, S CertificateVerify, S Finished"
END_13 = "C ChangeCipherSpec?, C Finished, S NewSessionTicket?"
# The ticket may come as late as this, the client does not wait for it.
PAGE_READ = "C GET /index.html, S NewSessionTicket?, S 200, …"
FULL_13 = f"C ClientHello, {FLIGHT_13}, {CERTIFICATE_13}, {END_13}"
PSK_13 = f"C ClientHello, {FLIGHT_13}, S Finished, {END_13}"


def slowly(frame: Frame) -> list[tuple[float, bytes]]:
    """10 ms each way: what one end sends at once has left before the other answers, so the close is always the same."""
    return delay(frame, 0.01)


class Keys:
    """Where programs on one machine log their secrets, and what is kept of it beside the capture."""

    def __init__(self, host: Host):
        self.folder = host.folder("keys-")
        self.folder.chmod(0o777)
        self.path = self.folder / "keys.log"

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"SSLKEYLOGFILE": str(self.path)}

    @property
    def openssl(self) -> tuple[str, str]:
        return ("-keylogfile", str(self.path))

    def keep(self, record: str) -> None:
        """Beside the script `record`, without the comments programs write."""
        lines = [line for line in self.path.read_text().splitlines() if line and not line.startswith("#")]
        target = Path(record).resolve().parent / "keys.log"
        target.write_text("\n".join(dict.fromkeys(lines)) + "\n")
        print(f"wrote {target.name}, {len(lines)} secrets")


def s_server(host: Host, identity: Identity | None, *options: str, port: int = 443, www: bool = True) -> Popen:
    """Start `openssl s_server`; with `www` it answers one GET per connection with a file, else it says nothing itself.

    What is written to its standard input is sent, or is a command if the line begins with r, k, K, c, Q ….
    """
    folder = host.folder("s_server-")
    (folder / "index.html").write_bytes(PAGE)
    words = ["openssl", "s_server", "-accept", f"{host.address}:{port}"]
    words += identity.words() if identity else ["-nocert"]
    words += ["-WWW"] if www else []
    process = host.start(*words, *options, cwd=folder, stdin=PIPE)
    host.wait_for_listener(port)
    return process


def typed(process: Popen, line: bytes) -> Callable[[], None]:
    """For `say` of `s_client`: type this line into another program, which is mostly the server."""

    def type_it() -> None:
        process.stdin.write(line)
        process.stdin.flush()

    return type_it


def s_client(
    host: Host,
    *options: str,
    say: Sequence[bytes | Callable[[], None]] = (GET,),
    port: int = 443,
    wait: float = 0.5,
    name: str = NAME,
) -> str:
    """Run `openssl s_client`, type each of `say` into it and end its input; returns what it printed.

    A line that begins with R, k, K or Q is a command. At the end of its input it sends close_notify and closes.
    """
    words = ["openssl", "s_client", "-connect", f"{SERVER}:{port}"]
    words += ["-servername", name] if name else ["-noservername"]
    process = host.start(*words, *options, stdin=PIPE, stdout=PIPE, stderr=STDOUT)
    settle(wait)
    with suppress(BrokenPipeError):  # the other end was first
        for line in say:
            typed(process, line)() if isinstance(line, bytes) else line()
            settle(wait)
    output, _ = process.communicate(timeout=20)
    settle()
    return output.decode(errors="replace")


def nginx(host: Host, identity: Identity, directives: str = "", files: dict[str, bytes] | None = None) -> Path:
    """Start nginx as the TLS server on port 443 with these directives besides the certificate; TLS 1.2 and 1.3.

    Returns its folder; the files are in `html`.
    """
    if "ssl_protocols" not in directives:
        directives += " ssl_protocols TLSv1.2 TLSv1.3;"
    tls = f"listen 443 ssl; root html; ssl_certificate {identity.chain}; ssl_certificate_key {identity.key};"
    folder = host.nginx(f"server {{ {tls} {directives} }}", files or {"index.html": PAGE})
    host.wait_for_listener(443)
    return folder


def https(
    host: Host,
    keys: Keys,
    authority: Authority | None,
    *words: str,
    names: Sequence[str] = ("index.html",),
    at: str = f"{SERVER}:443",
    expect: int = 0,
) -> None:
    """Fetch files from https://example.test/, which is `at` this address, with curl, HTTP/1.1; `expect`: exit code."""
    words = ("--http1.1", "--connect-to", f"{NAME}:443:{at}", *words)
    trust = ("--cacert", str(authority.path)) if authority else ()
    urls = discarding(*(f"https://{NAME}/{name}" for name in names))
    done = host.run("curl", "-sS", *words, *trust, *urls, check=False, env=keys.environment)
    assert done.returncode == expect, (done.returncode, done.stderr)
    settle()


def spoken(path: Path, *options: str) -> dict[int, list[tuple[int, str, str]]]:
    """By tshark, what each TCP stream says: packet number, side (C is the host 10.0.0.1) and step, in order.

    A step is a handshake message, `ChangeCipherSpec`, `Encrypted` (handshake or alert that cannot be read), an alert's
    description, HTTP (`GET /`, `200`), or `Data` for application data if there is no HTTP in it.
    """
    words = ["tshark", "-r", str(path), "-o", "tcp.reassemble_out_of_order:TRUE", *INCOMPLETE, *options, "-T", "pdml"]
    found: dict[int, list[tuple[int, str, str]]] = {}
    for packet in ElementTree.fromstring(command(*words).stdout).iter("packet"):
        fields = {field.get("name"): field.get("show") for field in packet.iter("field")}
        if "tcp.stream" not in fields:
            continue
        side = "C" if fields.get("ip.src") == CLIENT else "S"
        shown = found.setdefault(int(fields["tcp.stream"]), [])
        shown += [(int(fields["frame.number"]), side, step) for step in _steps(packet)]
    for number, shown in found.items():
        if any(re.match(r"[A-Z]+ /|\d+$", step) for _, _, step in shown):
            found[number] = [step for step in shown if step[2] != "Data"]
    return found


def _steps(packet: ElementTree.Element) -> list[str]:
    steps: list[str] = []
    for field in packet.iter("field"):
        name, show, showname = field.get("name"), field.get("show"), field.get("showname", "")
        if name == "tls.handshake":
            kind = field.find("field[@name='tls.handshake.type']")
            if kind is None:
                steps += ["Encrypted"] if "Encrypted" in showname else []
            else:
                random = field.find("field[@name='tls.handshake.random']")
                retry = random is not None and random.get("value") == RETRY
                steps.append("HelloRetryRequest" if retry else MESSAGES[int(kind.get("show"))])
        elif name == "tls.change_cipher_spec":
            steps.append("ChangeCipherSpec")
        elif name == "tls.alert_message":
            about = field.find("field[@name='tls.alert_message.desc']")
            steps.append(_described(about) if about is not None else "Encrypted")
        elif name == "tls.app_data":
            steps.append("Data")
        elif name == "http.request.method":
            uri = packet.find(".//field[@name='http.request.uri']")
            steps.append(f"{show} {uri.get('show')}")
        elif name == "http.response.code":
            steps.append(show)
    return steps


def _described(field: ElementTree.Element) -> str:
    """`Description: Handshake Failure (40)` as `handshake_failure`."""
    words = re.fullmatch(r"Description: (.*) \(\d+\)", field.get("showname"))
    return words[1].lower().replace(" ", "_")


def tshark_keys(keys: Path | None, server_key: Path | None = None) -> list[str]:
    """Options that give tshark these secrets."""
    words = ["-o", f"tls.keylog_file:{keys}"] if keys else []
    return words + (["-o", f'uat:rsa_keys:"{server_key}",""'] if server_key else [])


def keep(
    packets: Capture,
    record: str,
    *wanted: str,
    keys: Keys | None = None,
    give: bool = True,
    server_key: Identity | None = None,
    tcp: Sequence[str] = (),
    options: Sequence[str] = (),
) -> None:
    """Put the capture and its secrets beside the script `record`, if tshark sees these TLS streams with the secrets.

    A stream is `C ClientHello, S ServerHello, …`, with the signs `Capture.keep` knows; the same step several times in
    a row is one step. `tcp` are the transcripts for `Capture.keep`; without `give` nobody else gets the secrets.
    """
    found = spoken(packets.path, *tshark_keys(keys and keys.path), *options)
    shown = []
    for number, steps in sorted(found.items()):
        named = [f"{side} {step}" for _, side, step in steps]
        shown.append([step for at, step in enumerate(named) if at == 0 or named[at - 1] != step])
        print(f"stream {number}: {', '.join(shown[-1])}")
    agree = len(shown) == len(wanted) and all(
        re.fullmatch(pattern(text), "".join(f"{step}, " for step in steps))
        for text, steps in zip(wanted, shown, strict=True)
    )
    if not agree:
        raise SystemExit(f"not what this case is about, recording left in {packets.folder}; wanted: {wanted}")
    packets.keep(record, *(tcp or [f"{OPEN}, …"] * len(wanted)))
    if keys and give:
        keys.keep(record)
    if server_key:
        shutil.copyfile(server_key.key, Path(record).resolve().parent / "server.key")
