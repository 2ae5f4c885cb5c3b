"""Time and memory of `analyzer read` for every capture of a folder, each in a process of its own, and what went wrong.

    python bench/corpus.py CAPTURES... [--jobs 2] [--most-seconds 10] [--most-megabytes 500] [--slowest 5]

CAPTURES are files, or folders whose files are taken. A process may end with 0 (a report) or 3 (nothing that can be
read, said in one line). Wrong is everything else, a traceback, and more seconds or megabytes than allowed. Ends with 1
if anything is wrong. Seconds are those of the processor: what else runs on the machine does not count. This process
imports nothing large, since a child begins its life with its parent's memory counted.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PERMITTED = (0, 3)
# As users run it: compiled to bytecode once, and not at every start.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class Run(NamedTuple):
    path: Path
    seconds: float  # of the processor
    megabytes: float  # at most
    code: int  # negative: the signal that ended it
    errors: str

    def faults(self, most_seconds: float, most_megabytes: float) -> Iterator[str]:
        if "Traceback" in self.errors:
            yield "traceback: " + self.errors.strip().splitlines()[-1]
        if self.code not in PERMITTED:
            yield f"exit code {self.code}"
        if self.seconds > most_seconds:
            yield f"{self.seconds:.1f} s"
        if self.megabytes > most_megabytes:
            yield f"{self.megabytes:.0f} MB"


def measure(path: Path, most_seconds: float = 0, arguments: tuple[str, ...] = ("--format", "jsonl")) -> Run:
    """One run of `analyzer read`; with `most_seconds` it is ended once it has used twice as many."""

    def limit() -> None:
        if most_seconds:
            resource.setrlimit(resource.RLIMIT_CPU, (int(2 * most_seconds) + 1,) * 2)

    command = [sys.executable, "-m", "analyzer", "read", "-q", *arguments, str(path)]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=errors, preexec_fn=limit,
            env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        said = errors.read(1 << 20).decode(errors="replace")
    return Run(path, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode, said)


def captures(paths: list[Path]) -> list[Path]:
    found = []
    for path in paths:
        found += sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("captures", nargs="+", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--most-seconds", type=float, default=10)
    parser.add_argument("--most-megabytes", type=float, default=500)
    parser.add_argument("--slowest", type=int, default=5, help="how many of the slowest and the largest are named")
    options = parser.parse_args()
    files = captures(options.captures)
    with ThreadPoolExecutor(options.jobs) as pool:
        runs = list(pool.map(lambda path: measure(path, options.most_seconds), files))
    wrong = 0
    for run in runs:
        for fault in run.faults(options.most_seconds, options.most_megabytes):
            wrong += 1
            print(f"{run.path.name}: {fault}")
    unreadable = sum(run.code == 3 for run in runs)
    print(f"{len(runs)} captures, {unreadable} of them cannot be read, {wrong} wrong")
    print("seconds of the processor:", worst(runs, "seconds", options.slowest))
    print("peak megabytes:", worst(runs, "megabytes", options.slowest))
    sys.exit(wrong > 0)


def worst(runs: list[Run], what: str, count: int) -> str:
    ordered = sorted(runs, key=lambda run: getattr(run, what), reverse=True)[:count]
    return ", ".join(f"{getattr(run, what):.1f} ({run.path.name})" for run in ordered)


if __name__ == "__main__":
    main()
