"""The command line with a pipeline made of thin air, for tests that need a process of its own:
`python -m tests.fake_program read many`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import analyzer
from analyzer import model
from analyzer.cli import main
from tests.reporter.builders import Analysis, connection, fake_pipeline


class Lines(Analysis):
    """A connection per line of standard input, as it comes in."""

    def __init__(self) -> None:
        super().__init__([], size=None)

    def __iter__(self) -> Iterator[model.Connection]:
        for number, line in enumerate(sys.stdin.buffer):
            yield connection(id=number, client=(line.decode().strip(), 50000 + number))


class Slow(Analysis):
    """A large file that takes two seconds."""

    def __init__(self) -> None:
        super().__init__([], size=10_000_000)

    def __iter__(self) -> Iterator[model.Connection]:
        for number in range(20):
            time.sleep(0.1)
            self.position += 500_000
            yield connection(id=number)


class Endless(Analysis):
    """A file whose connections never end."""

    def __iter__(self) -> Iterator[model.Connection]:
        yield connection()
        print("reading", file=sys.stderr, flush=True)
        # A signal that comes just before a long sleep would be noticed only after it.
        for _ in range(600):
            time.sleep(0.1)


if __name__ == "__main__":
    module = fake_pipeline(
        {
            "many": Analysis([connection(id=number) for number in range(20_000)]),
            "one": Analysis([connection()]),
            "-": Lines(),
            "slow": Slow(),
            "endless": Endless([]),
        }
    )
    sys.modules["analyzer.pipeline"] = analyzer.pipeline = module
    main()
