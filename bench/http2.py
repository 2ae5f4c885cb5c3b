"""Time and memory for many requests on one HTTP/2 connection, which shall grow no faster than their number.

    python bench/http2.py                       10,000 requests, and two, four and eight times as many

h2load asks nghttpd, twenty requests at a time, between two network namespaces, recorded by dumpcap (all of that as
root, as captures/README.md says); recordings are kept in bench/out and used again. Then `analyzer read --format jsonl`
reads each of them: the medians of some rounds that alternate.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import statistics
import sys
from pathlib import Path

from run import count_packets, timed

HERE = Path(__file__).resolve().parent
OUT = HERE / "out"
FACTORS = (1, 2, 4, 8)
FILE = b"a" * 1000


def recorded(requests: int) -> Path:
    """A recording of so many requests, made if there is none yet."""
    path = OUT / f"http2-{requests}.pcapng"
    if not path.exists():
        sys.path.insert(0, str(HERE.parent / "captures"))
        from http2_servers import h2load, nghttpd
        from recording import SERVER, Lab

        with Lab() as lab:
            nghttpd(lab.server, {"a.txt": FILE})
            with lab.client.capture("-B", "64") as packets:
                h2load(lab.client, f"-n{requests}", "-c1", "-m20", f"http://{SERVER}/a.txt")
            OUT.mkdir(exist_ok=True)
            shutil.move(packets.path, path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000, metavar="N", help="of the smallest recording")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    arguments = parser.parse_args()
    counts = [factor * arguments.requests for factor in FACTORS]
    files = {count: recorded(count) for count in counts}
    seconds: dict[int, list[float]] = {count: [] for count in counts}
    peaks = dict.fromkeys(counts, 0)
    for number in range(arguments.rounds + 1):  # the first warms up
        for count, file in files.items():
            command = f"{sys.executable} -m analyzer read -q --format jsonl {shlex.quote(str(file))}"
            took, peak, error = timed(f"PYTHONPATH={shlex.quote(str(HERE.parent))} exec {command}")
            if error:
                raise SystemExit(error)
            if number:
                seconds[count].append(took)
                peaks[count] = max(peaks[count], peak)
    print("| requests | packets | seconds | of the smallest | requests per second | peak memory |")
    print("|---:|---:|---:|---:|---:|---:|")
    least = statistics.median(seconds[counts[0]])
    for count, file in files.items():
        median = statistics.median(seconds[count])
        print(
            f"| {count:,} | {count_packets(file):,} | {median:.2f} | {median / least:.2f} | {count / median:,.0f} "
            f"| {peaks[count] / 1e6:.0f} MB |"
        )


if __name__ == "__main__":
    main()
