"""Source, packet stage, labels: the only place where the stages meet."""

from __future__ import annotations

import functools
import os
import sys
import time
from array import array
from collections.abc import Container, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec
import numpy as np

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
    import numpy.typing as npt

    from analyzer import model
    from analyzer.capture.interfaces import Interface
    from analyzer.dissector.accounts import Accounts
    from analyzer.dissector.applications import Application
    from analyzer.dissector.content import Sink
    from analyzer.dissector.recognition import Recognizer
    from analyzer.dissector.samples import Samples
    from analyzer.dissector.tls.roots import Roots
    from analyzer.dissector.tls.secrets import Secrets
    from analyzer.reporter.observed import Life


# What is left at the end of a capture is labelled so many connections at a time: their rows are copied for it.
_LAST_CONNECTIONS = 8192


class Options(msgspec.Struct, frozen=True, kw_only=True):
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
    samples: bool = False  # keep segments of each connection to draw, `Analysis.samples`
    accounts: bool = False  # keep accounts of connections as Zeek does, `Analysis.accounts`
    bodies: Sink | None = None  # who gets the bodies of HTTP; without one they are only counted
    chunk_bytes: int = CHUNK_BYTES
    idle_ns: int | None = None  # live: how long a connection may be without packets before it is evicted
    opening_ns: int | None = None  # live: the same, while it is not open yet
    share: tuple[int, int] = (
        0,
        1,
    )  # (k, n): report only the k-th of n shares of the connections, see `Analysis.pieces`


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


class Piece(NamedTuple):
    """Some of the connections that are reported, as far as they have finished."""

    places: list[int]  # of each, among all connections in the order in which they finish
    reached: int  # all before this place have been told, or are another share's
    records: list[bytes]  # of each, as it was asked for; or one of all, with the place of the first


class NotSharedError(Exception):
    """What was found in one connection may be needed in another: the capture must be analysed in one piece."""


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
        self.accounts = self._new_accounts() if options.accounts else None
        self._tracker = Tracker(
            library.automaton("tcp-open"),
            library.automaton("tcp-close"),
            linger_ns=options.linger_ns,
            most_connections=options.max_connections,
            vlan_key=options.vlan_key,
            checksums=options.checksums,
            recognizer=self._recognizer(),
            samples=self.samples,
            accounts=self.accounts,
            share=options.share,
        )
        self._reached = 0  # connections finished, whoever reports them
        self._places: npt.NDArray[np.int64] = np.arange(0)  # among them, of those that were taken last
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
    def _new_samples() -> Samples:
        from analyzer.dissector.samples import Samples

        return Samples()

    @staticmethod
    def _new_accounts() -> Accounts:
        from analyzer.dissector.accounts import Accounts

        return Accounts()

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

        options = self._options
        return Recognizer(
            keep_fields=options.headers, secrets=self._secrets, sink=options.bodies, log_frames=options.samples
        )

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
        inside = InsideLabeler(
            library, self._tracker.applications, self._roots, headers=options.headers, secrets=options.secrets
        )
        if options.samples:
            inside.frame_logs = self.frame_logs
        return inside

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

    def key_log(self, client_randoms: Container[str] | None = None) -> bytes:
        """With `collect_secrets`: the secrets that decrypted something so far, as lines of a key log. Only of
        handshakes with these client randoms, in hexadecimal, if they are given."""
        used = self._secrets.used if self._secrets is not None else None
        chosen = (line for line in used or () if client_randoms is None or line.split()[1] in client_randoms)
        return "".join(f"{line}\n" for line in chosen).encode()

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

    def with_contents(self) -> Iterator[tuple[model.Connection, Application | None]]:
        """Instead of iterating: the connections, each with what its dissectors found inside it."""
        for finished in self._batches():
            yield from self._labeler.with_contents(finished, self._tracker.clock_ns)

    def lives(self) -> Iterator[Life]:
        """Instead of iterating: the connections, each with all its steps in one order, and with their fields."""
        from analyzer.reporter.observed import observe

        for connection, content in self.with_contents():
            yield observe(connection, content)

    def packets(self) -> Iterator[tuple[Frames, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Instead of iterating: the frames, chunk by chunk, with the numbers of the packets in them and the connections
        of those, -1 for none, each of shape (packets,). Valid until the next chunk. Connections are not reported."""
        try:
            for frames in self._capture:
                self._take_secrets()
                if frames.count:
                    table = self._tracker.feed(self._selection.apply(frames))
                    yield frames, table.number[: table.count], table.connection[: table.count]
                    self._tracker.take_finished()
        finally:
            self.close()

    def handed(self, enough: int, most_packets: int) -> tuple[float, int]:
        """Instead of iterating: which part of the packets the packet stage hands to dissectors, and how many
        connections there are, as far as that shows in the first `enough` of those packets, or in the first
        `most_packets` of all; a chunk more or less."""
        packets = handed = 0
        for frames in self._capture:
            if frames.count:
                table = self._tracker.feed(self._selection.apply(frames))
                packets += table.count
                handed += int(np.count_nonzero(table.handed[: table.count]))
                self._tracker.take_finished()
            if handed >= enough or packets >= most_packets:
                break
        return handed / max(1, packets), self._tracker.seen

    def joined(self) -> list[tuple[int, list[int]]]:
        """With `packets`, called before the first: a list to which each IP packet put together is added, as the number
        of the packet that completed it and those of its other fragments. To be emptied by the caller."""
        from analyzer.dissector.fragments import Reassembly

        reassembly = self._tracker.reader.reassembly = Reassembly()
        reassembly.joined = []
        return reassembly.joined

    @property
    def interfaces(self) -> list[Interface]:
        """Where the packets so far were captured; `Frames.interface` counts them."""
        return self._capture.interfaces

    def lines(self) -> Iterator[bytes]:
        """Instead of iterating: the connections as JSON Lines, some at a time. Much faster than struct by struct."""
        writer = Lines(self._labeler)
        for finished in self._batches():
            yield from writer.write(finished, self._tracker.clock_ns)

    def pieces(self, *, lines: bool, apart: bool = True) -> Iterator[Piece]:
        """Instead of iterating, where several processes share the work: each one with the same capture and options but
        another `Options.share`. Together they have every connection once; `Totals` and warnings are those of all in
        each. `lines`: as lines of JSON, else as MessagePack of `model.Connection`, where a capture whose name is no
        Unicode has none. At least one piece for each chunk. `apart`: no record has more than one line.

        Raises NotSharedError, after everything before that chunk, where the capture brings secrets: a session decrypted
        in one connection may be resumed in another one.
        """
        writer = Lines(self._labeler)
        encode = msgspec.msgpack.Encoder().encode
        for finished in self._batches():
            places, at = self._places.tolist(), 0
            records: list[bytes] = []
            if lines:
                for text in writer.write(finished, self._tracker.clock_ns):
                    begin, at = at, at + text.count(b"\n")
                    if apart:
                        yield Piece(places[begin:at], places[at - 1] + 1, text.splitlines(keepends=True))
                    else:
                        yield Piece(places[begin : begin + 1], places[at - 1] + 1, [text])
            else:
                for connection in self._labeler.connections(finished, self._tracker.clock_ns):
                    records.append(encode(_nameable(connection)))
                    if len(records) == _PIECE:
                        yield Piece(places[at : at + _PIECE], places[at + _PIECE - 1] + 1, records)
                        at, records = at + _PIECE, []
            yield Piece(places[at:], self._reached, records)

    def _batches(self) -> Iterator[Finished]:
        """What has finished, after each chunk and at the end."""
        try:
            for frames in self._capture:
                self._feed(frames)
                yield self._take()
            self._tracker.clock_ns = self.ended_ns
            self._tracker.finish()
            taken = -1
            while self.totals.connections != taken:
                taken = self.totals.connections
                yield self._take(_LAST_CONNECTIONS)
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
                if self._options.share[1] > 1:
                    raise NotSharedError
                self._secrets.add_keylog(block.data, source="pcapng", name="the secrets in the capture")

    def _take(self, most: int = sys.maxsize) -> Finished:
        finished = self._tracker.take_finished(most)
        self.totals.connections += len(finished.rows)
        if self.accounts is not None:
            ids, swapped = finished.rows[:, layout.ID], (finished.rows[:, layout.FLAGS] & layout.SWAPPED) != 0
            self.accounts.release(ids.tolist(), ids[swapped].tolist())
        if len(finished.rows):
            self.totals.evicted += int(((finished.rows[:, layout.FLAGS] & layout.EVICTED) != 0).sum())
        if self.samples is not None:
            self.samples.orient(finished.rows)
        places = np.arange(len(finished.rows))
        if self._options.share[1] > 1:
            places = np.flatnonzero(finished.rows[:, layout.FLAGS] & layout.ELSEWHERE == 0)
            finished = finished.only(places)
        self._places = self._reached + places
        self._reached = self.totals.connections
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

    @property
    def ended_ns(self) -> int:
        """When the capture ended, as far as it says so, or the time of the latest packet; since 1970 UTC."""
        said = (interface.ended_ns for interface in self._capture.interfaces)
        return max((self._tracker.clock_ns, *(one for one in said if one is not None)))

    def close(self) -> None:
        """Close the capture."""
        self._capture.close()

    def __enter__(self) -> Analysis:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _nameable(connection: model.Connection) -> model.Connection:
    """MessagePack is Unicode; a file name may not be."""
    try:
        connection.capture.encode()
    except UnicodeEncodeError:
        return msgspec.structs.replace(connection, capture="")
    return connection


_PIECE = 64  # connections of a `Piece`


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
