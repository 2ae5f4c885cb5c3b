"""Fuzzing for a set time: python -m tests.fuzz [TARGET…] --seconds 60 [--corpus DIRECTORY]

With atheris (Linux) inputs are chosen by what they reach, which it sees of interpreted modules only (`make fuzz` runs
a copy without compiled ones); elsewhere they are changed at random. Ends with 1 after a failure, whose input is left
in the corpus as crash-….
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tests.fuzz


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"all, or some of {', '.join(tests.fuzz.TARGETS)}")
    parser.add_argument("--seconds", type=int, default=60, help="for all of them together")
    parser.add_argument("--corpus", type=Path, help="folder for inputs worth keeping; a temporary one if not given")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    chosen = options.targets or [*tests.fuzz.TARGETS]
    if unknown := set(chosen) - set(tests.fuzz.TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    corpus = options.corpus or Path(tempfile.mkdtemp(prefix="fuzz-"))
    if options.one:
        run(chosen[0], options.seconds, corpus)
        return
    failed = []
    for name in chosen:  # a fuzzer ends its process
        seconds = max(1, options.seconds // len(chosen))
        print(f"{name}: {seconds} s", file=sys.stderr, flush=True)
        words = ["--one", "--seconds", str(seconds), "--corpus", str(corpus)]
        if subprocess.run([sys.executable, "-m", "tests.fuzz", name, *words], check=False).returncode:
            failed.append(name)
    print(f"failed: {', '.join(failed)}; inputs in {corpus}" if failed else f"{len(chosen)} targets, no failure")
    sys.exit(bool(failed))


def run(name: str, seconds: int, corpus: Path) -> None:
    folder = corpus / name
    folder.mkdir(parents=True, exist_ok=True)
    try:
        import atheris
    except ImportError:
        at_random(name, seconds, folder)
        return
    with atheris.instrument_imports(include=["analyzer"]):  # what is imported elsewhere is not looked at
        from tests.fuzz import targets
    for number, seed in enumerate(targets.SEEDS[name]()):
        (folder / f"seed-{number}").write_bytes(seed)
    arguments = ["fuzz", f"-max_total_time={seconds}", f"-max_len={targets.MOST_INPUT}", "-timeout=20",
                 "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=0", f"-artifact_prefix={folder}/crash-",
                 str(folder)]  # fmt: skip
    atheris.Setup(arguments, targets.TARGETS[name])
    atheris.Fuzz()


def at_random(name: str, seconds: int, folder: Path) -> None:
    from tests.fuzz import mutation, targets

    end, number = time.monotonic() + seconds, time.time_ns()
    while time.monotonic() < end:
        number += 1
        for data in mutation.mutated(targets.SEEDS[name](), 100, number, targets.MOST_INPUT):
            try:
                targets.TARGETS[name](data)
            except BaseException:
                (folder / f"crash-{number}").write_bytes(data)
                raise


if __name__ == "__main__":
    main()
