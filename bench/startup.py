"""How long a small capture takes: what is paid at every start, beside the start of the libraries alone.

    python bench/startup.py [--rounds 20] [CAPTURE]

Alternates `analyzer read CAPTURE` and `python -c 'import click, numpy, msgspec, tabulate'`; prints medians and the
median of the ratio within a round. CAPTURE: by default a recorded connection of ten packets or so.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from run import AS_INSTALLED

HERE = Path(__file__).resolve().parent
CAPTURE = HERE.parent / "captures/tcp/four-way-client/capture.pcapng"
LIBRARIES = "import click, numpy, msgspec, tabulate"


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=AS_INSTALLED, check=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("capture", nargs="?", default=str(CAPTURE))
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    commands = {
        LIBRARIES: [sys.executable, "-c", LIBRARIES],
        "analyzer read": [sys.executable, "-m", "analyzer", "read", options.capture],
        "analyzer read --format jsonl": [
            sys.executable,
            "-m",
            "analyzer",
            "read",
            "--format",
            "jsonl",
            options.capture,
        ],
    }
    found: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(options.rounds + 1):  # the first fills caches, uncounted
        for name, command in commands.items():
            taken = seconds(command)
            if number:
                found[name].append(taken)
    for name, times in found.items():
        ratio = statistics.median(a / b for a, b in zip(times, found[LIBRARIES], strict=True))
        print(f"{statistics.median(times) * 1000:6.0f} ms  {ratio:.2f}  {name}")


if __name__ == "__main__":
    main()
