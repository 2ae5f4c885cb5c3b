"""How fast packets may come before some are lost: `analyzer live` beside dumpcap and tshark, on the same cable.

    sudo python bench/live.py                                 rising rates, every program at each
    sudo python bench/live.py --soak 600 --rates 50000        one rate for ten minutes: does memory stay flat?

A capture is multiplied (`replicate.py`) and sent by tcpreplay from one network namespace to another, over a veth pair,
which loses nothing by itself. A program has passed a rate if it counted every packet that tcpreplay sent. All share the
processors of this machine with tcpreplay: compare the programs at one rate of one run, not with other machines.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "captures"))

from recording import Host, Lab  # noqa: E402

CAPTURE = ROOT / "captures/http1/keep-alive/capture.pcapng"
RATES = [10_000, 25_000, 50_000, 100_000, 200_000, 400_000]
SETTLE_SECONDS = 1.0


@dataclass
class Result:
    """Packets."""

    captured: int
    dropped: int | None


@dataclass
class Program:
    name: str
    words: tuple[str, ...]
    ready: str  # on standard error
    result: Callable[[str, str], Result]  # of standard output and error


def of_live(out: str, err: str) -> Result:
    summary = json.loads(out.splitlines()[-1])
    return Result(summary["packets"], (summary["dropped_by_kernel"] or 0) + summary["dropped_by_us"])


def of_wireshark(out: str, err: str) -> Result:
    captured = re.search(r"(?:Packets captured: (\d+)|^(\d+) packets? captured)", err, re.MULTILINE)
    dropped = re.findall(
        r"(?:Packets received/dropped on interface '.*?': \d+/(\d+)|^(\d+) packets? dropped)", err, re.M
    )
    if captured is None:
        raise SystemExit(f"it did not say how many packets it captured:\n{err}")
    return Result(int(captured[1] or captured[2]), sum(int(one or other) for one, other in dropped))


LIVE = (sys.executable, "-m", "analyzer", "live", "-i", "eth0", "--format", "jsonl")
PROGRAMS = [
    Program("analyzer live", LIVE, "capturing on", of_live),
    Program("analyzer live --no-events", (*LIVE, "--no-events"), "capturing on", of_live),
    Program("analyzer live --tcp-only", (*LIVE, "--no-events", "--tcp-only"), "capturing on", of_live),
    Program("dumpcap -w /dev/null", ("dumpcap", "-q", "-i", "eth0", "-w", "/dev/null"), "File:", of_wireshark),
    Program("tshark", ("tshark", "-l", "-i", "eth0", "-T", "fields", "-e", "tcp.stream"), "Capturing on", of_wireshark),
]


class Run:
    """A program that captures. What it prints goes to a file: nobody makes it wait."""

    def __init__(self, program: Program, host: Host):
        self.program = program
        self.out, self.err = tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = host.start(*program.words, stdout=self.out, stderr=self.err, cwd=ROOT)
        for _ in range(600):
            self.err.seek(0)
            if program.ready in self.err.read():
                break
            if self.process.poll() is not None:
                raise SystemExit(f"{program.name} did not start")
            time.sleep(0.05)
        time.sleep(0.5)

    def end(self) -> Result:
        time.sleep(SETTLE_SECONDS)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(600)
        self.out.seek(0)
        self.err.seek(0)
        return self.program.result(self.out.read(), self.err.read())

    @property
    def memory_kb(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])  # type: ignore[index]


def send(host: Host, capture: Path, rate: int, *words: str) -> tuple[int, float]:
    """Packets sent, and how many a second they really were."""
    done = host.run("tcpreplay", "-i", "eth0", "--pps", str(rate), "--preload-pcap", *words, str(capture))
    said = done.stdout + done.stderr
    sent = re.search(r"Successful packets:\s+(\d+)", said)
    real = re.search(r"([\d.]+) pps", said)
    if sent is None or real is None:
        raise SystemExit(f"tcpreplay did not say what it sent:\n{said}")
    return int(sent[1]), float(real[1])


def multiplied(folder: Path, packets: int) -> Path:
    path = folder / "replayed.pcap"
    subprocess.run(
        [sys.executable, ROOT / "bench/replicate.py", "-n", str(packets), "-o", path, CAPTURE], check=True, cwd=ROOT
    )
    return path


def rates(lab: Lab, capture: Path, wanted: list[int], programs: list[Program]) -> None:
    best = dict.fromkeys((program.name for program in programs), 0)
    print(f"\n{'packets/s wanted':>16} {'sent':>9}  {'program':<28} {'captured':>10} {'dropped':>9}")
    for rate in wanted:
        for program in programs:
            run = Run(program, lab.server)
            sent, real = send(lab.client, capture, rate)
            result = run.end()
            said = "" if result.dropped is None else f"{result.dropped:,}"
            print(f"{rate:>16,} {real:>9,.0f}  {program.name:<28} {result.captured:>10,} {said:>9}", flush=True)
            if result.captured == sent and not result.dropped:
                best[program.name] = max(best[program.name], round(real))
    print("\nhighest rate at which every packet was counted, in packets/s:")
    for name, rate in best.items():
        print(f"  {name:<28} {f'{rate:,}' if rate else 'none of these'}")


def soak(lab: Lab, capture: Path, rate: int, seconds: float, program: Program) -> None:
    """Memory every few seconds. With every round addresses are new ones, and so are connections."""
    run = Run(program, lab.server)
    sender = lab.client.start(
        "tcpreplay", "-i", "eth0", "--pps", str(rate), "--loop", "0", "--unique-ip", "--preload-pcap", str(capture)
    )
    began = time.monotonic()
    samples: list[tuple[float, int]] = []
    while (past := time.monotonic() - began) < seconds:
        samples.append((past, run.memory_kb))
        print(f"  {past:6.0f} s  {samples[-1][1] / 1000:8.1f} MB", flush=True)
        time.sleep(min(max(1.0, seconds / 20), max(0.0, seconds - past)))
    sender.terminate()
    sender.wait()
    result = run.end()
    half = [memory for past, memory in samples if past >= seconds / 2] or [0]
    print(f"{program.name}: {result.captured:,} packets, {result.dropped:,} dropped; memory in the second half "
          f"{min(half) / 1000:.1f} to {max(half) / 1000:.1f} MB")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rates", type=int, nargs="+", default=RATES, metavar="PACKETS_PER_SECOND")
    parser.add_argument("--packets", type=int, default=300_000, help="per measurement (default 300000)")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="only programs whose names have one of these words")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="so long at the first of --rates")
    options = parser.parse_args()
    programs = [one for one in PROGRAMS if not options.only or any(word in one.name for word in options.only)]
    with tempfile.TemporaryDirectory() as folder, Lab() as lab:
        capture = multiplied(Path(folder), options.packets)
        if options.soak:
            soak(lab, capture, options.rates[0], options.soak, programs[0])
        else:
            rates(lab, capture, options.rates, programs)


if __name__ == "__main__":
    main()
