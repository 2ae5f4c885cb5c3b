"""A run of `analyzer slice`: which packets belong to the connections wanted, and the file with them.

The capture is read twice: once to find the connections and their secrets, which stand before the packets, and once to
copy packets. Between the two it is read once more if it has fragments, since only the last one of an IP packet tells
which connection all of them belong to.
"""

from __future__ import annotations

import array
import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from analyzer import pipeline
from analyzer.capture.frames import Frames
from analyzer.capture.writing import PcapngWriter, numbered_comments
from analyzer.commands.choosing import Chosen
from analyzer.commands.inputs import is_live, refuse_to_overwrite
from analyzer.commands.terminal import Output, Progress, open_output, say
from analyzer.errors import UsageError
from analyzer.reporter import words
from analyzer.reporter.inside import layers

_MOST_NAME: Final = 200  # bytes of the capture's name in a comment
_MOST_NESTED: Final = 65_536  # packets put together whose content waits to be put together in turn

_Numbers = npt.NDArray[np.int64]


class Slicing:
    """One run of the command. `secrets`: those of the connections go into the file."""

    def __init__(
        self,
        captures: tuple[str, ...],
        chosen: Chosen,
        output: str,
        *,
        keys: tuple[str, ...],
        secrets: bool,
        merge: bool,
        vlan_key: bool,
        capture_filter: str | None,
        redact: bool,
        quiet: bool,
    ):
        self._refuse(captures, chosen, output, merge=merge, redact=redact)
        self._source: str | tuple[str, ...] = captures if merge else captures[0]
        self._chosen, self._output, self._secrets, self._quiet = chosen, output, secrets, quiet
        self._options = pipeline.Options(
            keys=keys, collect_secrets=secrets, vlan_key=vlan_key, packet_filter=capture_filter
        )
        self._progress = Progress(wanted=not quiet)
        self._name = ""
        self._fragments = False
        self._key_log = b""

    @staticmethod
    def _refuse(captures: tuple[str, ...], chosen: Chosen, output: str, *, merge: bool, redact: bool) -> None:
        if redact:
            raise UsageError(
                "slice copies packets as they are, and what is in their bytes cannot be hidden: share what "
                "`analyzer read --redact` prints instead"
            )
        if chosen.all:
            raise UsageError("say which connections: --connection N, or --where EXPR")
        if merge and len(captures) < 2:
            raise UsageError("--merge makes one capture out of several: name two files or more")
        if not merge and len(captures) > 1:
            raise UsageError("slice reads one capture: add --merge if all of these are one")
        for path in captures:
            if os.path.isdir(path):
                raise UsageError(f"{path} is a folder: name a capture in it")
            if path == "-" or is_live(path):
                name = "standard input" if path == "-" else path
                raise UsageError(f"slice reads its capture twice, and {name} comes once: save it to a file first")
        if output == "-" and sys.stdout.isatty():
            raise UsageError("standard output is a terminal, and a capture is no text: -o FILE, or pipe it on")
        refuse_to_overwrite(output, list(captures))

    def run(self) -> None:
        ids = self._find()
        members = self._members(ids) if self._fragments else np.zeros(0, np.int64)
        with open_output(None if self._output == "-" else self._output) as file:
            packets = self._write(file, ids, members)
        if not self._quiet:
            count = words.plural(packets, "packet")
            message = f"{self._output}: {count} of {words.plural(len(ids), 'connection')}"
            if secrets := self._key_log.count(b"\n"):
                message += f", with {words.plural(secrets, 'secret')} of TLS"
            say(message)

    def _find(self) -> _Numbers:
        """The numbers of the connections wanted, in order."""
        ids = array.array("q")
        randoms: set[str] = set()
        analysis = pipeline.analyze(self._source, self._options)
        with contextlib.closing(analysis), self._progress.of(analysis, analysis.name):
            for connection, content in analysis.with_contents():
                if self._chosen(connection):
                    ids.append(connection.id)
                    if self._secrets and content is not None and content.layer is not None:
                        for layer in layers(content.layer):
                            if (opener := getattr(layer, "opener", None)) is not None:
                                randoms.update(one.hex() for one in opener.client_randoms)
        for warning in analysis.warnings:
            with self._progress.hidden():
                say(f"{analysis.name}: warning: {warning.message}")
        self._chosen.check(len(ids))
        self._key_log = analysis.key_log(randoms) if self._secrets else b""
        self._fragments = bool(analysis.totals.fragments)
        self._name = " + ".join(map(os.path.basename, analysis.name.split(" + ")))
        return np.sort(np.frombuffer(ids, np.int64))

    @contextlib.contextmanager
    def _again(self) -> Iterator[pipeline.Analysis]:
        """The capture once more. Who the connections are does not depend on what is inside them."""
        options = msgspec.structs.replace(self._options, tcp_only=True, keys=(), collect_secrets=False)
        analysis = pipeline.analyze(self._source, options)
        with contextlib.closing(analysis), self._progress.of(analysis, analysis.name):
            yield analysis

    def _members(self, ids: _Numbers) -> _Numbers:
        """The packets with fragments of these connections, all but the last one of each IP packet."""
        found = array.array("q")
        # Put together, but what is inside is a fragment again: the packets by the number of the last one.
        nested: dict[int, list[int]] = {}
        with self._again() as analysis:
            joined = analysis.joined()
            for _, numbers, connections in analysis.packets():
                if not joined:
                    continue
                mine = set(_of(ids, numbers, connections).tolist())
                followed = set(numbers[connections >= 0].tolist())
                for last, others in joined:
                    behind = nested.pop(last, [])
                    for number in others:
                        behind += (number, *nested.pop(number, ()))
                    if last in mine:
                        found.extend(behind)
                    elif last not in followed:
                        nested[last] = behind
                        if len(nested) > _MOST_NESTED:
                            del nested[next(iter(nested))]
                joined.clear()
        return np.unique(np.frombuffer(found, np.int64)) if found else np.zeros(0, np.int64)

    def _write(self, file: Output, ids: _Numbers, members: _Numbers) -> int:
        writer = PcapngWriter(file.bytes)
        if self._key_log:
            writer.secrets(self._key_log)
        after = f" of {self._name}".encode(errors="replace")[:_MOST_NAME].decode(errors="ignore").encode()
        places: dict[int, int] = {}  # of interfaces in the new file
        packets = 0
        with self._again() as analysis:
            for frames, *columns in analysis.packets():
                numbers = _of(ids, *columns)
                first, end = np.searchsorted(members, [frames.first_number, frames.first_number + frames.count])
                if first < end:
                    numbers = np.union1d(numbers, members[first:end])
                if not len(numbers):
                    continue
                rows = numbers - frames.first_number
                for number in np.unique(frames.interface[rows]).tolist():
                    if number not in places:
                        places[number] = len(places)
                        one = analysis.interfaces[number]
                        writer.interface(one.link_type, one.snaplen, one.name)
                for part, options in numbered_comments(numbers, b"packet ", after):
                    writer.frames(_only(frames, rows[part], places), options)
                packets += len(numbers)
            # What waited for an answer in vain did so until the whole capture ended, not the last packet copied.
            for place in places.values():
                writer.ended(place, max(0, analysis.ended_ns))
        return packets


def _of(ids: _Numbers, numbers: _Numbers, connections: _Numbers) -> _Numbers:
    """The numbers of the packets that belong to these connections, each once, in order."""
    place = np.minimum(np.searchsorted(ids, connections), len(ids) - 1)
    return np.unique(numbers[ids[place] == connections])


def _only(frames: Frames, rows: _Numbers, places: dict[int, int]) -> Frames:
    """Some frames of a chunk, with the numbers of their interfaces in another file."""
    interface = np.array([places[number] for number in frames.interface[rows].tolist()], np.int32)
    return Frames(
        data=frames.data,
        first_number=0,
        count=len(rows),
        offset=frames.offset[rows],
        captured=frames.captured[rows],
        original=frames.original[rows],
        time_ns=frames.time_ns[rows],
        link_type=frames.link_type[rows],
        interface=interface,
    )
