"""A connection as reported here beside the stream that tshark made of it, aspect by aspect."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal

from analyzer import model
from analyzer.dissector.tls.handshake import MESSAGE_STEPS
from analyzer.reporter import words
from analyzer.reporter.crosscheck.streams import Fact, Stream

_OPCODES: Final = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}  # RFC 6455 §11.8
_HANDSHAKE: Final = frozenset(MESSAGE_STEPS.values())
_AFTER_HANDSHAKE: Final = ("NewSessionTicket", "KeyUpdate")  # of TLS 1.3, RFC 8446 §4.6.1, §4.6.3
_OPENING: Final = {"SYN": "SYN", "SYN-ACK": "SYN-ACK"}
_CLOSING: Final = {"FIN": "FIN", "FIN-ACK": "FIN", "RST": "RST"}

By = Literal["analyzer", "tshark"]


@dataclasses.dataclass(frozen=True)
class Seen:
    """Something that one of the two reports, or both. What does not apply is None."""

    what: str
    packet: int | None = None
    side: model.Side | None = None
    stream: int | None = None  # of HTTP/2

    def __str__(self) -> str:
        stream = f"{self.stream}: " if self.stream is not None else ""
        packet = f" ({self.packet})" if self.packet is not None else ""
        return f"{f'{self.side} ' if self.side else ''}{stream}{self.what}{packet}"


@dataclasses.dataclass(frozen=True)
class Aspect:
    """What is compared, what both say of it, and what only one of them says."""

    name: str
    ours: list[Seen]
    theirs: list[Seen]
    lone: list[tuple[By, Seen]]


@dataclasses.dataclass(frozen=True)
class Pair:
    """A connection and its stream. `version`: of Wireshark."""

    connection: model.Connection
    stream: Stream
    version: tuple[int, int] | None = None

    def side(self, fact: Fact) -> model.Side:
        client = (self.connection.client.address, self.connection.client.port)
        return "client" if fact.source == client else "server"

    def theirs(self, *kinds: str) -> list[Fact]:
        return [fact for fact in self.stream.facts if fact.kind in kinds]

    def seen(self, *kinds: str) -> list[Seen]:
        """What tshark saw of these kinds, with packet and side."""
        return [Seen(fact.value, fact.packet, self.side(fact)) for fact in self.theirs(*kinds)]


def aspects(pair: Pair) -> Iterator[Aspect]:
    """All aspects of which either of the two says something."""
    for part in (_tcp, _tls, _http, _http2, _websocket):
        for aspect in part(pair):
            if aspect.ours or aspect.theirs:
                yield aspect


def _exact(name: str, ours: list[Seen], theirs: list[Seen]) -> Aspect:
    """The same things in the same packets."""
    first, second = collections.Counter(ours), collections.Counter(theirs)
    lone: list[tuple[By, Seen]] = [("analyzer", one) for one in (first - second).elements()]
    lone += [("tshark", one) for one in (second - first).elements()]
    return Aspect(name, ours, theirs, lone)


def _value(name: str, ours: str | None, theirs: str | None) -> Aspect:
    return _exact(name, [Seen(ours)] if ours is not None else [], [Seen(theirs)] if theirs is not None else [])


def _counts(name: str, ours: collections.Counter[str], theirs: collections.Counter[str]) -> Aspect:
    """How many of each."""
    first, second = ([Seen(f"{what} {number}") for what, number in sorted(side.items())] for side in (ours, theirs))
    lone: list[tuple[By, Seen]] = [("analyzer", Seen(what)) for what in (ours - theirs).elements()]
    lone += [("tshark", Seen(what)) for what in (theirs - ours).elements()]
    return Aspect(name, first, second, lone)


# TCP.


def _tcp(pair: Pair) -> Iterator[Aspect]:
    connection, counted = pair.connection, pair.stream.packets
    yield _value("stream", str(connection.tcp_stream), str(pair.stream.number))
    client = counted.get((connection.client.address, connection.client.port), 0)
    yield _value(
        "packets",
        f"client {connection.packets.client}, server {connection.packets.server}",
        f"client {client}, server {sum(counted.values()) - client}",
    )
    yield _steps("open", [connection.open], _OPENING.get, _flags(pair, "SYN", "SYN-ACK"))
    # Here a RST that refuses a SYN belongs to the opening.
    yield _steps("close", [connection.open, connection.close], _CLOSING.get, _flags(pair, "FIN", "RST"))


def _flags(pair: Pair, *kinds: str) -> list[Seen]:
    return [Seen(fact.kind, fact.packet, pair.side(fact)) for fact in pair.theirs(*kinds)]


def _steps(
    name: str, verdicts: Iterable[model.Verdict], called: Callable[[str], str | None], theirs: list[Seen]
) -> Aspect:
    """What was observed, of the steps that have a name. Of equal ones that were folded, the first and the last packet
    are known, so that those in between are taken as agreed upon, as far as there were so many."""
    ours = []
    for verdict in verdicts:
        for step in verdict.steps:
            what = called(step.step)
            if what is None or step.seen != "observed":
                continue
            ours.append(Seen(what, step.packet, step.side))
            if step.times > 1:
                between = [
                    one
                    for one in theirs
                    if (one.what, one.side) == (what, step.side) and step.packet < (one.packet or 0) < step.last_packet
                ]
                ours += [*between[: step.times - 2], Seen(what, step.last_packet, step.side)]
    return _exact(name, ours, theirs)


# TLS.


def _tls(pair: Pair) -> Iterator[Aspect]:
    layers = words.secured(pair.connection)
    first = layers[0] if layers else None
    version = _first(pair, "version")
    yield _value("TLS version", first.version if first else None, version)
    yield _value("cipher suite", first.cipher_suite if first else None, _first(pair, "cipher suite"))
    yield _value("server name", first.server_name if first else None, _first(pair, "server name"))
    yield _value("ALPN", first.alpn if first else None, _first(pair, "alpn"))
    verdicts = [verdict for tls in layers for verdict in tls.handshakes]
    skipped = _AFTER_HANDSHAKE if version == "TLS 1.3" else ()
    known = _HANDSHAKE.difference(skipped)
    yield _steps(
        "TLS messages",
        verdicts,
        lambda step: step if step in known else None,
        [one for one in pair.seen("handshake") if one.what not in skipped],
    )
    alerts = [alert for tls in layers for alert in tls.alerts if alert.description]
    yield _exact("alerts", [Seen(str(one.description), one.packet, one.side) for one in alerts], pair.seen("alert"))


def _first(pair: Pair, kind: str) -> str | None:
    return next((fact.value for fact in pair.theirs(kind)), None)


# HTTP.


def _http(pair: Pair) -> Iterator[Aspect]:
    requests, responses = [], []
    for one in (one for http in words.spoken(pair.connection) for one in http.exchanges):
        if one.request is not None:
            what = f"{one.request.method} {one.request.target or one.request.authority or ''}"
            requests.append(Seen(what, one.request.packet, stream=one.stream))
        responses += [Seen(str(status), stream=one.stream) for status in one.interim]
        if one.response is not None and one.response.status is not None:
            responses.append(Seen(str(one.response.status), one.response.packet, stream=one.stream))
    for name, ours in (("request", requests), ("response", responses)):
        theirs = [Seen(fact.value, fact.packet, stream=fact.stream) for fact in pair.theirs(name)]
        yield _messages(f"{name}s", ours, theirs)


def _messages(name: str, ours: list[Seen], theirs: list[Seen]) -> Aspect:
    """Messages by stream and content. Here a message has the packet of its first byte; there that in which tshark had
    all it waited for, which cannot come earlier."""
    wanted = collections.defaultdict[tuple[int | None, str], list[Seen]](list)
    for one in ours:
        wanted[one.stream, one.what].append(one)
    lone: list[tuple[By, Seen]] = []
    for one in theirs:
        same = wanted[one.stream, one.what]
        if same and (same[0].packet or 0) <= (one.packet or 0):
            same.pop(0)
        else:
            lone.append(("tshark", one))
    return Aspect(name, ours, theirs, [("analyzer", one) for same in wanted.values() for one in same] + lone)


def _http2(pair: Pair) -> Iterator[Aspect]:
    https = [http for http in words.spoken(pair.connection) if http.frames]
    frames = [fact for fact in pair.theirs("frame") if fact.value != "Magic"]
    ours = collections.Counter[str]()
    for http in https:
        ours.update(http.frames)
    yield _counts("HTTP/2 frames", ours, collections.Counter(fact.value.split(" ")[0] for fact in frames))
    resets = (one for http in https for one in http.exchanges)
    yield _exact(
        "resets",
        [Seen(one.reset.error, one.reset.packet, one.reset.side, one.stream) for one in resets if one.reset],
        [Seen(_error(fact), fact.packet, pair.side(fact), fact.stream) for fact in _of(frames, "RST_STREAM")],
    )
    yield _exact(
        "GOAWAY",
        [Seen(one.error, one.packet, one.side) for http in https for one in http.goaway],
        [Seen(_error(fact), fact.packet, pair.side(fact)) for fact in _of(frames, "GOAWAY")],
    )


def _of(frames: list[Fact], kind: str) -> list[Fact]:
    return [fact for fact in frames if fact.value.split(" ")[0] == kind]


def _error(frame: Fact) -> str:
    return frame.value.partition(" ")[2]


def _websocket(pair: Pair) -> Iterator[Aspect]:
    ours, theirs = collections.Counter[str](), collections.Counter[str]()
    for http in words.spoken(pair.connection):
        for websocket in (http.websocket, *(one.websocket for one in http.exchanges)):
            if websocket:
                for side, frames in (("client", websocket.frames.client), ("server", websocket.frames.server)):
                    ours.update({f"{side} {name}": number for name, number in frames.items()})
    for fact in pair.theirs("websocket"):
        theirs[f"{pair.side(fact)} {_OPCODES.get(int(fact.value), fact.value)}"] += 1
    yield _counts("WebSocket frames", ours, theirs)
