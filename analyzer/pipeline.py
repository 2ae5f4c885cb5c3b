"""Source, packet stage, labels: the only place where the stages meet."""

from __future__ import annotations

import dataclasses
import functools
import os
import time
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import msgspec

from analyzer.capture.frames import CHUNK_BYTES, Frames
from analyzer.capture.selection import Selection
from analyzer.capture.source import TLS_KEY_LOG, Capture, Damage, open_capture
from analyzer.capture.window import Readable
from analyzer.dissector import layout
from analyzer.dissector.tracker import LINGER_NS, MOST_CONNECTIONS, SET_BACK_NS, Finished, Tracker
from analyzer.flows import Library, load_library
from analyzer.reporter.labels import Inside, Labeler
from analyzer.reporter.templates import Lines

if TYPE_CHECKING:
    from analyzer import model
    from analyzer.capture.live.base import LiveCapture, Wanted
    from analyzer.capture.live.privileges import User
    from analyzer.dissector.recognition import Recognizer
    from analyzer.dissector.tls.roots import Roots
    from analyzer.dissector.tls.secrets import Secrets
    from analyzer.reporter.observed import Life
    from analyzer.reporter.watching import Watcher


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """How a capture is to be analysed. Times are nanoseconds."""

    vlan_key: bool = False  # VLAN ids tell connections apart
    checksums: Literal["count", "verify"] | None = None  # look at them; "verify": leave out segments with a wrong one
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
    chunk_bytes: int = CHUNK_BYTES
    idle_ns: int | None = None  # live: how long a connection may be without packets before it is evicted
    opening_ns: int | None = None  # live: the same, while it is not open yet


class Totals(msgspec.Struct):
    """What one capture held, in packets unless said otherwise. Counts grow while the capture is read."""

    packets: int = 0
    tcp: int = 0
    udp: int = 0  # without QUIC
    quic: int = 0  # datagrams that begin with a QUIC long header
    icmp: int = 0
    other: int = 0
    fragments: int = 0  # of IP packets, without those that complete one
    reassembled: int = 0  # IP packets put together from fragments, whatever they carry
    incomplete: int = 0  # IP packets of which fragments are missing
    overlapping: int = 0  # IP packets whose fragments contradict one another
    protected: int = 0  # encrypted IEEE 802.11 frames
    too_deep: int = 0  # packets with more headers around them than are looked through
    damaged: int = 0  # a header cut off, or one that contradicts itself
    filtered_out: int = 0
    bad_checksums: int = 0  # of TCP segments, or of the IPv4 headers in front of them; only if they are looked at
    unfilled_checksums: int = 0  # left to the network card by their sender
    left_out: int = 0  # of those with bad checksums
    out_of_order: int = 0  # packets older than the one before them, by less than a second
    set_back: int = 0  # and by a second or more
    set_back_packet: int = 0  # the first of these
    set_back_ns: int = 0  # and how far it goes back
    late: int = 0  # segments that came after their connection had been reported; not counted in it
    connections: int = 0  # finished so far
    dropped_by_interface: int = 0  # as the capture's own statistics say
    evicted: int = 0  # connections, of those finished


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
        self._tracker = Tracker(
            library.automaton("tcp-open"),
            library.automaton("tcp-close"),
            linger_ns=options.linger_ns,
            most_connections=options.max_connections,
            vlan_key=options.vlan_key,
            checksums=options.checksums,
            recognizer=self._recognizer(),
        )
        self._library = library
        self._roots: Roots | None = None
        self._labeler = Labeler(
            name,
            library,
            self._inside(library),
            self._tracker.reader.encapsulations,
            checksums=options.checksums is not None,
        )
        self._fed = time.monotonic_ns()  # when packets last came
        self._selection = Selection(
            options.packet_filter, options.time_from, options.time_to, relative=options.time_relative
        )

    # What looks into connections is imported here: a program that looks at TCP alone starts faster without.

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
            if live and not os.path.exists(path):
                secrets.follow(path)  # the program that writes it has not begun
            else:
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
        self._roots = Roots(options.authorities)
        if options.authorities is not None:
            self._roots.load()
        return InsideLabeler(
            library, self._tracker.applications, self._roots, headers=options.headers, secrets=options.secrets
        )

    def load_all(self) -> None:
        """Reads flow pages and trusted certificates now, not when they are first needed."""
        for scope in self._library.scopes:
            self._library.of_scope(scope)
        if self._roots is not None:
            self._roots.load()

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

    def lives(self) -> Iterator[Life]:
        """Instead of iterating: the connections, each with all its steps in one order, and with their fields."""
        from analyzer.reporter.observed import observe

        for finished in self._batches():
            for connection, content in self._labeler.with_contents(finished, self._tracker.clock_ns):
                yield observe(connection, content)

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
            for finished in self._tracker.take_rest():
                yield self._counted(finished)
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
        return self._counted(self._tracker.take_finished(by_id))

    def _counted(self, finished: Finished) -> Finished:
        self.totals.connections += len(finished.rows)
        if len(finished.rows):
            self.totals.evicted += int(((finished.rows[:, layout.FLAGS] & layout.EVICTED) != 0).sum())
        return finished

    def _count(self) -> None:
        counts = self._tracker.counts.tolist()
        totals = self.totals
        totals.packets = self._tracker.frames
        totals.tcp = counts[layout.KIND_TCP]
        totals.udp = counts[layout.KIND_UDP]
        totals.quic = counts[layout.KIND_QUIC]
        totals.icmp = counts[layout.KIND_ICMP] + counts[layout.KIND_ICMP_ERROR]
        totals.other = counts[layout.KIND_OTHER]
        totals.fragments = counts[layout.KIND_FRAGMENT]
        totals.damaged = counts[layout.KIND_DAMAGED]
        totals.protected = counts[layout.KIND_PROTECTED]
        reader = self._tracker.reader
        totals.too_deep = reader.too_deep
        if reader.reassembly is not None:
            totals.reassembled = reader.reassembly.complete
            totals.incomplete = reader.reassembly.incomplete
            totals.overlapping = reader.reassembly.overlapping
        totals.filtered_out = counts[layout.KIND_EXCLUDED]
        totals.left_out = counts[layout.KIND_BAD_CHECKSUM]
        if self._options.checksums is not None:
            _, totals.bad_checksums, totals.unfilled_checksums = self._tracker.checksums.tolist()
        order = self._tracker.order
        totals.out_of_order, totals.set_back = order.late, order.set_back
        totals.set_back_packet, totals.set_back_ns = order.set_back_packet, order.set_back_ns
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


_NEVER_NS = (1 << 63) - 1


class Round(NamedTuple):
    """What one chunk of a live capture brought."""

    events: list[model.LiveEvent]
    connections: list[model.Connection]  # finished, unless `lines` were asked for
    lines: bytes  # the same as JSON Lines
    last: bool  # the capture is over, and the connections are those that were still open


class LiveAnalysis:
    """A live capture, being analysed: iterate over it to get events and connections as they happen, and a summary at
    the end. `async for` does the same without holding up other tasks.

    A context manager. `stop`, from any thread or signal handler, ends the capture, and the iteration after what was
    captured so far; `close` ends both at once. Leaving the iteration early closes it for good.
    """

    def __init__(self, capture: LiveCapture, options: Options):
        library = load_library([Path(folder) for folder in options.flows]) if options.flows else _built_in()
        self.capture = capture
        self._options = options
        self._analysis = Analysis(capture, capture.name, options, library)
        self._tracker, self._labeler = self._analysis._tracker, self._analysis._labeler
        self._tracker.follow()
        self._open_at_end = 0
        self._began_ns = 0
        idle, opening = options.idle_ns or _NEVER_NS, options.opening_ns or _NEVER_NS
        self._time_outs = None if options.idle_ns is options.opening_ns is None else (idle, min(idle, opening))
        self._looked = self._counted = time.monotonic()

    @property
    def totals(self) -> Totals:
        return self._analysis.totals

    @property
    def warnings(self) -> list[Damage]:
        """What went wrong so far."""
        return self._analysis.warnings

    @property
    def open(self) -> int:
        """Connections that are not finished."""
        return self._tracker.seen - self.totals.connections

    def load_all(self) -> None:
        """Reads flow pages and trusted certificates now, not when they are first needed."""
        self._analysis.load_all()

    def stop(self) -> None:
        """End the capture: what was captured so far is still analysed."""
        self.capture.stop()

    def rounds(self, lines: bool = False) -> Generator[Round, None, None]:
        """Everything, chunk by chunk; also empty rounds, a few a second, while nothing comes. `lines`: finished
        connections as JSON Lines, which is faster."""
        from analyzer.reporter.watching import Watcher

        watcher = Watcher(self._labeler)
        writer = Lines(self._labeler) if lines else None
        analysis, tracker = self._analysis, self._tracker
        try:
            for frames in self.capture:
                if frames.count:
                    if not self._began_ns:
                        self._began_ns = int(frames.time_ns[0])
                    latest = int(frames.time_ns[-1])
                    if latest < tracker.clock_ns - SET_BACK_NS:
                        tracker.set_back(latest)
                analysis._feed(frames)
                self._expire()
                events = watcher.events(*tracker.take_events(), tracker.who)
                yield self._round(events, writer, watcher)
                now = time.monotonic()
                if now - self._counted > 1:
                    self._counted = now
                    self.capture.count()
            tracker.finish()
            last = self._round([], writer, watcher, last=True)
            analysis._count()
            yield last
        finally:
            self.close()

    def _round(
        self, events: list[model.LiveEvent], writer: Lines | None, watcher: Watcher, *, last: bool = False
    ) -> Round:
        finished = self._analysis._take(by_id=last)
        clock_ns = self._tracker.clock_ns
        if last:  # those that have closed were only kept for late segments
            self._open_at_end = int((finished.rows[:, layout.FLAGS] & layout.ENDED == 0).sum())
        watcher.forget(finished.rows[:, layout.ID].tolist())
        if writer is not None:
            return Round(events, [], b"".join(writer.write(finished, clock_ns)), last)
        return Round(events, list(self._labeler.connections(finished, clock_ns)), b"", last)

    def _expire(self) -> None:
        """Connections that have been idle for too long are finished. Looked for at most once a second."""
        now = time.monotonic()
        if self._time_outs is not None and now - self._looked >= min(1.0, self._time_outs[1] / 4e9):
            self._looked = now
            elapsed = time.monotonic_ns() - self._analysis._fed
            self._tracker.expire(elapsed, *self._time_outs)

    def summary(self) -> model.LiveSummary:
        """The counts so far; final when the iteration is over."""
        from analyzer import model

        capture, totals = self.capture, self.totals
        return model.LiveSummary(
            packets=totals.packets,
            bytes=capture.bytes,
            connections=totals.connections,
            open_at_end=self._open_at_end,
            evicted=totals.evicted,
            dropped_by_kernel=capture.dropped_by_kernel,
            dropped_by_us=capture.dropped_by_us,
            late=totals.late,
            damaged=totals.damaged,
            duration_ns=max(0, self._tracker.clock_ns - self._began_ns) if self._began_ns else 0,
            ended=capture.ended or "stopped",
            saved=capture.saved,
        )

    def __iter__(self) -> Iterator[model.LiveEvent | model.Connection | model.LiveSummary]:
        for one in self.rounds():
            yield from one.events
            yield from one.connections
        yield self.summary()

    async def __aiter__(self) -> AsyncIterator[model.LiveEvent | model.Connection | model.LiveSummary]:
        import asyncio

        rounds = self.rounds()
        waiting: asyncio.Future[Round | None] | None = None
        try:
            while True:
                waiting = asyncio.ensure_future(asyncio.to_thread(next, rounds, None))
                one = await asyncio.shield(waiting)  # cancelled here, the thread still ends its round below
                waiting = None
                if one is None:
                    break
                for event in one.events:
                    yield event
                for connection in one.connections:
                    yield connection
            yield self.summary()
        finally:
            self.stop()
            if waiting is not None:
                await waiting
            rounds.close()
            self.close()

    def close(self) -> None:
        """Close the capture."""
        self._analysis.close()

    def __enter__(self) -> LiveAnalysis:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


LiveSource = Literal["scapy", "dumpcap", "tshark"]


def open_live(wanted: Wanted, source: LiveSource | Readable | str = "scapy", user: User | None = None) -> LiveCapture:
    """A live capture: through scapy's raw socket, by a program, or from a pipe ("-" or a binary file object).

    `user`: who a program that is started as root is to run for. Raises LiveError if it cannot start, UsageError for a
    wrong capture filter.
    """
    from analyzer.capture.live.piped import ChildCapture, PipedCapture, Program
    from analyzer.capture.selection import compiled_for

    if source == "scapy":
        from analyzer.capture.live.sockets import RingCapture

        return RingCapture(wanted)
    if wanted.packet_filter is not None:
        compiled_for(wanted.packet_filter, 1, wanted.snaplen)  # a mistake is told in the same words everywhere
    if isinstance(source, str) and source in ("dumpcap", "tshark"):
        return ChildCapture(cast(Program, source), wanted, user)
    return PipedCapture(source, wanted)


Source = str | os.PathLike[str] | Readable


def analyze(
    source: Source | list[Source] | tuple[Source, ...],
    options: Options | None = None,
    library: Library | None = None,
) -> Analysis:
    """Open a capture (a path, "-" or a binary file object) for analysis, or several as one, in the order of time.

    Raises InputError where there is no capture, FlowPageError for a page in `options.flows` that cannot be used,
    UsageError for a wrong capture filter. `library`: the pages to use, in place of the built-in ones and those that
    `options.flows` names.
    """
    options = options or Options()
    if library is None:
        library = load_library([Path(folder) for folder in options.flows]) if options.flows else _built_in()
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


@functools.cache
def _built_in() -> Library:
    """The pages that come with the program, and their automata as far as traffic has built them."""
    return load_library()
