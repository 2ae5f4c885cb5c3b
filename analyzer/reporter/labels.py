"""The rows of finished connections to connections with verdicts, scope by scope."""

from __future__ import annotations

import functools
import socket
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from analyzer import model
from analyzer.dissector.encapsulation import HEADERS, UNLISTED, Encapsulations
from analyzer.dissector.layout import *
from analyzer.dissector.tracker import SET_BACK_NS, Finished
from analyzer.flows.library import Library
from analyzer.reporter import icmp
from analyzer.reporter.verdicts import Ran, Scope, label

if TYPE_CHECKING:
    from analyzer.dissector.applications import Application, Applications
    from analyzer.dissector.http1.exchanges import Exchange
    from analyzer.reporter.inside import Written

# A page that ends by silence is complete after this much of it (flow-page rules, 8).
SILENCE_NS = 1_000_000_000

_NEVER_OPENED = frozenset(f"tcp-open/{name}" for name in ("refused", "unanswered", "half-open", "icmp-unreachable"))
_SIDES: tuple[model.Side, model.Side] = ("client", "server")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Meaning(NamedTuple):
    """What the code of an event stands for."""

    side: model.Side
    step: str
    again: bool  # a retransmission
    closing: bool  # of scope tcp-close


class Found(NamedTuple):
    """What was found inside a connection."""

    tls: model.Tls | None = None
    http: model.Http | None = None
    tunnel: model.Tunnel | None = None
    lifecycle: model.Verdict | None = None
    faults: Sequence[model.Fault] = ()
    proxy_protocol: Literal[1, 2] | None = None
    proxied_for: model.Endpoint | None = None
    first_response_ns: int | None = None  # since the connection's first packet
    tls_ns: int | None = None


NOTHING = Found()


class Inside(Protocol):
    """Labels what runs inside a connection, once its row is finished."""

    applications: Applications  # where what was found is taken from
    automaton: Any  # of scope http1
    headers: bool  # whether header fields are listed

    def label(
        self, row: list[int], content: Application | None, opening: model.Verdict, close: model.Verdict
    ) -> Found: ...

    def written(self, application: Application, start_ns: int, flags: int) -> Written | None: ...

    def exchange(self, exchange: Exchange, start_ns: int) -> model.Exchange: ...


class _Run(NamedTuple):
    """One scope's events of one connection."""

    word: int  # RUN_ fields, as the packet stage left them
    steps: list[model.Step]
    indices: list[int]  # place of each step among all events of the connection
    symbols: list[int]
    retransmitted: int


class Labeler:
    """Makes the report's connections out of one capture's finished rows."""

    def __init__(
        self, capture: str, library: Library, inside: Inside | None = None,
        encapsulations: Encapsulations | None = None, *, checksums: bool = False,
    ):  # fmt: skip
        """`checksums`: the rows have counts of them."""
        self.capture = capture
        self._notes_end = (UNFILLED_CHECKSUMS if checksums else UNCAPTURED_BYTES) + 1
        self.inside = inside
        self._encapsulations = encapsulations
        self._scopes = (Scope(library.automaton("tcp-open")), Scope(library.automaton("tcp-close")))
        self._meanings: dict[int, _Meaning] = {}

    def connection(
        self, finished: Finished, i: int, clock_ns: int, content: Application | None = None
    ) -> model.Connection:
        """Connection i of those finished. `clock_ns`: the capture's latest time so far; `content`: what was found
        inside it."""
        begin = int(finished.ends[i - 1]) if i else 0
        events = finished.events[begin : finished.ends[i]].tolist()
        return self._connection(finished.rows[i].tolist(), finished.keys[i].tolist(), events, clock_ns, content)

    def connections(self, finished: Finished, clock_ns: int) -> Iterator[model.Connection]:
        """All of them, in their order; faster than one by one."""
        for connection, _ in self.with_contents(finished, clock_ns):
            yield connection

    def with_contents(self, finished: Finished, clock_ns: int) -> Iterator[tuple[model.Connection, Application | None]]:
        """All of them, each with what its dissectors have found inside it."""
        begin = 0
        rows, keys, ends = finished.rows.tolist(), finished.keys.tolist(), finished.ends.tolist()
        events = finished.events.tolist()
        view = finished.rows.data
        for i, (row, key, end) in enumerate(zip(rows, keys, ends, strict=True)):
            content = None
            if row[FLAGS] & FOLLOWED and self.inside is not None:
                content = self.inside.applications.finish(view, i)
            yield self._connection(row, key, events[begin:end], clock_ns, content), content
            begin = end

    def meaning(self, code: int) -> _Meaning:
        """What the EVENT_CODE of a row's event stands for."""
        closing = bool(code & 2)
        side, step, _ = self._scopes[closing].automaton.split(code >> 2)
        found = self._meanings[code] = _Meaning(_SIDES[side], step, bool(code & 1), closing)
        return found

    def _connection(
        self, row: list[int], key: list[int], events: list[list[int]], clock_ns: int, content: Application | None
    ) -> model.Connection:
        flags = row[FLAGS]
        start = row[START_NS]
        client, server = (SIDES, SIDES + SIDE_WORDS) if not flags & SWAPPED else (SIDES + SIDE_WORDS, SIDES)
        first, second = endpoints(flags, key)
        opening, closing = self._runs(row, events)
        open_verdict = self._label_open(row, client, server, opening, clock_ns)
        close_verdict = self._label_close(row, client, server, closing, clock_ns, open_verdict)
        handshake_ns = row[OPENED_NS] - start - opening.steps[0].at_ns if flags & OPENED and opening.steps else None
        faults = (
            _faults(row) if flags & (BAD_SYN_ACK | RETRIED | EVENTS_FULL) or row[LAST_NS] < start - SET_BACK_NS else []
        )
        inside = NOTHING
        if content is not None:
            faults += _contradictions(content)
        if self.inside is not None:
            inside = self.inside.label(row, content, open_verdict, close_verdict)
        return model.Connection(
            capture=self.capture,
            id=row[ID],
            tcp_stream=row[STREAM],
            client=first,
            server=second,
            oriented_by=_oriented_by(flags),
            vlan=_vlan_ids(row[VLAN]) if row[VLAN] else [],
            encapsulation=self._encapsulation(row[ENCAPSULATION]) if row[ENCAPSULATION] else [],
            first_packet=row[FIRST_PACKET],
            last_packet=row[LAST_PACKET],
            start=timestamp(start),
            duration_ns=max(0, row[LAST_NS] - start),
            packets=model.PerSide(row[client + PACKETS], row[server + PACKETS]),
            payload_bytes=model.PerSide(row[client + BYTES], row[server + BYTES]),
            tcp=model.Tcp(_syn_options(row, client), _syn_options(row, server)),
            open=open_verdict,
            close=close_verdict,
            proxy_protocol=inside.proxy_protocol,
            proxied_for=inside.proxied_for,
            tls=inside.tls,
            http=inside.http,
            tunnel=inside.tunnel,
            timing=model.Timing(handshake_ns, inside.tls_ns, inside.first_response_ns),
            lifecycle=inside.lifecycle,
            icmp_error=icmp.first_error(row, key[KEY_PORTS] & 15) if row[ICMP_ERRORS] else None,
            notes=model.Notes(*row[RETRANSMISSIONS : self._notes_end]),
            faults=[*faults, *inside.faults],
        )

    def _encapsulation(self, number: int) -> list[model.Encapsulation]:
        if number == UNLISTED or self._encapsulations is None:
            return [model.Encapsulation("unlisted")]
        found = []
        for layer in self._encapsulations.layers(number):
            ends = [address(layer.family, *end) for end in (layer.source, layer.destination) if layer.family]
            found.append(model.Encapsulation(HEADERS[layer.kind].name, layer.id, *ends))
        return found

    def _runs(self, row: list[int], events: list[list[int]]) -> tuple[_Run, _Run]:
        """The connection's events, scope by scope."""
        start = row[START_NS]
        steps: tuple[list[model.Step], list[model.Step]] = ([], [])
        indices: tuple[list[int], list[int]] = ([], [])
        symbols: tuple[list[int], list[int]] = ([], [])
        retransmitted = [0, 0]
        meanings = self._meanings
        for index, (_, code, packet, last_packet, time_ns, times) in enumerate(events):
            side, name, again, scope = meanings.get(code) or self.meaning(code)
            if again:
                retransmitted[scope] += times
            steps[scope].append(model.Step(side, name, packet, last_packet, time_ns - start, times, "observed", again))
            indices[scope].append(index)
            symbols[scope].append(code >> 2)
        return (
            _Run(row[OPEN_RUN], steps[0], indices[0], symbols[0], retransmitted[0]),
            _Run(row[CLOSE_RUN], steps[1], indices[1], symbols[1], retransmitted[1]),
        )

    def _label_open(self, row: list[int], client: int, server: int, run: _Run, clock_ns: int) -> model.Verdict:
        if not row[client + STATE] & SYN_SEEN or not run.steps:
            # The SYN is not in the capture: whatever else there is, the beginning is missing.
            one_sided = row[client + PACKETS] == 0 and row[server + STATE] & SYN_ACK_SEEN
            return model.Verdict(flow=None, outcome="unseen", cause="one-sided" if one_sided else "mid-stream")
        lost: model.Cause | None = None
        if (row[client + STATE] | row[server + STATE]) & MOVED_ON and not row[FLAGS] & OPENED:
            lost = "one-sided" if row[server + PACKETS] == 0 else "lost-in-capture"
        return model.Verdict(**_label(self._scopes[0], row, run, lost, clock_ns))

    def _label_close(
        self, row: list[int], client: int, server: int, run: _Run, clock_ns: int, opened: model.Verdict
    ) -> model.CloseVerdict:
        flags = row[FLAGS]
        if not run.steps:
            if opened.flow in _NEVER_OPENED or (opened.outcome == "diverged" and not flags & OPENED):
                return model.CloseVerdict(flow=None, outcome="unseen", cause="never-opened")
            if (row[client + STATE] | row[server + STATE]) & UNSURE:
                return model.CloseVerdict(flow=None, outcome="unseen", cause="lost-in-capture")
            if flags & EVICTED:
                return model.CloseVerdict(flow=None, outcome="unseen", cause="evicted")
            cause: model.Cause = "connection-ended" if flags & (REUSED | ENDED) else "open-at-end"
            return model.CloseVerdict(flow=None, outcome="incomplete", cause=cause)
        lost: model.Cause | None = None
        if row[client + PACKETS] == 0 or row[server + PACKETS] == 0:
            lost = None if _unanswered_fin(row, client, server, run) else "one-sided"
        elif (row[client + STATE] | row[server + STATE]) & LOST:
            lost = "lost-in-capture"
        fields = _label(self._scopes[1], row, run, lost, clock_ns)
        return model.CloseVerdict(**fields, closed_by=fields["begun_by"] if fields["flow"] else None)


def _label(scope: Scope, row: list[int], run: _Run, lost: model.Cause | None, clock_ns: int) -> dict[str, Any]:
    """A verdict's fields. `lost`: why the capture may lack steps of this scope, or None."""
    diverged = run.word >> RUN_DIVERGED_SHIFT & RUN_STATE_MASK
    at = None
    if diverged:
        at = next((place for place, one in enumerate(run.indices) if one >= diverged - 1), len(run.indices) - 1)
    last = run.steps[-1]
    # Of folded steps only the first has its time; the connection's last packet is not before the last of them.
    last_ns = row[START_NS] + last.at_ns if last.times == 1 else row[LAST_NS]
    ended = bool(row[FLAGS] & (ENDED | REUSED))
    ran = Ran(
        run.steps,
        run.symbols,
        best=run.word >> RUN_BEST_SHIFT & RUN_STATE_MASK,
        state=run.word & RUN_STATE_MASK,
        over=bool(run.word >> RUN_OVER_SHIFT),
        diverged_at=at,
        retransmitted=run.retransmitted,
    )
    quiet = ended or clock_ns - last_ns >= SILENCE_NS
    return label(scope, ran, lost=lost, ended=ended, evicted=bool(row[FLAGS] & EVICTED), quiet=quiet)


def _unanswered_fin(row: list[int], client: int, server: int, run: _Run) -> bool:
    """Whether the only side captured shows that nothing came from the other: it sent its FIN three times or more (RFC
    9293 §3.8.1), each with the acknowledgement it already had. A FIN of the peer would have advanced that."""
    alone = row[client + STATE] | row[server + STATE]
    return run.retransmitted >= 2 and all(one.step == "FIN" for one in run.steps) and not alone & ANSWERED


def _oriented_by(flags: int) -> Literal["syn", "content", "port", "first-packet"]:
    if flags & BY_SYN:
        return "syn"
    if flags & BY_CONTENT:
        return "content"
    return "port" if flags & BY_PORT else "first-packet"


def _faults(row: list[int]) -> list[model.Fault]:
    faults = []
    if row[FLAGS] & BAD_SYN_ACK:
        message = "a SYN-ACK does not acknowledge the SYN that was sent (RFC 9293 §3.10.7.3); it was not counted"
        faults.append(model.Fault(row[FAULT_PACKET], "tcp", message))
    if row[FLAGS] & RETRIED:
        message = "the same SYN again after a reset: an earlier attempt to open was refused; the last one is labelled"
        faults.append(model.Fault(row[RETRY_PACKET], "tcp", message))
    if row[LAST_NS] < row[START_NS] - SET_BACK_NS:
        message = "the last packet is older than the first: the clock was set back, and durations mean nothing"
        faults.append(model.Fault(row[LAST_PACKET], "capture", message))
    if row[FLAGS] & EVENTS_FULL:
        message = f"more than {MOST_EVENTS} steps; the later ones are not listed"
        faults.append(model.Fault(row[LAST_PACKET], "tcp", message))
    return faults


def _contradictions(content: Application) -> Iterator[model.Fault]:
    """What a side sent again with other bytes, and what is known of which of them count.

    A receiver passes over what it has acknowledged (RFC 9293 §3.10.7.4). Before that it depends on which of the two
    reached it, and which first, and the capture was not taken inside of it.
    """
    for side, listed, count in content.contradictions():
        for begin, end, packet, other, acknowledged in listed:
            who, peer = _SIDES[side], _SIDES[1 - side]
            what = f"byte {begin}" if end == begin + 1 else f"bytes {begin} to {end - 1}"
            message = f"{what} of the {who} differ from those in packet {packet}"
            if acknowledged:
                message += f", which the {peer} had acknowledged and which count (RFC 9293 §3.10.7.4)"
            else:
                message += f"; not acknowledged by then, so which of them the {peer} took is not known: packet {packet}"
                message += " is what is read here (RFC 9293 §3.10.7.4)"
            yield model.Fault(other, "tcp", message)
        if count > len(listed):
            message = f"{count - len(listed)} further times the {_SIDES[side]} sent other bytes than before; not listed"
            yield model.Fault(listed[-1][3], "tcp", message)


@functools.lru_cache(4096)
def _options(packed: int) -> tuple[int | None, int | None, bool, bool, bool, bool, bool]:
    mss = (packed >> SYN_OPTION_MSS_SHIFT) - 1
    scale = (packed >> SYN_OPTION_SCALE_SHIFT & 0xFFFF) - 1
    bits = [bool(packed & bit) for bit in (SYN_OPTION_SACK, SYN_OPTION_TIMESTAMPS, SYN_OPTION_FAST_OPEN,
                                           SYN_OPTION_MPTCP, SYN_OPTION_ECN)]  # fmt: skip
    return (mss if mss >= 0 else None, scale if scale >= 0 else None, *bits)  # type: ignore[return-value]


_NO_SYN = model.TcpOptions()


def _syn_options(row: list[int], side: int) -> model.TcpOptions:
    packed = row[side + SYN_OPTIONS]
    return model.TcpOptions(row[side + ISN], *_options(packed)) if packed else _NO_SYN


def endpoints(flags: int, key: list[int]) -> tuple[model.Endpoint, model.Endpoint]:
    """Client and server of a row with these FLAGS and this key."""
    ports = key[KEY_PORTS]
    version = ports & 15
    first = model.Endpoint(address(version, key[KEY_HIGH_A], key[KEY_LOW_A]), ports >> 48)
    second = model.Endpoint(address(version, key[KEY_HIGH_B], key[KEY_LOW_B]), ports >> 32 & 0xFFFF)
    return (second, first) if bool(flags & FIRST_IS_A) == bool(flags & SWAPPED) else (first, second)


@functools.lru_cache(65536)
def address(version: int, high: int, low: int) -> str:
    if version == 4:
        return f"{low >> 24}.{low >> 16 & 255}.{low >> 8 & 255}.{low & 255}"
    return socket.inet_ntop(socket.AF_INET6, high.to_bytes(8, "big") + low.to_bytes(8, "big"))


def _vlan_ids(packed: int) -> list[int]:
    ids = []
    while packed:
        ids.append((packed & 0x1FFF) - 1)
        packed >>= 13
    return ids


def timestamp(time_ns: int) -> str:
    """RFC 3339 with nanoseconds, UTC."""
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    return f"{second(seconds)}.{nanoseconds:09d}Z"


@functools.lru_cache(1024)
def second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
