"""Time and peak memory of `analyzer read` for captures made to exhaust it.

    python bench/hostile [CASE...] [--scale 0.1] [--most-seconds 600] [--write docs/performance.md] [--keep] [--list]

Every case is written once in full and once a quarter as large (times `--scale`), read, and removed. Growth is seconds
of the whole by seconds of the quarter, start-up taken off both: 4 is linear, and a quarter that takes no time tells
nothing. Seconds are those of the processor.
Ends with 1 if a run ends otherwise than with a report.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from cases import CASES  # noqa: E402
from corpus import Run, measure  # noqa: E402
from run import put  # noqa: E402

OUT = HERE.parent / "out"
LEAST_SECONDS = 0.2  # of a quarter, for its growth to be more than chance


def written(name: str, count: int) -> Path:
    case = CASES[name]
    OUT.mkdir(exist_ok=True)
    path = OUT / f"hostile-{name}-{count}.{case.suffix}"
    with path.open("wb") as out:
        case.write(out, count)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench/hostile", description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help="all if none is named")
    parser.add_argument("--scale", type=float, default=1, help="of the numbers of packets, frames and the like")
    parser.add_argument("--most-seconds", type=float, default=600, help="of the processor, for one run")
    parser.add_argument("--write", type=Path, help="put the table into this page, at its mark")
    parser.add_argument("--keep", action="store_true", help="leave the captures in bench/out")
    parser.add_argument("--list", action="store_true", help="say what there is, run nothing")
    options = parser.parse_args()
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    if options.list:
        print("\n".join(f"{name}: {case.count:,} {case.what}" for name, case in CASES.items()))
        return
    failed = False
    empty = read("interfaces", 1, options)
    table = ["| case | what | seconds | growth for four times as many | peak MB |", "|---|---|--:|--:|--:|"]
    print(*table, sep="\n", flush=True)
    for name in options.cases or CASES:
        count = max(4, int(CASES[name].count * options.scale))
        quarter, whole = (read(name, size, options) for size in (count // 4, count))
        own = quarter.seconds - empty.seconds
        growth = f"{(whole.seconds - empty.seconds) / own:.1f}" if own >= LEAST_SECONDS else "–"
        told = f"{count:,} {CASES[name].what}"
        table.append(f"| `{name}` | {told} | {whole.seconds:.1f} | {growth} | {whole.megabytes:.0f} |")
        print(table[-1], flush=True)
        for run in (quarter, whole):
            if run.code or "Traceback" in run.errors:
                failed = True
                print(f"{name}: exit code {run.code}: {run.errors.strip()[-1000:]}", file=sys.stderr)
    if options.write:
        put("\n".join(table), options.write, "hostile")
    sys.exit(failed)


def read(name: str, count: int, options: argparse.Namespace) -> Run:
    path = written(name, count)
    run = measure(path, options.most_seconds / 2)
    if not options.keep:
        path.unlink(missing_ok=True)
    return run


if __name__ == "__main__":
    main()
