"""What every `record.py` shares: two hosts on one machine, a cable between them, and a capture of it.

The hosts are network namespaces with fixed addresses, so nothing ever leaves the machine and a recording made
elsewhere has the same addresses. Neighbours are entered by hand and IPv6's own chatter is off, so that a capture
holds only what its case is about. Offloads are off: with them on, a capture would show segments and checksums
that were never on a wire.

A recording is kept only if it shows what it claims: `Capture.keep` compares it with a transcript first.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from forwarding import Forwarder, Rule, Tag

CLIENT = "10.0.0.1"
SERVER = "10.0.0.2"
CLIENT6 = "2001:db8::1"
SERVER6 = "2001:db8::2"
CLIENT_MAC = "02:00:00:00:00:01"
SERVER_MAC = "02:00:00:00:00:02"

# Longer than Linux delays an acknowledgement (40 ms to 200 ms), so that what should be two segments is never one.
SETTLE = 0.3

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


def settle(seconds: float = SETTLE) -> None:
    """Let delayed acknowledgements and everything on the way arrive."""
    time.sleep(seconds)


def command(*words: str, check: bool = True, **options) -> subprocess.CompletedProcess:
    """Run a command and keep its output; a failure shows what it printed."""
    done = subprocess.run(words, capture_output=True, text=True, **options)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return done


class Host:
    """A network namespace. Sockets made by `new_socket` and `listen` belong to it for good."""

    def __init__(self, role: str, address: str = "", address6: str = ""):
        self.role = role
        self.name = f"{role}-{os.getpid()}"
        self.address = address
        self.address6 = address6
        self.started: list[subprocess.Popen] = []
        self._folders: list[Path] = []
        command("ip", "netns", "add", self.name)
        self.run("ip", "link", "set", "lo", "up")
        self.sysctl("net.ipv6.conf.default.disable_ipv6", "0" if address6 else "1")
        self.sysctl("net.ipv6.conf.default.accept_ra", "0")
        self.sysctl("net.ipv6.conf.default.router_solicitations", "0")
        self.sysctl("net.ipv6.conf.default.addr_gen_mode", "1")  # no link-local address
        self.sysctl("net.ipv4.tcp_no_metrics_save", "1")  # one connection must not shape the next
        # Joining multicast groups is announced whenever the kernel finds time to: keep that out of the captures.
        quiet = "type filter hook output priority 0;\nicmpv6 type mld2-listener-report drop"
        self.run("nft", "-f", "-", input=f"table ip6 quiet {{ chain output {{ {quiet}\n}}\n}}\n")

    def remove(self) -> None:
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        command("ip", "netns", "delete", self.name, check=False)
        for folder in self._folders:
            shutil.rmtree(folder)

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Move this thread into the namespace; sockets and /proc/sys/net then mean the host's."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            if _libc.setns(there, _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            yield
        finally:
            _libc.setns(home, _CLONE_NEWNET)
            os.close(there)
            os.close(home)

    def run(self, *words: str, check: bool = True, **options) -> subprocess.CompletedProcess:
        """Run a program on this host to its end."""
        return command("ip", "netns", "exec", self.name, *words, check=check, **options)

    def start(self, *words: str, **options) -> subprocess.Popen:
        """Start a program on this host; it is stopped with the host, its children too."""
        options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
        process = subprocess.Popen(("ip", "netns", "exec", self.name, *words), start_new_session=True, **options)
        self.started.append(process)
        return process

    def sysctl(self, name: str, value: str | int) -> None:
        with self.inside():
            Path("/proc/sys", *name.split(".")).write_text(f"{value}\n")

    def firewall(self, *rules: str) -> None:
        """nftables rules for what this host receives, for example `tcp dport 80 drop`."""
        chain = "\n".join(["type filter hook input priority 0;", *rules])
        self.run("nft", "-f", "-", input=f"table inet lab {{ chain input {{ {chain}\n}}\n}}\n")

    def new_socket(self, family: int = socket.AF_INET, protocol: int = 0) -> socket.socket:
        with self.inside():
            sock = socket.socket(family, socket.SOCK_STREAM, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.settimeout(30)
        return sock

    def listen(self, port: int, family: int = socket.AF_INET, protocol: int = 0) -> socket.socket:
        sock = self.new_socket(family, protocol)
        sock.bind((self.address6 if family == socket.AF_INET6 else self.address, port))
        sock.listen()
        return sock

    def wait_for_listener(self, port: int) -> None:
        """Wait until a program on this host accepts connections, without connecting to it."""
        for _ in range(100):
            if self.run("ss", "-Hltn", f"sport = :{port}").stdout:
                return
            time.sleep(0.05)
        raise RuntimeError(f"nothing listens on port {port} of {self.role}")

    def folder(self, prefix: str) -> Path:
        """A new folder that any user may read; it is removed with the host."""
        folder = Path(tempfile.mkdtemp(prefix=prefix))
        folder.chmod(0o755)
        self._folders.append(folder)
        return folder

    def nginx(self, server_blocks: str, files: dict[str, bytes] | None = None) -> Path:
        """Start nginx with these `server { … }` blocks; `files` are put where `root html;` finds them."""
        folder = self.folder("nginx-")
        (folder / "html").mkdir()
        for name, content in (files or {}).items():
            (folder / "html" / name).write_bytes(content)
        (folder / "nginx.conf").write_text(
            f"daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\n"
            f"events {{ }}\nhttp {{ access_log off; server_tokens off; types {{ text/html html; text/css css; }}\n"
            f"{server_blocks}\n}}\n"
        )
        self.start("nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"))
        return folder

    def capture(self, *options: str, interface: str = "eth0", program: str = "dumpcap") -> Capture:
        return Capture(self, program, interface, options)


class Lab:
    """A client and a server host and what is between them; everything is removed at the end, whatever happened.

    Without `forward`, one veth pair joins the hosts. With it, a third host in the middle hands over frame by frame
    in user space and `forward` decides what becomes of each: the kernel here has no `tc netem` and no 802.1Q.
    `mirror`, if given, is what the middle host makes of every frame for its mirror port, where a capture can run:
    `lab.middle.capture(interface="monitor")`.
    """

    def __init__(
        self, *, ipv6: bool = False, forward: Rule | None = None, mirror: Tag | None = None, tun: bool = False
    ):
        self.ipv6, self.forward, self.mirror, self.tun = ipv6, forward, mirror, tun
        self.forwarder: Forwarder | None = None

    def __enter__(self) -> Lab:
        # SIGTERM would otherwise leave namespaces behind.
        signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        self._cleanup = contextlib.ExitStack()
        try:
            self.client = self._host("client", CLIENT, CLIENT6)
            self.server = self._host("server", SERVER, SERVER6)
            if self.tun:
                self._join_by_tun()
            elif self.forward or self.mirror:
                self._join_by_forwarder()
            else:
                self._veth(self.client, "eth0", self.server, "eth0")
            if not self.tun:
                self._address(self.client, CLIENT_MAC, self.server, SERVER_MAC)
                self._address(self.server, SERVER_MAC, self.client, CLIENT_MAC)
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(self, *_) -> None:
        self._cleanup.close()

    def _host(self, role: str, address: str = "", address6: str = "") -> Host:
        host = Host(role, address, address6 if self.ipv6 else "")
        self._cleanup.callback(host.remove)
        return host

    def _veth(self, one: Host, name: str, other: Host, other_name: str) -> None:
        command("ip", "link", "add", name, "netns", one.name, "type", "veth", "peer", other_name, "netns", other.name)
        for host, interface in ((one, name), (other, other_name)):
            host.run("ethtool", "-K", interface, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off")
            host.run("ip", "link", "set", interface, "up")

    def _address(self, host: Host, mac: str, peer: Host, peer_mac: str) -> None:
        host.run("ip", "link", "set", "eth0", "address", mac)
        host.run("ip", "address", "add", f"{host.address}/24", "dev", "eth0")
        host.run("ip", "neighbour", "add", peer.address, "lladdr", peer_mac, "dev", "eth0", "nud", "permanent")
        if self.ipv6:
            host.run("ip", "address", "add", f"{host.address6}/64", "dev", "eth0", "nodad")
            host.run("ip", "neighbour", "add", peer.address6, "lladdr", peer_mac, "dev", "eth0", "nud", "permanent")

    def _join_by_forwarder(self) -> None:
        self.middle = self._host("middle")
        self._veth(self.middle, "to-client", self.client, "eth0")
        self._veth(self.middle, "to-server", self.server, "eth0")
        if self.mirror:
            self._veth(self.middle, "mirror", self.middle, "monitor")
            for interface in ("mirror", "monitor"):  # a tunnel's headers come on top
                self.middle.run("ip", "link", "set", interface, "mtu", "9000")
        with self.middle.inside():
            self.forwarder = Forwarder(self.forward, self.mirror)
        self._cleanup.callback(self.forwarder.stop)

    def _join_by_tun(self) -> None:
        """Two tun devices, each the other's peer: IP packets without any link header."""
        with self.client.inside():
            one = Forwarder.open_tun("tun0")
        with self.server.inside():
            other = Forwarder.open_tun("tun0")
        for host, peer in ((self.client, self.server), (self.server, self.client)):
            host.run("ip", "link", "set", "tun0", "up")
            host.run("ip", "address", "add", host.address, "peer", peer.address, "dev", "tun0")
            if self.ipv6:
                host.run("ip", "address", "add", host.address6, "peer", peer.address6, "dev", "tun0", "nodad")
        self._cleanup.callback(Forwarder.join_tuns(one, other))

    def connect(
        self,
        port: int,
        family: int = socket.AF_INET,
        protocol: int = 0,
        *,
        prepare_client: Callable[[socket.socket], None] = lambda sock: None,
        prepare_listener: Callable[[socket.socket], None] = lambda sock: None,
    ) -> tuple[socket.socket, socket.socket]:
        """Open one connection; the two ends, client first. The listener is closed: nobody else comes.

        What `prepare_client` and `prepare_listener` do to the sockets is done before the SYN.
        """
        with self.server.listen(port, family, protocol) as listener:
            prepare_listener(listener)
            client = self.client.new_socket(family, protocol)
            prepare_client(client)
            client.connect(listener.getsockname()[:2])
            server, _ = listener.accept()
        server.settimeout(30)
        settle()
        return client, server


class Capture:
    """A running capture. As a context it ends only when the last packet is in the file."""

    def __init__(self, host: Host, program: str, interface: str, options: Sequence[str]):
        self.folder = Path(tempfile.mkdtemp(prefix="capture-"))
        self.folder.chmod(0o777)  # dumpcap and tcpdump may give up root before they open the file
        self.path = self.folder / ("capture.pcap" if program == "tcpdump" else "capture.pcapng")
        # What each prints once it has opened the interface: from then on no packet is missed, where there is room for
        # those that wait (tcpdump has 2 MB unless told otherwise).
        words, ready = {
            "dumpcap": (["dumpcap", "-q"], "File:"),
            "tcpdump": (["tcpdump", "-Z", "root", "-U", "-B", "65536"], "listening on"),
        }[program]
        self.process = host.start(
            *words, "-i", interface, *options, "-w", str(self.path), stderr=subprocess.PIPE, text=True
        )
        for line in self.process.stderr:
            if ready in line:
                break
        else:
            raise RuntimeError(f"{program} did not start")

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, kind, *_) -> None:
        self.stop()
        if kind:  # keep() will not be reached
            self.discard()

    def stop(self) -> None:
        """Idempotent. dumpcap forgets what the kernel still holds when it is interrupted, hence the wait."""
        if self.process.poll() is None:
            settle(1)
            self.process.send_signal(signal.SIGINT)
            self.process.wait(10)
        self.process.stderr.close()

    def discard(self) -> None:
        shutil.rmtree(self.folder)

    def edit(self, *words: str, suffix: str = ".pcapng") -> None:
        """Replace the capture by what a program makes of it; `{in}` and `{out}` stand for the files."""
        out = self.folder / f"edited{suffix}"
        command(*(word.replace("{in}", str(self.path)).replace("{out}", str(out)) for word in words))
        self.path.unlink()
        self.path = out.rename(self.folder / f"capture{suffix}")

    def keep(self, record: str, *transcripts: str, decode: str | None = None) -> None:
        """Put the capture beside the script `record`, if its TCP streams are exactly these `transcripts`.

        `decode`: what tshark must be told to see them, as its option -d.

        A transcript is what `transcript` returns, with `*`, `+` and `?` after a step as in a regular expression
        and `…` for any steps.
        """
        shown = streams(self.path, decode)
        for number, line in enumerate(shown):
            print(f"stream {number}: {line}")
        wanted = [pattern(text) for text in transcripts]
        agree = len(shown) == len(wanted) and all(map(re.fullmatch, wanted, (f"{line}, " for line in shown)))
        if not agree:
            raise SystemExit(f"not what this case is about, recording left in {self.folder}; wanted: {transcripts}")
        target = Path(record).resolve().parent / self.path.name
        shutil.copyfile(self.path, target)
        target.chmod(0o644)
        self.discard()
        print(f"wrote {target.name}, {target.stat().st_size} bytes")


def pattern(text: str) -> str:
    """`C ACK*, …, S FIN` as a regular expression over `C ACK, C ACK, S DATA, S FIN, `."""
    steps = (re.fullmatch(r"(.*?)([*+?]?)", step.strip()) for step in text.split(","))
    return "".join("(?:[CS] [^,]+, )*?" if m[1] == "…" else f"(?:{re.escape(m[1])}, ){m[2]}" for m in steps)


def streams(path: Path, decode: str | None = None) -> list[str]:
    """The TCP streams of a capture, by tshark, each as `C SYN, S SYN-ACK, C ACK, C DATA, …`.

    C is the host 10.0.0.1 (2001:db8::1). A segment is DATA if it has payload, ACK if it has nothing else to say;
    FIN, RST and SYN are named with what they carry besides: `DATA-FIN`, `RST-ACK`.
    """
    fields = ["tcp.stream", "ip.src", "ipv6.src", "tcp.flags", "tcp.len", "icmp.type", "icmpv6.type"]
    words = ["tshark", "-r", str(path), "-o", "tcp.reassemble_out_of_order:TRUE", "-T", "fields"]
    words += ["-d", decode] if decode else []
    output = command(*words, *(word for field in fields for word in ("-e", field)), check=False).stdout
    found: dict[int, list[str]] = {}
    for line in output.splitlines():
        stream, source, source6, flags, length, icmp, icmp6 = (field.split(",") for field in line.split("\t"))
        if not stream[0]:
            continue
        if icmp[0] or icmp6[0]:  # tshark shows the fields of the quoted segment as well
            side = "C" if CLIENT in source[:1] or CLIENT6 in source6[:1] else "S"
            found.setdefault(int(stream[0]), []).append(f"{side} ICMP")
            continue
        for place in range(len(stream)):  # several in an A-MSDU; before them stand the addresses of tunnels
            back = place - len(stream)
            side = "C" if CLIENT in source[back:][:1] or CLIENT6 in source6[back:][:1] else "S"
            found.setdefault(int(stream[place]), []).append(
                f"{side} {_step(int(flags[place], 16), int(length[place]))}"
            )
    return [", ".join(found[number]) for number in sorted(found)]


def _step(flags: int, length: int) -> str:
    fin, syn, rst, ack = flags & 1, flags & 2, flags & 4, flags & 16
    if rst:
        return "RST-ACK" if ack else "RST"
    names = [name for name, there in (("SYN", syn), ("DATA", length), ("FIN", fin)) if there]
    if syn and ack:
        names.insert(1, "ACK")
    return "-".join(names) or "ACK"
