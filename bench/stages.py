"""Where the time goes: one capture, one process, stage by stage.

    python bench/stages.py [--rounds 3] CAPTURE

Runs what `analyzer read --format jsonl CAPTURE > /dev/null` runs and reads a clock where the stages meet: some times
per chunk, and twice per connection that is not written with a template. Medians of the rounds are printed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

STAGES = {
    "read": "reading the file, records to frames",
    "headers": "packet stage: headers, tunnels, fragments",
    "connections": "packet stage: connection lookup, TCP",
    "inside": "byte streams and dissection",
    "finished": "taking finished rows",
    "verdicts": "verdicts of connections without a template",
    "lines": "writing lines, templates filled",
}


class Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    def timed(self, stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(*given, **named)
            finally:
                self.seconds[stage] += time.perf_counter() - began

        return timed


class Part:
    """Stands for a part of the pipeline; of its methods some are timed."""

    def __init__(self, part: Any, clock: Clock, **stages: str):
        self._part = part
        for method, stage in stages.items():
            setattr(self, method, clock.timed(stage, getattr(part, method)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)


class Frames:
    """A capture whose reading is timed."""

    def __init__(self, capture: Any, clock: Clock):
        self._capture = capture
        self._next = clock.timed("read", capture.__next__)

    def __iter__(self) -> Iterator[Any]:
        while True:
            try:
                yield self._next()
            except StopIteration:
                return

    def __getattr__(self, name: str) -> Any:
        return getattr(self._capture, name)


def measure(path: str) -> tuple[Counter[str], float, int]:
    """Seconds by stage, in all, and packets."""
    from analyzer import pipeline
    from analyzer.reporter.templates import Lines

    clock = Clock()
    began = time.perf_counter()
    analysis = pipeline.analyze(path)
    tracker = analysis._tracker
    analysis._capture = Frames(analysis._capture, clock)
    tracker.reader = Part(tracker.reader, clock, read="headers")
    tracker._connections = Part(tracker._connections, clock, track="connections", take_finished="finished")
    tracker.applications = Part(tracker.applications, clock, feed="inside")
    writer = Lines(analysis._labeler)
    writer._connection = clock.timed("verdicts", writer._connection)
    write = clock.timed("lines", lambda finished: list(writer.write(finished, tracker.clock_ns)))
    for finished in analysis._batches():
        write(finished)
    clock.seconds["lines"] -= clock.seconds["verdicts"]
    return clock.seconds, time.perf_counter() - began, analysis.totals.packets


def main() -> None:
    from tabulate import tabulate

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("capture")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    measure(options.capture)  # the page cache, and automata that traffic builds
    rounds = [measure(options.capture) for _ in range(options.rounds)]
    total, packets = statistics.median(whole for _, whole, _ in rounds), rounds[0][2]
    rows = []
    for stage, name in STAGES.items():
        seconds = statistics.median(found[stage] for found, _, _ in rounds)
        rows.append([name, f"{seconds:.3f}", f"{seconds / total:.0%}", f"{seconds / packets * 1e9:,.0f}"])
    rest = max(0.0, total - sum(statistics.median(found[stage] for found, _, _ in rounds) for stage in STAGES))
    rows.append(["the rest: opening, handing on, counting", f"{rest:.3f}", f"{rest / total:.0%}", ""])
    rows.append(["together", f"{total:.3f}", "100%", f"{total / packets * 1e9:,.0f}"])
    headers = ["stage", "seconds", "share", "ns per packet"]
    print(tabulate(rows, headers, tablefmt="github", disable_numparse=True, colalign=("left", *["right"] * 3)))


if __name__ == "__main__":
    main()
