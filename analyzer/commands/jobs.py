"""`--jobs`: captures analysed in several processes, with the results of one.

Each process is given captures of its own. If there are fewer captures than processes, several read the same one: the
packet stage runs in each of them, and each looks into its share of the connections (`pipeline.Options.share`). What
they find comes back through pipes, as records with the places they have among all, and is put together in that order.
"""

from __future__ import annotations

import collections
import contextlib
import gc
import multiprocessing
import multiprocessing.connection
import os
import signal
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from analyzer.errors import AnalyzerError, InputError, UsageError

if TYPE_CHECKING:
    from typing import BinaryIO

    from analyzer import model, pipeline
    from analyzer.capture.source import Damage

_Pipe = multiprocessing.connection.Connection

# A process needs about a quarter of a second to start, in which one alone analyses so many bytes.
LEAST_BYTES = 4_000_000
# Of a capture's packets, so many have to be of interest to a dissector: with fewer, one process is faster.
LEAST_HANDED = 0.1
# And of so few connections one may be most of the work.
LEAST_CONNECTIONS = 8
# How many of those packets are looked at, or of all, to find out.
_ENOUGH_HANDED = 2_000
_MOST_PACKETS = 50_000
# Messages held in memory, of all captures together; what comes before its turn beyond that waits on the disk.
MOST_HELD_BYTES = 64 << 20
# Captures that are read before their turn.
MOST_AHEAD = 64
# And of the capture whose turn it is, of each process: beyond that it waits for the others.
MOST_AWAITED_BYTES = 8 << 20
# Of records, told at once if there are so many.
_MESSAGE_BYTES = 1 << 20
_DONE: Final = b""  # the message that ends a capture
_LENGTH: Final = struct.Struct("<Q")


class _Message(msgspec.Struct, array_like=True):
    """What a process says. `begin`: the capture is open; `part`: see `pipeline.Piece`; `end`; `alone`: it cannot be
    shared; `error`: it cannot be read."""

    kind: Literal["begin", "part", "end", "alone", "error"]
    size: int | None = None  # of the capture
    text: str = ""  # of the error
    error: str = ""  # its class
    places: list[int] = []
    reached: int = 0
    records: list[memoryview] = []
    position: int = 0
    totals: bytes = b""  # pipeline.Totals
    warnings: list[tuple[int, str]] = []  # new ones

    @property
    def exception(self) -> AnalyzerError:
        kinds = {kind.__name__: kind for kind in (UsageError, InputError)}
        return kinds.get(self.error, AnalyzerError)(self.text)


def _failed(error: AnalyzerError) -> _Message:
    kind = UsageError if isinstance(error, UsageError) else InputError
    return _Message("error", text=str(error), error=kind.__name__)


class _GoneError(Exception):
    """The process at the other end of the pipe has ended."""


_Tell = Callable[[_Message | None], None]


def _work(pipe: _Pipe, options: pipeline.Options, lines: bool, threshold: tuple[int, ...]) -> None:
    """The life of a process: captures are named, and told about, through the pipe until that is closed. `threshold`: of
    the garbage collector, which searches no more often here than in the first process."""
    gc.set_threshold(*threshold)
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches all processes of a terminal; the first ends the others
    encoder = msgspec.msgpack.Encoder()

    def tell(message: _Message | None) -> None:
        try:
            pipe.send_bytes(_DONE if message is None else encoder.encode(message))
        except OSError:
            raise _GoneError from None

    with contextlib.suppress(_GoneError):
        while True:
            try:
                task = pipe.recv_bytes()
            except (EOFError, OSError):
                break
            path, share, apart = msgspec.msgpack.decode(task, type=tuple[bytes, tuple[int, int], bool])
            try:
                _analyse(os.fsdecode(path), msgspec.structs.replace(options, share=share), lines, apart, tell)
            except (UsageError, InputError) as error:
                tell(_failed(error))
            tell(None)
    gc.freeze()  # nor is anything worth a search at the end


def _analyse(path: str, options: pipeline.Options, lines: bool, apart: bool, tell: _Tell) -> None:
    """Tells all of a capture; `lines` and `apart` as of `pipeline.Analysis.pieces`. Raises UsageError and InputError as
    `pipeline.analyze` and its result do."""
    from analyzer import pipeline

    encode = msgspec.msgpack.Encoder().encode
    with pipeline.analyze(path, options) as analysis:
        tell(_Message("begin", size=analysis.size))
        warned = 0

        def message(kind: Literal["part", "end"], places: list[int], reached: int, records: list[bytes]) -> _Message:
            nonlocal warned
            news = [(warning.offset, warning.message) for warning in analysis.warnings[warned:]]
            warned += len(news)
            totals = encode(analysis.totals)
            return _Message(
                kind, places=places, reached=reached, records=[memoryview(record) for record in records],
                position=analysis.position, totals=totals, warnings=news,
            )  # fmt: skip

        try:
            for piece in together(analysis.pieces(lines=lines, apart=apart)):
                tell(message("part", *piece))
        except pipeline.NotSharedError:
            tell(_Message("alone"))
            return
        tell(message("end", [], 0, []))


def together(pieces: Iterable[pipeline.Piece]) -> Iterator[tuple[list[int], int, list[bytes]]]:
    """Fewer and larger pieces, since each message costs time. One without records is the last of its chunk, which is
    told at once. What came before an error is told before it, too."""
    places: list[int] = []
    records: list[bytes] = []
    reached = 0
    try:
        for piece in pieces:
            places += piece.places
            records += piece.records
            reached = piece.reached
            if not piece.records or sum(map(len, records)) >= _MESSAGE_BYTES:
                yield places, reached, records
                places, records = [], []
    except Exception:
        yield places, reached, records
        raise
    yield places, reached, records


class _Spool:
    """Messages of one process about one capture that are not read yet, in their order."""

    def __init__(self, held: list[int]):
        self._held = held  # bytes in memory, of all spools together
        self._messages: collections.deque[bytes] = collections.deque()
        self._file: BinaryIO | None = None
        self._read = self._written = 0
        self.bytes = 0

    def put(self, message: bytes) -> None:
        self.bytes += len(message)
        if self._file is None and self._held[0] + len(message) <= MOST_HELD_BYTES:
            self._messages.append(message)
            self._held[0] += len(message)
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="analyzer-")  # noqa: SIM115  # closed when it is read
        self._file.seek(self._written)
        self._written += self._file.write(_LENGTH.pack(len(message)) + message)

    def get(self) -> bytes:
        """The next message. There must be one."""
        if self._messages:
            message = self._messages.popleft()
            self._held[0] -= len(message)
            self.bytes -= len(message)
            return message
        assert self._file is not None
        self._file.seek(self._read)
        (length,) = _LENGTH.unpack(self._file.read(_LENGTH.size))
        message = self._file.read(length)
        self._read += _LENGTH.size + length
        self.bytes -= length
        if self._read == self._written:
            self._file.close()
            self._file, self._read, self._written = None, 0, 0
        return message

    def close(self) -> None:
        self._held[0] -= sum(map(len, self._messages))
        self._messages.clear()
        if self._file is not None:
            self._file.close()
        self.bytes = 0


class _Stream:
    """What one process says of its share of one capture."""

    def __init__(self, capture: int, path: str, share: tuple[int, int], apart: bool, held: list[int]):
        self.capture, self.path, self.share, self.apart = capture, path, share, apart
        self.spool = _Spool(held)
        self.reached: float = 0  # all of it before this place was told
        self.places: collections.deque[int] = collections.deque()
        self.records: collections.deque[memoryview] = collections.deque()
        self.wanted = True

    def drop(self) -> None:
        """Nobody wants to know."""
        self.wanted = False
        self.spool.close()

    def until(self, place: float) -> list[tuple[int, memoryview]]:
        """Takes away the records before a place."""
        found = []
        while self.places and self.places[0] < place:
            found.append((self.places.popleft(), self.records.popleft()))
        return found


class _Worker:
    """A process, and what it is busy with."""

    def __init__(self, options: pipeline.Options, lines: bool):
        # Not forked: threads of the program around, if there are some, would be lost in the middle of something.
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_work, args=(other, options, lines, gc.get_threshold()), daemon=True)
        self.process.start()
        other.close()
        self.stream: _Stream | None = None

    def begin(self, stream: _Stream) -> None:
        self.stream = stream
        with contextlib.suppress(OSError):  # found out when it is read from
            self.pipe.send_bytes(msgspec.msgpack.encode((os.fsencode(stream.path), stream.share, stream.apart)))

    def failure(self) -> AnalyzerError:
        """Why it has ended."""
        self.process.join()
        if self.process.exitcode and self.process.exitcode > 0:
            raise RuntimeError("a process of --jobs failed: what it said stands above")
        assert self.stream is not None
        reason = "a process ended while it read the capture, perhaps for want of memory: try fewer --jobs"
        return InputError(f"{self.stream.path}: {reason}")

    def end(self) -> None:
        self.pipe.close()
        if self.stream is not None:
            self.process.terminate()
        self.process.join()


class Jobs:
    """Analyses `captures`, which are `worthwhile`, in `number` processes. A context manager that ends them; `open`
    gives one capture after the other, in their order. `lines`: what is asked of each analysis is its `lines`, else its
    connections."""

    def __init__(self, captures: Sequence[str], options: pipeline.Options, number: int, *, lines: bool):
        self._options, self._number, self.lines = options, number, lines
        self._held = [0]
        self._current = -1
        self._workers: list[_Worker] = []
        self._streams = [
            [_Stream(index, path, (k, shares), shares > 1, self._held) for k in range(shares)]
            for index, path in enumerate(captures)
            for shares in [self._shares(path, len(captures))]
        ]
        self._waiting = collections.deque(stream for streams in self._streams for stream in streams)

    def _shares(self, path: str, captures: int) -> int:
        """How many processes read the capture; of a single one, `worthwhile` has found out."""
        several = self._number // captures
        return several if several > 1 and (captures == 1 or _divisible(path, self._options)) else 1

    def open(self) -> Shared:
        """The next capture. Raises InputError and UsageError as `pipeline.analyze` does."""
        for stream in self._streams[self._current] if self._current >= 0 else ():
            stream.drop()
        self._current += 1
        return Shared(self, self._streams[self._current])

    def alone(self, stream: _Stream) -> _Stream:
        """Begins a capture anew, in one process. Its lines come apart, since those given out are passed over."""
        again = _Stream(stream.capture, stream.path, (0, 1), True, self._held)
        self._streams[stream.capture] = [again]
        self._waiting.appendleft(again)
        return again

    def wait(self) -> None:
        """Reads what the processes say, as soon as one says something that may be held, and gives them work."""
        self._give_work()
        busy = {worker.pipe: worker for worker in self._workers if worker.stream and self._may_speak(worker.stream)}
        for pipe in multiprocessing.connection.wait(list(busy)):
            worker = busy[pipe]  # type: ignore[index]
            assert worker.stream is not None
            try:
                message = worker.pipe.recv_bytes()
            except (EOFError, OSError):
                message = msgspec.msgpack.encode(_failed(worker.failure()))
                self._workers.remove(worker)
                worker.pipe.close()
            if message == _DONE:
                worker.stream = None
            elif worker.stream.wanted:
                worker.stream.spool.put(message)

    def _may_speak(self, stream: _Stream) -> bool:
        """Of the capture whose turn it is, a process may not be far ahead of the others: a full pipe holds it back."""
        return stream.capture != self._current or stream.spool.bytes < MOST_AWAITED_BYTES

    def _give_work(self) -> None:
        while self._waiting and self._waiting[0].capture <= max(self._current, 0) + MOST_AHEAD:
            idle = next((worker for worker in self._workers if worker.stream is None), None)
            if idle is None:
                if len(self._workers) == self._number:
                    return
                self._workers.append(idle := _Worker(self._options, self.lines))
            idle.begin(self._waiting.popleft())

    def __enter__(self) -> Jobs:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._workers:
            worker.end()
        for streams in self._streams:
            for stream in streams:
                stream.drop()


class Shared:
    """An analysis that runs in other processes; to the command like `pipeline.Analysis`."""

    def __init__(self, jobs: Jobs, streams: list[_Stream]):
        from analyzer import model, pipeline
        from analyzer.capture.source import Damage

        self._jobs, self._streams = jobs, streams
        self._path = streams[0].path
        self._next = 0  # the first place that was not given out
        self._damage = Damage
        self._totals = msgspec.msgpack.Decoder(pipeline.Totals)
        self._messages = msgspec.msgpack.Decoder(_Message)
        self._connections = msgspec.msgpack.Decoder(model.Connection)
        self._named = _encodable(self._path)
        self.totals = pipeline.Totals()
        self.warnings: list[Damage] = []
        self._told_again = 0  # warnings that are known
        self.size: int | None = None
        self.position = 0
        for stream in streams:
            self._take(stream)

    def __iter__(self) -> Iterator[model.Connection]:
        for records in self._records():
            for record in records:
                connection = self._connections.decode(record)
                yield connection if self._named else msgspec.structs.replace(connection, capture=self._path)

    def lines(self) -> Iterator[bytes]:
        for records in self._records():
            yield b"".join(records)

    def close(self) -> None:
        """Nothing more is wanted of the capture: `Jobs` ends what still runs."""

    def _records(self) -> Iterator[list[memoryview]]:
        """What was found, in the order in which it would have been in one process."""
        while True:
            reached = min(stream.reached for stream in self._streams)
            found = [one for stream in self._streams for one in stream.until(reached)]
            if len(self._streams) > 1:
                found.sort()
            if records := [record for place, record in found if place >= self._next]:
                yield records
            if reached == float("inf"):
                return
            self._next = max(self._next, int(reached))
            self._take(next(stream for stream in self._streams if stream.reached == reached))

    def _take(self, stream: _Stream) -> None:
        """The next message of a process."""
        while not stream.spool.bytes:
            self._jobs.wait()
        message = self._messages.decode(stream.spool.get())
        if message.kind == "error":
            raise message.exception
        if message.kind == "alone":
            self._begin_anew(stream)
            return
        if message.kind == "begin":
            self.size = message.size
            return
        stream.reached = float("inf") if message.kind == "end" else message.reached
        stream.places.extend(message.places)
        stream.records.extend(message.records)
        if stream is self._streams[0]:  # all have the same
            self.totals = self._totals.decode(message.totals)
            told = [self._damage(offset, text) for offset, text in message.warnings]
            self.warnings += told[self._told_again :]
            self._told_again = max(0, self._told_again - len(told))
            self.position = message.position

    def _begin_anew(self, stream: _Stream) -> None:
        """The capture cannot be shared: one process analyses it, and what was given out is passed over."""
        again = self._jobs.alone(stream)
        for one in self._streams:
            one.drop()
        self._streams = [again]
        self._told_again = len(self.warnings)
        self._take(again)


def _size(path: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        return os.path.getsize(path)
    return 0


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def worthwhile(captures: Sequence[str], options: pipeline.Options) -> bool:
    """Whether processes are worth their start: there is enough to read, and each has a part in it."""
    if len(captures) == 1:
        return _divisible(captures[0], options)
    return sum(map(_size, captures)) >= LEAST_BYTES


def _divisible(path: str, options: pipeline.Options) -> bool:
    """Whether several processes may read the capture, and do so faster than one.

    What they share is the looking into connections; where the first packets show little to look into, or hardly any
    connections, one of them would do nearly all of the work.
    """
    from analyzer import pipeline

    if options.keys:  # a session decrypted in one connection may be resumed in another
        return False
    if _size(path) < LEAST_BYTES:
        return False
    try:
        with pipeline.analyze(path, options) as analysis:
            part, connections = analysis.handed(_ENOUGH_HANDED, _MOST_PACKETS)
            return part >= LEAST_HANDED and connections >= LEAST_CONNECTIONS
    except AnalyzerError:
        return False
