"""Speed beside tcptrace, argus, tshark and others: one file, one machine, one run, alternating rounds.

    python bench/run.py [--rounds 5] [--only analyzer,argus] [--write docs/performance.md] web|bulk|small|CAPTURE…

Every program reads the same file from the page cache and works to its end; output goes to /dev/null. See README.md.
This process stays small and imports no NumPy, since a child begins its life with its parent's memory counted.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
CAPTURES = HERE.parent / "captures"


@dataclass(frozen=True)
class Mix:
    """Recorded captures that are multiplied into one file, in equal shares."""

    captures: tuple[Path, ...]
    packets: int
    connections: int


def mixes() -> dict[str, Mix]:
    """`web`: short connections of every kind that was recorded. `bulk`: a gigabyte in downloads of some megabytes, in
    clear and over TLS. `small`: connections without any payload."""
    small = ("idle-reset", "syn-ack-rejected", "half-open", "refused")
    short = sorted(path for path in CAPTURES.glob("*/*/capture.pcap*") if path.stat().st_size <= SHORT)
    return {
        "web": Mix(tuple(short), 0, 50_000),
        "bulk": Mix(tuple(CAPTURES / kind / "download/capture.pcapng" for kind in ("http1", "tls")), 900_000, 0),
        "small": Mix(tuple(CAPTURES / "tcp" / name / "capture.pcapng" for name in small), 3_000_000, 500_000),
    }


SHORT = 20_000  # bytes of a capture whose connections are called short
# What our labels are made of, as far as tshark has it.
FIELDS = " ".join(
    f"-e {name}"
    for name in (
        "frame.number", "frame.time_epoch", "tcp.stream", "ip.src", "ipv6.src", "tcp.srcport", "tcp.dstport",
        "tcp.flags", "tcp.seq", "tcp.ack", "tcp.len", "tcp.analysis.flags", "tls.record.content_type",
        "tls.handshake.type",
        "tls.handshake.version", "tls.handshake.ciphersuite", "tls.handshake.extensions_server_name",
        "tls.handshake.extensions_alpn_str", "tls.handshake.ja3", "tls.handshake.ja3s", "tls.alert_message.desc",
        "x509sat.printableString", "http.request.method", "http.request.uri", "http.response.code", "http2.streamid",
        "http2.type", "http2.headers.method", "http2.headers.status",
    )
)  # fmt: skip
OURS = "analyzer read --format jsonl"
IN_TWO = f"{OURS} --jobs 2"
PACKET_STAGE, TCPDUMP, TSHARK = "analyzer, packet stage alone", "tcpdump -w /dev/null", "tshark with our fields"
PEERS = ("tcptrace -n", "argus to ra", "ndpiReader -q")
# As users run it: compiled to bytecode once, in the round that warms up, and not at every start.
AS_INSTALLED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass
class Contender:
    """A program to time. `command` is for bash, with {file} in it."""

    name: str
    command: str
    needs: tuple[str, ...] = ()
    slow: bool = False  # takes so much longer than the others that it is left out of later rounds
    seconds: list[float] = field(default_factory=list)
    peak_bytes: int = 0
    failed: str = ""

    @property
    def missing(self) -> list[str]:
        return [program for program in self.needs if not shutil.which(program)]


def contenders() -> list[Contender]:
    python = shlex.quote(sys.executable)
    analyzer = shlex.quote(str(Path(sys.executable).with_name("analyzer")))
    return [
        Contender("reading the file (cat)", "cat {file} > /dev/null"),
        Contender(PACKET_STAGE, f"{python} {shlex.quote(str(HERE / 'packet_stage.py'))} {{file}}"),
        Contender(OURS, f"{analyzer} read --format jsonl {{file}} > /dev/null"),
        Contender(f"{OURS} --tcp-only", f"{analyzer} read --format jsonl --tcp-only {{file}} > /dev/null"),
        Contender(IN_TWO, f"{analyzer} read --format jsonl --jobs 2 {{file}} > /dev/null"),
        Contender("tcptrace -n", "tcptrace -n {file} > /dev/null", ("tcptrace",)),
        # -F /dev/null: not with the settings of a configuration file that happens to be there.
        Contender(
            "argus to ra",
            "argus -F /dev/null -r {file} -w - | ra -F /dev/null -n -r - > /dev/null",
            ("argus", "ra"),
        ),
        Contender("ndpiReader -q", "ndpiReader -q -i {file} > /dev/null", ("ndpiReader",)),
        Contender("tshark -q -z conv,tcp", "tshark -n -q -z conv,tcp -r {file} > /dev/null", ("tshark",), slow=True),
        Contender(TSHARK, f"tshark -n -r {{file}} -T fields {FIELDS} > /dev/null", ("tshark",), slow=True),
        Contender("capinfos -c", "capinfos -c {file} > /dev/null", ("capinfos",)),
        Contender(TCPDUMP, "tcpdump -r {file} -w /dev/null", ("tcpdump",)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = mixes()
    parser.add_argument("captures", nargs="*", default=[*known], help="web, bulk, small, or captures to multiply")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slow-rounds", type=int, default=2, help="rounds with tshark, the first ones")
    parser.add_argument("--packets", type=int, default=1_000_000, help="size of a file made of captures you name")
    parser.add_argument("--as-is", action="store_true", help="read the one capture named as it is, do not multiply it")
    parser.add_argument("--only", default="", help="only programs with one of these words, as in analyzer,argus")
    parser.add_argument("--write", type=Path, help="put the tables into this page, at its marks")
    options = parser.parse_args()

    if set(options.captures) <= set(known):
        for name in options.captures:
            measure(replicated(known[name], name), name, options)
        return
    paths = [Path(name) for name in options.captures]
    if options.as_is:
        measure(paths[0], "", options)
        return
    name = "+".join(path.resolve().parent.name if path.stem == "capture" else path.stem for path in paths)
    measure(replicated(Mix(tuple(paths), options.packets, 0), f"{name}-{options.packets}"), "", options)


def measure(file: Path, mark: str, options: argparse.Namespace) -> None:
    """Race over one file; print the table, and put it into a page."""
    everyone = contenders()
    wanted = [word for word in options.only.split(",") if word]
    taking_part = [c for c in everyone if not c.missing and (not wanted or any(word in c.name for word in wanted))]
    race(taking_part, file, options.rounds, options.slow_rounds)
    text = report(everyone, taking_part, file, options.rounds)
    print(text)
    if options.write and mark:
        put(text, options.write, mark)
    if failed := [c.name for c in taking_part if c.failed]:
        sys.exit(f"failed: {', '.join(failed)}")


def put(text: str, page: Path, mark: str) -> None:
    """Into a page, in place of what stands at the mark."""
    begin, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    if not found or end not in rest:
        sys.exit(f"{page} has no {begin.strip()} … {end}")
    page.write_text(f"{before}{begin}\n{text}\n\n{end}{rest.partition(end)[2]}", encoding="utf-8")


def replicated(mix: Mix, name: str) -> Path:
    """The multiplied file; made once, and anew when a capture or the program that multiplies is newer."""
    file = HERE / "out" / f"{name}.pcap"
    newest = max(path.stat().st_mtime for path in [*mix.captures, HERE / "replicate.py"])
    if not file.exists() or file.stat().st_mtime < newest:
        sizes = ["-n", str(mix.packets), "--connections", str(mix.connections)]
        command = [sys.executable, str(HERE / "replicate.py"), *sizes, "-o", str(file), *map(str, mix.captures)]
        subprocess.run(command, check=True, capture_output=True)
    return file


def race(taking_part: list[Contender], file: Path, rounds: int, slow_rounds: int) -> None:
    """Rounds alternate, so that whatever else the machine does falls on everyone. The first warms up, uncounted."""
    slow = range(1, slow_rounds + 1)
    for number in range(rounds + 1):
        for contender in taking_part:
            if contender.failed or (contender.slow and number not in slow):
                continue
            print(f"\rround {number} of {rounds}: {contender.name:<40}", end="", file=sys.stderr, flush=True)
            seconds, peak, error = timed(contender.command.format(file=shlex.quote(str(file))))
            if error:
                contender.failed = error
            elif number:
                contender.seconds.append(seconds)
                contender.peak_bytes = max(contender.peak_bytes, peak)
    print("\r" + " " * 70 + "\r", end="", file=sys.stderr)


def timed(command: str) -> tuple[float, int, str]:
    """Seconds, peak bytes of the largest process, and why it failed ("" if it did not)."""
    began = time.perf_counter()
    with subprocess.Popen(
        ["bash", "-o", "pipefail", "-c", command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=AS_INSTALLED,
    ) as process:
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        return seconds, 0, (errors.strip().splitlines() or [f"exit code {process.returncode}"])[-1]
    return seconds, usage.ru_maxrss * 1024, ""


def report(everyone: list[Contender], taking_part: list[Contender], file: Path, rounds: int) -> str:
    from tabulate import tabulate

    size = file.stat().st_size
    packets = count_packets(file)
    ours = next((statistics.median(c.seconds) for c in taking_part if c.name == OURS and c.seconds), None)
    rows = []
    for c in taking_part:
        if not c.seconds:
            continue
        median = statistics.median(c.seconds)
        rows.append(
            [
                c.name,
                f"{median:.2f}",
                f"{min(c.seconds):.2f} to {max(c.seconds):.2f}",
                f"{median / ours:.2f}" if ours else "",
                f"{packets / median / 1e6:.2f}",
                f"{size / median / 1e6:,.0f}",
                f"{c.peak_bytes / 1e6:,.0f}",
            ]
        )
    headers = ["program", "seconds, median", "spread", "to ours", "million packets/s", "MB/s", "peak MB"]
    table = tabulate(rows, headers, tablefmt="github", disable_numparse=True, colalign=("left", *["right"] * 6))
    fewer = max((len(c.seconds) for c in taking_part if c.slow), default=rounds)
    slow = "" if fewer == rounds else f", {fewer} of them with tshark"
    lines = [
        f"{packets:,} packets, {size / 1e6:,.0f} MB ({file.name}), {rounds} alternating rounds{slow},"
        f" {os.cpu_count()} cores, Python {platform.python_version()}, {build()}.",
        "*To ours*: times the seconds of `" + OURS + "` in the same run; above 1 is slower than it.",
        "",
        table,
    ]
    if compared := ratios(taking_part):
        headers = ["side by side", "median of the rounds"]
        lines += ["", tabulate(compared, headers, tablefmt="github", disable_numparse=True, colalign=("left", "right"))]
    for c in everyone:
        if c.missing:
            lines += ["", f"Missing: {c.name} (not installed: {', '.join(c.missing)})."]
        elif c.failed:
            lines += ["", f"Failed: {c.name} ({c.failed})."]
    if left_out := [c.name for c in everyone if c not in taking_part and not c.missing]:
        lines += ["", f"Left out by --only: {', '.join(left_out)}."]
    return "\n".join(lines)


def ratios(taking_part: list[Contender]) -> list[tuple[str, str]]:
    """What the project sets itself, each the median of the ratio within a round, over the rounds that both ran in."""
    seconds = {c.name: c.seconds for c in taking_part if c.seconds and not c.failed}

    def median(one: str, other: str) -> float | None:
        if one not in seconds or other not in seconds:
            return None
        return statistics.median(a / b for a, b in zip(seconds[one], seconds[other], strict=False))

    peers = [name for name in PEERS if name in seconds]
    fastest = min(peers, key=lambda name: statistics.median(seconds[name])) if peers else ""
    pairs = [
        (OURS, fastest, f"time ÷ {fastest}, the fastest of {', '.join(peers)}"),
        (OURS, TSHARK, f"time ÷ {TSHARK}"),
        (PACKET_STAGE, TCPDUMP, f"packet stage alone ÷ {TCPDUMP}"),
        (OURS, IN_TWO, "one process ÷ --jobs 2"),
    ]
    return [(what, f"{ratio:.3f}") for one, other, what in pairs if (ratio := median(one, other)) is not None]


def count_packets(file: Path) -> int:
    """Of a pcap file by its record headers; other files are counted by capinfos."""
    import struct

    with file.open("rb") as stream:
        magic = stream.read(24)[:4]
        if magic not in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"):
            out = subprocess.run(["capinfos", "-Mc", "-T", "-r", str(file)], capture_output=True, text=True, check=True)
            return int(out.stdout.split("\t")[1])
        packets = 0
        while header := stream.read(16):
            stream.seek(struct.unpack("<8xI4x", header)[0], os.SEEK_CUR)
            packets += 1
        return packets


def build() -> str:
    """What the program says of itself."""
    analyzer = Path(sys.executable).with_name("analyzer")
    if not analyzer.exists():
        return "analyzer not installed"
    return subprocess.run([analyzer, "--version"], capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    main()
