"""Writes what the commands in README.md and docs/*.md really print into these files:

    python tests/refresh_docs.py            rewrite what differs
    python tests/refresh_docs.py --check    only say where it differs

The rules are in docs/README.md. `test_docs.py` uses the same code to check them.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COLUMNS = "100"
# A documented command is run as it stands, so only programs that change nothing outside their folder may be named.
PROGRAMS = {"analyzer", "cat", "echo", "editcap", "gzip", "head", "jq", "mkdir"}
ELIDED = "…"
_FENCE = re.compile(r"(`{3,})(\w*)\s*$")


@dataclasses.dataclass
class Block:
    """A fenced block: `lines` stand at `first` (an index from 0) in the file."""

    path: Path
    language: str
    first: int
    lines: list[str]

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.first + 1}"


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a Markdown file; a block inside a longer fence belongs to the outer one."""
    found: list[Block] = []
    lines = path.read_text(encoding="utf-8").splitlines()
    fence = ""
    for at, line in enumerate(lines):
        if fence:
            if line.rstrip() == fence:
                fence = ""
            else:
                found[-1].lines.append(line)
        elif match := _FENCE.match(line):
            fence = match[1]
            found.append(Block(path, match[2], at + 1, []))
    return found


@dataclasses.dataclass
class Command:
    """A line of a transcript after `$ `, and what it is said to print."""

    text: str
    printed: list[str]


def commands(block: Block) -> list[Command]:
    found: list[Command] = []
    for line in block.lines:
        if line.startswith("$ "):
            found.append(Command(line[2:], []))
        elif found:
            found[-1].printed.append(line)
        else:
            raise AssertionError(f"{block}: a transcript begins with a command: {line!r}")
    return found


def programs(command: str) -> list[str]:
    """The program at the beginning of each part of a pipe or list; quoted text is left out."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", command)
    return [words[0] for part in re.split(r"[|;&]+", bare) if (words := part.split())]


class Folder:
    """A scratch folder that looks like the repository to a reader who tries the commands: `captures/`, the program on
    the path, and the flow page that docs/flows.md shows under the name it has there."""

    def __init__(self, path: Path):
        self.path = path
        for name in ("captures", "docs"):
            (path / name).symlink_to(ROOT / name)
        for block in blocks(ROOT / "docs" / "flows.md"):
            if block.language == "markdown":
                (name,) = [line.removeprefix("id: ") for line in block.lines if line.startswith("id: ")]
                page = path / "my-flows" / f"{name}.md"
                page.parent.mkdir(parents=True)
                page.write_text("\n".join(block.lines) + "\n", encoding="utf-8")
        program = path / ".bin" / "analyzer"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m analyzer "$@"\n')
        program.chmod(0o755)
        self._environment = {
            **{name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")},
            "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT)))),
            "COLUMNS": COLUMNS,
            "LC_ALL": "C.UTF-8",
        }
        self._code = 0

    def _run(self, *command: str) -> list[str]:
        done = subprocess.run(
            command,
            cwd=self.path,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
        )
        self._code = done.returncode
        printed = [line.rstrip() for line in done.stdout.decode().splitlines()]
        if any(line.startswith("Traceback (most recent call last)") for line in printed):
            raise RuntimeError("\n".join((f"{command[-1]}:", *printed)))  # never to be documented
        return printed

    def shell(self, command: str) -> list[str]:
        """What a command prints, lines of both streams; `$?` is that of the command before."""
        return self._run("bash", "-c", f"(exit {self._code}); {command}")

    def python(self, code: str) -> list[str]:
        return self._run(sys.executable, "-c", code)


def fits(printed: list[str], real: list[str]) -> bool:
    """Whether a documented output is the real one. A line `…` stands for any lines, `…` at the end of a line for the
    rest of it; empty lines at the end do not matter."""
    return bool(re.fullmatch(_pattern(tuple(printed)), "".join(f"{line}\n" for line in _stripped(real))))


@functools.cache
def _pattern(printed: tuple[str, ...]) -> str:
    parts = []
    for line in _stripped(list(printed)):
        if line.strip() == ELIDED:
            parts.append(r"(?:.*\n)*?")
        elif line.endswith(ELIDED):
            parts.append(re.escape(line.removesuffix(ELIDED)) + ".*\n")
        else:
            parts.append(re.escape(line) + "\n")
    return "".join(parts)


def _stripped(lines: list[str]) -> list[str]:
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    return lines[:end]


def renewed(printed: list[str], real: list[str]) -> list[str]:
    """The documented output, brought up to date: unchanged if it fits; else as many lines before and after one `…`."""
    if fits(printed, real):
        return printed
    gap = printed[len(_stripped(printed)) :]
    real, shown = _stripped(real), _stripped(printed)
    elisions = [at for at, line in enumerate(shown) if line.strip() == ELIDED]
    if not elisions:
        return real + gap
    before, after = elisions[0], len(shown) - elisions[-1] - 1
    if before + after >= len(real):
        return real + gap
    return [*real[:before], ELIDED, *real[len(real) - after :], *gap]


def update(path: Path) -> tuple[list[str], list[str]]:
    """The lines of a file as they are, and as they should be."""
    old = path.read_text(encoding="utf-8").splitlines()
    new: list[str] = []
    done = 0
    for block, lines in renewals(path):
        new += old[done : block.first] + lines
        done = block.first + len(block.lines)
    return old, new + old[done:]


def renewals(path: Path) -> Iterator[tuple[Block, list[str]]]:
    """Each block that shows an output, and what should stand in it. Output with a fence in it needs a longer one."""
    before: Block | None = None
    for block in blocks(path):
        with tempfile.TemporaryDirectory() as scratch:
            if block.language == "console":
                folder, lines = Folder(Path(scratch)), []
                for command in commands(block):
                    lines += [f"$ {command.text}", *renewed(command.printed, folder.shell(command.text))]
                yield block, lines
            elif before and follows(before, block):
                yield block, renewed(block.lines, Folder(Path(scratch)).python("\n".join(before.lines)))
        before = block


def follows(code: Block, text: Block) -> bool:
    """Whether `text` shows what the Python in `code` prints: it stands right below."""
    ends = code.first + len(code.lines) + 1
    return code.language == "python" and text.language == "text" and text.first - ends == 2


def main() -> int:
    check = "--check" in sys.argv[1:]
    differing = 0
    for path in FILES:
        old, new = update(path)
        if old != new:
            differing += 1
            print(f"{path.relative_to(ROOT)}: {'differs' if check else 'renewed'}")
            if not check:
                path.write_text("\n".join(new) + "\n", encoding="utf-8")
    return 1 if check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
