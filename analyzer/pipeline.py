"""Source, packet stage, labels: the only place where the stages meet."""

from __future__ import annotations

import dataclasses
import functools
import os
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import msgspec

from analyzer.capture.frames import CHUNK_BYTES, Frames
from analyzer.capture.selection import Selection
from analyzer.capture.source import TLS_KEY_LOG, Capture, Damage, open_capture
from analyzer.capture.window import Readable
from analyzer.dissector import layout
from analyzer.dissector.tracker import LINGER_NS, MOST_CONNECTIONS, Finished, Tracker
from analyzer.flows import Library, load_library
from analyzer.reporter.labels import Inside, Labeler
from analyzer.reporter.templates import Lines

if TYPE_CHECKING:
    from analyzer import model
    from analyzer.dissector.recognition import Recognizer
    from analyzer.dissector.samples import Samples
    from analyzer.dissector.tls.secrets import Secrets


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """How a capture is to be analysed. Times are nanoseconds."""

    vlan_key: bool = False  # VLAN ids tell connections apart
    packet_filter: str | None = None  # pcap syntax
    time_from: int | None = None  # since 1970 UTC, or since the first packet
    time_to: int | None = None
    time_relative: bool = False
    linger_ns: int = LINGER_NS  # how long a closed connection is kept for late segments, in capture time
    flows: tuple[str, ...] = ()  # folders with further flow pages
    max_connections: int = MOST_CONNECTIONS
    tcp_only: bool = False  # do not look into connections
    keys: tuple[str, ...] = ()  # files with TLS secrets: key logs, RSA keys in PEM
    collect_secrets: bool = False  # remember which of them opened something, for `Analysis.key_log`
    authorities: str | None = None  # a PEM file or folder of trusted certificates; None: Mozilla's list
    headers: bool = False  # list the header fields of HTTP
    secrets: bool = False  # and show the values of those that hold secrets
    samples: bool = False  # keep segments of each connection to draw, `Analysis.samples`
    chunk_bytes: int = CHUNK_BYTES


class Totals(msgspec.Struct):
    """What one capture held, in packets unless said otherwise. Counts grow while the capture is read."""

    packets: int = 0
    tcp: int = 0
    udp: int = 0  # without QUIC
    quic: int = 0  # datagrams that begin with a QUIC long header
    icmp: int = 0
    other: int = 0
    fragments: int = 0  # of IP packets; not reassembled
    damaged: int = 0  # a header cut off, or one that contradicts itself
    filtered_out: int = 0
    late: int = 0  # segments that came after their connection had been reported; not counted in it
    connections: int = 0  # finished so far
    dropped_by_interface: int = 0  # as the capture's own statistics say


class Analysis:
    """One capture, being analysed: iterate over it to get the connections as they finish.

    A context manager; `close` is also called at the end of the iteration.
    """

    def __init__(self, capture: Capture, name: str, options: Options, library: Library):
        self.name = name
        self.totals = Totals()
        self._capture = capture
        self._options = options
        self._secrets = self._load_secrets(options, live=capture.size is None)
        self._secrets_read = 0  # blocks of the capture
        self.frame_logs: dict[
            int, array[int]
        ] = {}  # with `samples`: `Multiplexing.log` of the latest connection, by its id
        self.samples = self._new_samples() if options.samples else None
        self._tracker = Tracker(
            library.automaton("tcp-open"),
            library.automaton("tcp-close"),
            linger_ns=options.linger_ns,
            most_connections=options.max_connections,
            vlan_key=options.vlan_key,
            recognizer=self._recognizer(),
            samples=self.samples,
        )
        self._labeler = Labeler(name, library, self._inside(library))
        self._fed = time.monotonic_ns()  # when packets last came
        self._selection = Selection(
            options.packet_filter, options.time_from, options.time_to, relative=options.time_relative
        )

    # What looks into connections is imported here: a program that looks at TCP alone starts faster without.

    @staticmethod
    def _new_samples() -> Samples:
        from analyzer.dissector.samples import Samples

        return Samples()

    @staticmethod
    def _load_secrets(options: Options, *, live: bool) -> Secrets | None:
        """`live`: packets are still on their way, and key logs may grow meanwhile."""
        if options.tcp_only:
            return None
        from analyzer.dissector.tls.secrets import Secrets

        secrets = Secrets()
        if options.collect_secrets:
            secrets.used = {}
        for path in options.keys:
            secrets.load(path, follow=live)
        return secrets

    def _recognizer(self) -> Recognizer | None:
        if self._options.tcp_only:
            return None
        from analyzer.dissector.recognition import Recognizer

        return Recognizer(keep_fields=self._options.headers, secrets=self._secrets)

    def _inside(self, library: Library) -> Inside | None:
        """Who labels what runs inside the connections, if that is wanted."""
        if self._tracker.applications is None:
            return None
        from analyzer.dissector.tls.roots import Roots
        from analyzer.reporter.inside import InsideLabeler

        options = self._options
        roots = Roots(options.authorities)
        if options.authorities is not None:
            roots.load()
        inside = InsideLabeler(
            library, self._tracker.applications, roots, headers=options.headers, secrets=options.secrets
        )
        if options.samples:
            inside.frame_logs = self.frame_logs
        return inside

    @property
    def warnings(self) -> list[Damage]:
        """What was wrong with the capture so far."""
        return self._capture.warnings

    def key_log(self) -> bytes:
        """With `collect_secrets`: the secrets that decrypted something so far, as lines of a key log."""
        used = self._secrets.used if self._secrets is not None else None
        return "".join(f"{line}\n" for line in used or ()).encode()

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._capture.position

    @property
    def size(self) -> int | None:
        """Bytes in all; None where that is not known."""
        return self._capture.size

    def __iter__(self) -> Iterator[model.Connection]:
        for finished in self._batches():
            yield from self._labeler.connections(finished, self._tracker.clock_ns)

    def lines(self) -> Iterator[bytes]:
        """Instead of iterating: the connections as JSON Lines, some at a time. Much faster than struct by struct."""
        writer = Lines(self._labeler)
        for finished in self._batches():
            yield from writer.write(finished, self._tracker.clock_ns)

    def _batches(self) -> Iterator[Finished]:
        """What has finished, after each chunk and at the end."""
        try:
            for frames in self._capture:
                self._feed(frames)
                yield self._take()
            self._tracker.finish()
            yield self._take(by_id=True)
            self._count()
        finally:
            self.close()

    def _feed(self, frames: Frames) -> None:
        self._take_secrets()
        if frames.count:
            self._tracker.feed(self._selection.apply(frames))
            self._fed = time.monotonic_ns()
            self._count()
        else:  # a pipe is quiet: what has ended meanwhile is reported
            self._tracker.advance(time.monotonic_ns() - self._fed)

    def _take_secrets(self) -> None:
        """Secrets that the capture itself holds; they stand before the packets that they are for."""
        for block in self._capture.secrets[self._secrets_read :]:
            self._secrets_read += 1
            if block.kind == TLS_KEY_LOG and self._secrets is not None:
                self._secrets.add_keylog(block.data, source="pcapng", name="the secrets in the capture")

    def _take(self, by_id: bool = False) -> Finished:
        finished = self._tracker.take_finished(by_id)
        self.totals.connections += len(finished.rows)
        if self.samples is not None:
            self.samples.orient(finished.rows)
        return finished

    def _count(self) -> None:
        counts = self._tracker.counts.tolist()
        totals = self.totals
        totals.packets = sum(counts)
        totals.tcp = counts[layout.KIND_TCP]
        totals.udp = counts[layout.KIND_UDP]
        totals.quic = counts[layout.KIND_QUIC]
        totals.icmp = counts[layout.KIND_ICMP] + counts[layout.KIND_ICMP_ERROR]
        totals.other = counts[layout.KIND_OTHER]
        totals.fragments = counts[layout.KIND_FRAGMENT]
        totals.damaged = counts[layout.KIND_DAMAGED]
        totals.filtered_out = counts[layout.KIND_EXCLUDED]
        totals.late = self._tracker.late
        totals.dropped_by_interface = sum(interface.dropped or 0 for interface in self._capture.interfaces)

    def close(self) -> None:
        """Close the capture."""
        self._capture.close()

    def __enter__(self) -> Analysis:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


Source = str | os.PathLike[str] | Readable


def analyze(source: Source | list[Source] | tuple[Source, ...], options: Options | None = None) -> Analysis:
    """Open a capture (a path, "-" or a binary file object) for analysis, or several as one, in the order of time.

    Raises InputError where there is no capture, FlowPageError for a page in `options.flows` that cannot be used,
    UsageError for a wrong capture filter.
    """
    options = options or Options()
    library = library_of(options.flows)
    capture, name = _open(source, options.chunk_bytes)
    try:
        return Analysis(capture, name, options, library)
    except BaseException:
        capture.close()
        raise


def _open(source: Source | list[Source] | tuple[Source, ...], chunk_bytes: int) -> tuple[Capture, str]:
    """The capture, and what the report calls it: a path as it was given."""
    if isinstance(source, str | os.PathLike):
        return open_capture(source, chunk_bytes=chunk_bytes), str(source)
    capture: Capture
    if isinstance(source, list | tuple):
        from analyzer.capture.merging import MergedCapture

        capture = MergedCapture(source, chunk_bytes)
    else:
        capture = open_capture(source, chunk_bytes=chunk_bytes)
    return capture, capture.name


@functools.lru_cache(maxsize=4)
def library_of(folders: tuple[str, ...] = ()) -> Library:
    """The pages that come with the program and those in `folders`, and their automata as far as traffic has built them.
    Raises FlowPageError and UsageError for pages that cannot be used."""
    return load_library([Path(folder) for folder in folders])
