"""Programs that several `record.py` start besides nginx (which is `Host.nginx`), and what tshark sees of HTTP.

All are Debian's packages, started with a configuration of their own below /tmp; none is installed as a service.
"""

from __future__ import annotations

from pathlib import Path
from subprocess import PIPE, Popen

from recording import Capture, Host, command, settle


def curl(host: Host, *words: str, expect: int = 0) -> str:
    """Run curl to its end and let the network become quiet; `expect` is its exit code. Returns what it printed."""
    done = host.run("curl", "-sS", *words, check=False)
    assert done.returncode == expect, (done.returncode, done.stderr)
    settle()
    return done.stdout


def curl_into_slow_pipe(host: Host, *words: str) -> str:
    """As `curl`, but what reads curl's output takes its time, as `curl … | less`: curl closes later than it could."""
    process = host.start("curl", "-sS", *words, stdout=PIPE, pipesize=4096, text=True)
    settle(1)
    output = process.stdout.read()
    process.stdout.close()
    assert process.wait(10) == 0
    settle()
    return output


def discarding(*urls: str) -> list[str]:
    """The words that make curl fetch these, on one connection if it can, and forget what they contain."""
    return [word for url in urls for word in (url, "-o", "/dev/null")]


def apache(host: Host, port: int, modules: str, configuration: str, files: dict[str, bytes]) -> Path:
    """Start Apache with these modules besides the few it always needs; `files` are what it serves."""
    folder = host.folder("apache-")
    (folder / "html").mkdir()
    for name, content in files.items():
        (folder / "html" / name).write_bytes(content)
    load = "\n".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
        for name in ["mpm_event", "authz_core", "mime", *modules.split()]
    )
    (folder / "apache.conf").write_text(
        f"{load}\nServerRoot {folder}\nServerName server\nPidFile {folder}/pid\nErrorLog {folder}/error.log\n"
        f"TypesConfig /etc/mime.types\nDefaultRuntimeDir {folder}\nUser www-data\nGroup www-data\n"
        f"Listen {host.address}:{port}\nDocumentRoot {folder}/html\nStartServers 1\nServerTokens Prod\n"
        f"{configuration}\n"
    )
    host.start("apache2", "-f", str(folder / "apache.conf"), "-D", "FOREGROUND")
    host.wait_for_listener(port)
    return folder


def tinyproxy(host: Host, port: int) -> None:
    """Start an HTTP proxy that lets everybody CONNECT anywhere."""
    folder = host.folder("tinyproxy-")
    (folder / "tinyproxy.conf").write_text(f"Port {port}\nListen {host.address}\nTimeout 600\nDisableViaHeader Yes\n")
    host.start("tinyproxy", "-d", "-c", str(folder / "tinyproxy.conf"))
    host.wait_for_listener(port)


def haproxy(host: Host, port: int, configuration: str) -> None:
    """Start haproxy with these sections, one of which listens on `port`."""
    folder = host.folder("haproxy-")
    timeouts = "timeout connect 5s\ntimeout client 30s\ntimeout server 30s"
    (folder / "haproxy.cfg").write_text(f"defaults\n{timeouts}\n{configuration}\n")
    host.start("haproxy", "-db", "-f", str(folder / "haproxy.cfg"))
    host.wait_for_listener(port)


def node(host: Host, port: int, program: str) -> Popen:
    """Start a JavaScript program that listens on `port`."""
    process = host.start("node", "-e", program)
    host.wait_for_listener(port)
    return process


def debian_python(host: Host, program: str, **options) -> Popen:
    """Start a Python program that uses Debian's Python packages, whichever Python runs this."""
    return host.start("/usr/bin/python3", "-c", program, **options)


def certificate(host: Host, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for `name` and its key, for one recording."""
    folder = host.folder("certificate-")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-days", "3650", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"),
        *("-keyout", str(key), "-out", str(cert)),
    )
    return cert, key


def chromium(host: Host, url: str, *options: str, **run_options) -> str:
    """Load a page in a fresh headless Chromium; returns the document as it is after loading."""
    profile = host.folder("chromium-")
    quiet = ["background-networking", "component-update", "sync", "default-apps", "extensions", "gpu"]
    done = host.run(
        *("chromium", "--headless=new", "--no-sandbox", "--no-first-run", f"--user-data-dir={profile}"),
        *(f"--disable-{what}" for what in quiet),
        *("--virtual-time-budget=2000", "--dump-dom", *options, url),
        timeout=60,
        **run_options,
    )
    settle()
    return done.stdout


def messages(path: Path, *options: str) -> list[str]:
    """The HTTP/1 messages of every TCP stream, by tshark, each stream as `C GET /, S 200, …`; C is the client."""
    fields = ["tcp.stream", "http.request.method", "http.request.uri", "http.response.code"]
    words = ["tshark", "-r", str(path), "-o", "tcp.reassemble_out_of_order:TRUE", *options]
    words += ["-T", "fields", "-E", "aggregator= ", *(word for field in fields for word in ("-e", field))]
    found: dict[int, list[str]] = {}
    for line in command(*words).stdout.splitlines():
        stream, methods, targets, codes = line.split("\t")
        shown = found.setdefault(int(stream), [])
        shown += [f"C {' '.join(both)}" for both in zip(methods.split(), targets.split(), strict=True)]
        shown += [f"S {code}" for code in codes.split()]
    return [", ".join(found[number]) for number in sorted(found)]


# Options of tshark for `messages` and `require`: it shows a body only when it is complete, unless told otherwise.
INCOMPLETE = ("-o", "http.desegment_body:FALSE")


def require(packets: Capture, *wanted: str, options: tuple[str, ...] = ()) -> None:
    """End the recording unless `messages` gives exactly this."""
    shown = messages(packets.path, *options)
    for number, line in enumerate(shown):
        print(f"stream {number}: {line}")
    if shown != list(wanted):
        raise SystemExit(f"not what this case is about, recording left in {packets.folder}; wanted: {wanted}")


def packet_numbers(packets: Capture, display_filter: str) -> list[str]:
    """The numbers of the packets tshark finds with this filter, for editcap."""
    words = ["tshark", "-r", str(packets.path), "-Y", display_filter, "-T", "fields", "-e", "frame.number"]
    return command(*words).stdout.split()


def talk(host: Host, address: str, port: int, *requests: bytes) -> bytes:
    """Send this over one connection, wait a moment after each, read until the server closes, then close."""
    with host.new_socket() as sock:
        sock.connect((address, port))
        for request in requests:
            sock.sendall(request)
            settle()
        answer = b""
        while more := sock.recv(65536):
            answer += more
        settle()
    settle()
    return answer
