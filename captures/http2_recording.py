"""What the HTTP/2 cases share: programs that speak it, their logs, and what tshark sees of it.

The programs are Debian's. Logs are kept as `method path status bytes`, one exchange a line, `-` for what a program
does not log, in its order, so that they can be held against the exchanges of the capture.
"""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import STDOUT, Popen

from certificates import Authority, Identity
from conversations import OPEN
from recording import CLIENT, SERVER, Capture, Host, Lab, command, settle, streams
from servers import debian_python, discarding
from tls_recording import NAME, Keys, tshark_keys

# From IANA's "HTTP/2 Frame Type" and "HTTP/2 Error Code".
FRAMES = {
    0: "DATA",
    1: "HEADERS",
    2: "PRIORITY",
    3: "RST_STREAM",
    4: "SETTINGS",
    5: "PUSH_PROMISE",
    6: "PING",
    7: "GOAWAY",
    8: "WINDOW_UPDATE",
    9: "CONTINUATION",
    10: "ALTSVC",
    12: "ORIGIN",
    16: "PRIORITY_UPDATE",
}
ERRORS = (
    *("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED"),
    *("FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM"),
    *("INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"),
)
_ACK, _END_STREAM, _PADDED = 0x1, 0x1, 0x8

# tshark looks for HTTP/2 after TLS and after an Upgrade by itself; with prior knowledge only where it is told to.
CLEARTEXT = ("-d", "tcp.port==80,http2")


@dataclass
class Frame:
    """A frame as tshark shows it. `headers` are those it could decode, `length` that of the data in a DATA frame."""

    packet: int
    time: float
    side: str  # C is the host 10.0.0.1
    kind: str
    stream: int
    flags: int
    length: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    settings: dict[int, int] = field(default_factory=dict)
    error: str = ""
    last_stream: int = 0
    promised: int = 0

    @property
    def ends(self) -> bool:
        return self.kind in ("DATA", "HEADERS") and bool(self.flags & _END_STREAM)

    def __str__(self) -> str:
        """`C HEADERS 1 GET /a.txt END`, `S HEADERS 1 200`, `S DATA 1 END`, `S GOAWAY 0 NO_ERROR last 1` …"""
        named = dict(self.headers)
        words = [self.side, self.kind, str(self.stream)]
        words += [named[name] for name in (":method", ":path", ":status") if name in named]
        words += ["ACK"] if self.kind in ("SETTINGS", "PING") and self.flags & _ACK else []
        words += [self.error] if self.error else []
        words += [f"last {self.last_stream}"] if self.kind == "GOAWAY" else []
        words += [f"promises {self.promised}"] if self.promised else []
        words += ["END"] if self.ends else []
        return " ".join(words)


def frames(path: Path, *options: str) -> dict[int, list[Frame]]:
    """The frames of every TCP stream that has any, by tshark."""
    words = ["tshark", "-r", str(path), "-o", "tcp.reassemble_out_of_order:TRUE", *options, "-T", "pdml"]
    found: dict[int, list[Frame]] = {}
    for packet in ElementTree.fromstring(command(*words).stdout).iter("packet"):
        about = {field.get("name"): field.get("show") for field in packet.iter("field")}
        if "tcp.stream" not in about:
            continue
        # A frame that came in pieces is shown where it ended.
        for one in packet.iter("field"):
            if one.get("name") == "http2.stream" and one.find("field[@name='http2.type']") is not None:
                side = "C" if about.get("ip.src") == CLIENT else "S"
                number, time = int(about["frame.number"]), float(about["frame.time_relative"])
                found.setdefault(int(about["tcp.stream"]), []).append(_frame(one, number, time, side))
    return found


def _frame(element: ElementTree.Element, packet: int, time: float, side: str) -> Frame:
    def number(name: str) -> int:
        found = element.find(f".//field[@name='{name}']")
        return int(found.get("show"), 0) if found is not None else 0

    kind = number("http2.type")
    flags, length = number("http2.flags"), number("http2.length")
    frame = Frame(packet, time, side, FRAMES.get(kind, f"type {kind}"), number("http2.streamid"), flags, length)
    for header in element.iter("field"):
        if header.get("name") == "http2.header":
            name, value = (header.find(f"field[@name='http2.header.{what}']") for what in ("name", "value"))
            frame.headers.append((name.get("show"), value.get("show") if value is not None else ""))
        elif header.get("name") == "http2.settings":
            what, value = header.find("field[@name='http2.settings.id']"), header.findall("field")[-1]
            frame.settings[int(what.get("show"))] = int(value.get("show"))
    if frame.kind == "DATA":
        frame.length -= number("http2.pad_length") + 1 if flags & _PADDED else 0
    if frame.kind == "RST_STREAM":
        frame.error = ERRORS[number("http2.rst_stream.error")]
    if frame.kind == "GOAWAY":
        frame.error, frame.last_stream = ERRORS[number("http2.goaway.error")], number("http2.goaway.last_stream_id")
    frame.promised = number("http2.push_promise.promised_stream_id")
    return frame


@dataclass
class Exchange:
    """A request and its response as the frames have it. Bytes are those of the body, without padding."""

    stream: int
    method: str | None = None
    target: str | None = None
    authority: str | None = None
    status: int | None = None
    interim: list[int] = field(default_factory=list)
    request_bytes: int = 0
    response_bytes: int = 0
    pushed: bool = False
    trailers: bool = False
    error: str = ""  # of RST_STREAM, with the side

    def line(self) -> str:
        return f"{self.method} {self.target} {self.status} {self.response_bytes}"


def exchanges(shown: Sequence[Frame]) -> list[Exchange]:
    """Of one connection, by stream."""
    found: dict[int, Exchange] = {}
    for frame in shown:
        stream = frame.promised or frame.stream
        if not stream or frame.kind not in ("HEADERS", "DATA", "PUSH_PROMISE", "RST_STREAM"):
            continue
        one = found.setdefault(stream, Exchange(stream))
        named = dict(frame.headers)
        if ":method" in named:
            one.method, one.target, one.authority = (named.get(name) for name in (":method", ":path", ":authority"))
            one.pushed = frame.kind == "PUSH_PROMISE"
        elif ":status" in named:
            status = int(named[":status"])
            if status < 200:
                one.interim.append(status)
            else:
                one.status = status
        elif frame.kind == "HEADERS" and frame.ends and (frame.side == "C" or one.status):
            one.trailers = True
        elif frame.kind == "RST_STREAM":
            one.error = f"{frame.side} {frame.error}"
        elif frame.kind == "DATA" and frame.side == "C":
            one.request_bytes += frame.length
        elif frame.kind == "DATA":
            one.response_bytes += frame.length
    return [found[stream] for stream in sorted(found)]


def keep(
    packets: Capture,
    record: str,
    *wanted: str,
    keys: Keys | None = None,
    give: bool = True,
    tcp: Sequence[str] = (),
    logs: dict[str, Sequence[str]] | None = None,
    agree: bool = True,
    options: Sequence[str] = (),
) -> None:
    """Put the capture, its secrets and the logs beside the script `record`, if tshark sees in it what it is about.

    `wanted`: for each TCP stream with HTTP/2 the frames that must be there, in this order, others between them, as
    `Frame` writes them. Every line of the logs must be an exchange of the capture and vice versa, if `agree`.
    """
    found = frames(packets.path, *tshark_keys(keys and keys.path), *options)
    for number, shown in sorted(found.items()):
        print(f"stream {number}: {', '.join(_folded(shown))}")
    if len(found) != len(wanted):
        raise SystemExit(f"{len(found)} connections with HTTP/2, not {len(wanted)}; recording in {packets.folder}")
    for text, (_, shown) in zip(wanted, sorted(found.items()), strict=True):
        names = iter([str(frame) for frame in shown])
        for step in filter(None, text.split(", ")):
            if step not in names:  # takes from the iterator up to it
                raise SystemExit(f"no {step} where it is wanted; recording left in {packets.folder}")
    lines = sorted(one.line() for _, shown in sorted(found.items()) for one in exchanges(shown))
    for name, log in (logs or {}).items():
        if agree and not _agree(lines, sorted(log)):
            raise SystemExit(f"{name} says {sorted(log)}, the capture {lines}; recording left in {packets.folder}")
    packets.keep(record, *(tcp or [f"{OPEN}, …"] * len(streams(packets.path))))
    if keys and give:
        keys.keep(record)
    for name, log in (logs or {}).items():
        (Path(record).resolve().parent / name).write_text("".join(f"{line}\n" for line in log))
        print(f"wrote {name}, {len(log)} lines")


def _agree(lines: list[str], log: list[str]) -> bool:
    """Word by word; a log says `-` for what it does not know."""
    left = list(lines)
    for line in log:
        words = line.split(" ")
        same = (
            other
            for other in left
            if all(word in ("-", theirs) for word, theirs in zip(words, other.split(" "), strict=True))
        )
        if (one := next(same, None)) is None:
            return False
        left.remove(one)
    return not left


def _folded(shown: Sequence[Frame]) -> Iterator[str]:
    last = ""
    for name in map(str, shown):
        if name != last:
            yield name
        last = name


def trusted(lab: Lab) -> tuple[Authority, Identity, Keys]:
    """An authority, a certificate of it for example.test, and a place for the client's secrets."""
    authority = Authority(lab.server)
    return authority, authority.issue(NAME), Keys(lab.client)


def nginx(
    host: Host,
    identity: Identity | None,
    directives: str = "",
    files: dict[str, bytes] | None = None,
    listen: str = "http2",
) -> Path:
    """Start nginx with HTTP/2: on port 443 with this identity, else on port 80 with prior knowledge.

    Returns where it logs, for `log_of`. `listen`: parameters of the port.
    """
    where = f"listen 80 {listen};"
    if identity:
        where = f"listen 443 ssl {listen}; ssl_certificate {identity.chain}; ssl_certificate_key {identity.key};"
        where += " ssl_protocols TLSv1.2 TLSv1.3;"
    form = "log_format exchange '$request_method $request_uri $status $body_bytes_sent';"
    log = "access_log access.log exchange;"  # relative to its folder
    folder = host.nginx(f"{form} server {{ {where} {log} root html; {directives} }}", files)
    host.wait_for_listener(443 if identity else 80)
    return folder / "access.log"


def log_of(path: Path) -> list[str]:
    """The lines of a log that is written as logs are kept."""
    return path.read_text().splitlines()


def curl(
    host: Host,
    *words: str,
    keys: Keys | None = None,
    authority: Authority | None = None,
    names: Sequence[str] = (),
    expect: int = 0,
) -> str:
    """Run curl with HTTP/2; `names` are fetched from https://example.test/ and thrown away. Returns what it printed."""
    trust = ["--connect-to", f"{NAME}:443:{SERVER}:443"] if keys else []
    trust += ["--cacert", str(authority.path)] if authority else []
    urls = discarding(*(f"https://{NAME}/{name}" for name in names))
    environment = keys.environment if keys else dict(os.environ)
    done = host.run("curl", "-sS", *trust, *words, *urls, check=False, env=environment)
    assert done.returncode == expect, (done.returncode, done.stderr)
    settle()
    return done.stdout


# What curl is to write about each transfer (`-w`), as a line of a log; see `log_of_curl`.
TRANSFER = "%{method} %{url} %{response_code} %{size_download}\n"


def log_of_curl(output: str) -> list[str]:
    """What curl printed with `-w TRANSFER`, as logs are kept."""
    return [re.sub(r" https?://[^/ ]+", " ", line) for line in output.splitlines()]


def preloaded(host: Host, keys: Keys) -> dict[str, str]:
    """An environment in which any program that uses OpenSSL logs its secrets: nghttp, nghttpd and Apache do not."""
    folder = host.folder("keylog-")
    library = folder / "keylog.so"
    command("gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(library), "-ldl", input=_KEYLOG)
    return keys.environment | {"LD_PRELOAD": f"{library} libssl.so.3"}


_KEYLOG = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void line(const void *ssl, const char *text) {
    FILE *file = fopen(getenv("SSLKEYLOGFILE"), "a");
    (void)ssl;
    if (file) { fprintf(file, "%s\n", text); fclose(file); }
}

void *SSL_new(void *context) {
    void *(*next)(void *) = dlsym(RTLD_NEXT, "SSL_new");
    void (*set)(void *, void *) = dlsym(RTLD_DEFAULT, "SSL_CTX_set_keylog_callback");
    set(context, line);
    return next(context);
}
"""


def nghttpd(
    host: Host, files: dict[str, bytes], *options: str, identity: Identity | None = None, **start
) -> tuple[Popen, Path]:
    """Start nghttpd: on port 443 with this identity, else on port 80. Returns it and where it tells what it does."""
    folder = host.folder("nghttpd-")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    port = 443 if identity else 80
    words = ["nghttpd", "-v", "-d", str(folder), "-a", host.address, *options]
    words += [str(port), str(identity.key), str(identity.chain)] if identity else ["--no-tls", str(port)]
    verbose = host.folder("log-") / "verbose"
    with verbose.open("wb") as out:
        process = host.start(*words, stdout=out, stderr=STDOUT, **start)
    host.wait_for_listener(port)
    return process, verbose


def log_of_nghttpd(verbose: Path) -> list[str]:
    """What nghttpd told with `-v`, as logs are kept; pushed exchanges too."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    sent: Counter[tuple[str, str]] = Counter()
    # An entry is a line with the connection and indented ones about the same frame.
    for entry in re.split(r"^(?=\[id=)", without_colours(verbose.read_text()), flags=re.MULTILINE):
        if not (about := re.match(r"\[id=(\d+)\] .*?(?:promised_)?stream_id=(\d+)", entry)):
            continue
        promised = re.search(r"promised_stream_id=(\d+)", entry)
        key = about[1], promised[1] if promised else about[2]
        if named := re.findall(r"[ )]:(method|path|status): (.*)", entry):
            found.setdefault(key, {}).update(named)
        if length := re.search(r"send DATA frame <length=(\d+)", entry):
            padding = re.search(r"padlen=(\d+)", entry)  # with the byte that tells how much it is
            sent[key] += int(length[1]) - (int(padding[1]) if padding else 0)
    return [f"{one['method']} {one['path']} {one.get('status', '-')} {sent[key]}" for key, one in found.items()]


def without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def nghttp(host: Host, *words: str, **run_options) -> str:
    """Run nghttp to its end; it throws away what it fetches and tells the frames. Returns that."""
    done = host.run("nghttp", "-nv", *words, **run_options)
    settle()
    return without_colours(done.stdout)


def node(host: Host, program: str, *options: str, port: int = 0, **start) -> Popen:
    """Start a JavaScript program, which listens on `port` if that is given."""
    process = host.start("node", *options, "-e", program, **start)
    if port:
        host.wait_for_listener(port)
    return process


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, PRIORITY_UPDATE = 0, 1, 3, 4, 6, 7, 8, 16
END_STREAM, END_HEADERS = 0x1, 0x4


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame as no program would send it, or only by chance (RFC 9113 §4.1)."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def get(stream: int, target: str, flags: int = END_STREAM | END_HEADERS) -> bytes:
    """HEADERS of a GET that neither uses nor fills the dynamic table (RFC 7541 §6.2.2; targets below 127 bytes)."""
    literal = b"".join(bytes((name, len(text))) + text for name, text in ((4, target.encode()), (1, NAME.encode())))
    return frame(HEADERS, flags, stream, b"\x82\x86" + literal)


def talk(host: Host, *said: bytes, wait: float = 0.3, first: bool = False) -> bytes:
    """Say this to port 80, waiting a moment after each; read until the server closes, or be `first`; then close."""
    answer = b""
    with host.new_socket() as sock:
        sock.connect((SERVER, 80))
        for what in said:
            sock.sendall(what)
            settle(wait)
        while not first and (more := sock.recv(65536)):
            answer += more
    settle()
    return answer


def h2load(host: Host, *words: str, **run_options) -> list[str]:
    """Run h2load to its end; returns its log as logs are kept: it knows the statuses only."""
    log = host.folder("log-") / "h2load"
    done = host.run("h2load", *words, f"--log-file={log}", **run_options)
    assert " 0 failed, 0 errored" in done.stdout, done.stdout
    settle()
    return [f"- - {line.split()[1]} -" for line in log.read_text().splitlines()]


def access_log(name: str) -> str:
    """Directives that make Apache (with mod_log_config) log as logs are kept, in this file of its folder."""
    return f'LogFormat "%m %U %>s %B" exchange\nCustomLog {name} exchange'


def nghttpx(host: Host, files: dict[str, bytes], *options: str, identity: Identity | None = None) -> Popen:
    """Start nghttpx in front of an nginx of its own: on port 443 with this identity, else on port 80."""
    # Slow enough that a response takes a second.
    host.nginx("server { listen 127.0.0.1:8080; root html; limit_rate 40k; }", files)
    host.wait_for_listener(8080)
    port = 443 if identity else 80
    words = ["nghttpx", f"-f{host.address},{port}" + ("" if identity else ";no-tls"), "-b127.0.0.1,8080", "-n1"]
    words += [str(identity.key), str(identity.chain)] if identity else []
    process = host.start(*words, "--conf=/dev/null", *options)
    host.wait_for_listener(port)
    return process


# tshark's options for gRPC without TLS.
GRPC = ("-d", "tcp.port==50051,http2")

_GRPC_SERVER = """
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import grpc

def unary(request, context):
    return request.upper()

def failing(request, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")

def counting(request, context):
    for number in range(30 if request == b"to thirty" else 5):
        yield b"number %d" % number
        time.sleep(0.05)

def echoing(requests, context):
    for request in requests:
        yield request.upper()

class Service(grpc.GenericRpcHandler):
    def service(self, call):
        return {
            "/example.Greeter/Hello": grpc.unary_unary_rpc_method_handler(unary),
            "/example.Greeter/Missing": grpc.unary_unary_rpc_method_handler(failing),
            "/example.Greeter/Count": grpc.unary_stream_rpc_method_handler(counting),
            "/example.Greeter/Echo": grpc.stream_stream_rpc_method_handler(echoing),
        }.get(call.method)

server = grpc.server(ThreadPoolExecutor(4))
server.add_generic_rpc_handlers([Service()])
server.add_insecure_port("10.0.0.2:50051")
server.start()
signal.signal(signal.SIGTERM, lambda *_: server.stop(5))  # no new calls, and five seconds for those there are
server.wait_for_termination()
"""


def grpc_server(host: Host) -> Popen:
    """Start a gRPC server without TLS; its messages are any bytes. SIGTERM makes it end when its calls have."""
    process = debian_python(host, _GRPC_SERVER)
    host.wait_for_listener(50051)
    return process


# The page of `captures/compare`, twelve resources of 120 to 30,000 bytes.
_PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><circle cx="10" cy="10" r="{}"/></svg>\n'
_PAGE = (
    '<!doctype html><title>Flows</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/style.css">\n'
    + "".join(f'<img src="/{number}.svg">\n' for number in range(10))
    + '<script src="/code.js"></script>\n'
)
COMPARED = {
    "index.html": _PAGE.encode(),
    "style.css": b"h1 { font-family: serif }\n" * 400,
    "code.js": b"// nothing to do but this\n" * 1200 + b"document.title += ', loaded'\n",
    **{f"{number}.svg": _PICTURE.format(number).encode() + b"<!-- -->\n" * 300 * number for number in range(10)},
}
COMPARED_TYPES = "types { text/html html; text/css css; text/javascript js; image/svg+xml svg; }"
