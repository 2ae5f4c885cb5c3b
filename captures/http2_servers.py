"""Programs of the HTTP/2 cases, and their logs. All are Debian's packages; none is installed as a service."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from subprocess import STDOUT, Popen

from certificates import Authority, Identity
from http2_recording import CLEARTEXT, keep
from recording import SERVER, Host, Lab, command, settle
from servers import debian_python, discarding
from tls_recording import NAME, Keys


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


def access_log(name: str) -> str:
    """Directives that make Apache (with mod_log_config) log as logs are kept, in this file of its folder."""
    return f'LogFormat "%m %U %>s %B" exchange\nCustomLog {name} exchange'


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


def nghttpd(host: Host, files: dict[str, bytes], *options: str, identity: Identity | None = None) -> Path:
    """Start nghttpd: on port 443 with this identity, else on port 80. Returns where it tells what it does."""
    folder = host.folder("nghttpd-")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    port = 443 if identity else 80
    words = ["nghttpd", "-v", "-d", str(folder), "-a", host.address, *options]
    words += [str(port), str(identity.key), str(identity.chain)] if identity else ["--no-tls", str(port)]
    verbose = host.folder("log-") / "verbose"
    with verbose.open("wb") as out:
        host.start(*words, stdout=out, stderr=STDOUT)
    host.wait_for_listener(port)
    return verbose


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


def h2load(host: Host, *words: str, **run_options) -> list[str]:
    """Run h2load to its end; returns its log as logs are kept: it knows the statuses only."""
    log = host.folder("log-") / "h2load"
    done = host.run("h2load", *words, f"--log-file={log}", **run_options)
    assert " 0 failed, 0 errored" in done.stdout, done.stdout
    settle()
    return [f"- - {line.split()[1]} -" for line in log.read_text().splitlines()]


def nghttpx(host: Host, files: dict[str, bytes]) -> None:
    """Start nghttpx on port 80, in front of an nginx of its own."""
    host.nginx("server { listen 127.0.0.1:8080; root html; }", files)
    host.wait_for_listener(8080)
    host.start("nghttpx", f"-f{host.address},80;no-tls", "-b127.0.0.1,8080", "-n1", "--conf=/dev/null")
    host.wait_for_listener(80)


def node(host: Host, program: str, *options: str, port: int = 0, **start) -> Popen:
    """Start a JavaScript program, which listens on `port` if that is given."""
    process = host.start("node", *options, "-e", program, **start)
    if port:
        host.wait_for_listener(port)
    return process


def between_nodes(record: str, server: str, client: str, wanted: str) -> None:
    """Record what a JavaScript server on port 80 and a JavaScript client say, until the client ends."""
    with Lab() as lab:
        node(lab.server, server, port=80)
        with lab.client.capture() as packets:
            assert node(lab.client, client).wait(20) == 0
            settle()
        keep(packets, record, wanted, options=CLEARTEXT)


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


def by_hand(record: str, wanted: str, *said: bytes, first: bool = False) -> None:
    """Record what nginx, whose `/a.txt` has 700 bytes, answers to frames that a script sends; see `talk`."""
    with Lab() as lab:
        nginx(lab.server, None, "", {"a.txt": b"a" * 700})
        with lab.client.capture() as packets:
            talk(lab.client, *said, first=first)
        keep(packets, record, wanted, options=CLEARTEXT)
