"""What claims and the comparison come to, and what they look at in a connection."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import ClassVar, Final, Literal, NamedTuple

import msgspec

from analyzer import model

Verdict = Literal["supported", "contradicted", "not-seen"]

HTTP_1_1: Final = "HTTP/1.1"
HTTP_2: Final = "HTTP/2"
# What ALPN says of bytes that nobody decrypted, RFC 7301 §6.
_VERSIONS_BY_ALPN: Final = {"http/1.1": HTTP_1_1, "h2": HTTP_2}

_PLACES = 5  # packets named for or against a claim


class Place(msgspec.Struct, frozen=True, gc=False):
    """A packet, as Wireshark counts it, and the connection it belongs to."""

    capture: str
    connection: int
    packet: int


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A claim and what the captures say of it. `packets` are those of `evidence`."""

    id: str
    claim: str
    verdict: Verdict
    packets: list[int]
    seen: str
    in_general: str
    standard: str
    evidence: list[Place] = []


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One measure of both versions. None: there is no such version in the captures, or no such thing in the version."""

    property: str  # as the article's table names it
    measured: str
    http1: float | int | None
    http2: float | int | None
    unit: str


class NotRead(msgspec.Struct, frozen=True, kw_only=True):
    """Connections that are HTTP by their ALPN, and whose exchanges could not be read for want of keys."""

    http1: int
    http2: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What `analyzer claims` prints. `comparison` is of the connections whose HTTP could be read."""

    connections: int  # that were looked at
    claims: list[Judged]
    comparison: list[Row]
    not_read: NotRead


class Places:
    """How often something was seen, and the first few times where."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[Place] = []

    def add(self, seen: Seen, *packets: int | None) -> None:
        """Once more, in some packets."""
        self.count += 1
        capture, connection = seen.connection.capture, seen.connection.id
        for packet in packets:
            if packet is not None and len(self.first) < _PLACES:
                place = Place(capture, connection, packet)
                if place not in self.first:
                    self.first.append(place)


class Seen(NamedTuple):
    """A connection, and of what is nested in it the innermost HTTP that could be read and the TLS around that. A
    request that only made a tunnel is left out where one can see what runs inside."""

    connection: model.Connection
    http: model.Http | None
    tls: model.Tls | None
    switched: bool  # there is a tunnel, or the connection changed its protocol
    unread: str | None  # the version of HTTP by ALPN, where the HTTP itself could not be read

    @classmethod
    def of(cls, connection: model.Connection) -> Seen:
        http: model.Http | None = connection.http
        tls, tunnel = connection.tls, connection.tunnel
        if tunnel is not None and (tunnel.http is not None or tunnel.tls is not None):
            http, tls = tunnel.http, tunnel.tls or tls
        elif tunnel is None and http is not None and http.websocket is not None:
            return cls(connection, http, tls, True, None)
        unread = None
        if http is not None and http.connection.cause == "no-keys":
            unread, http = http.version, None
        elif http is None and tls is not None and not tls.decrypted and tls.application_bytes.client:
            unread = _VERSIONS_BY_ALPN.get(tls.alpn or "")
        return cls(connection, http, tls, tunnel is not None, unread)

    def http_of(self, version: str) -> model.Http | None:
        """Its HTTP, if that is of this version."""
        return self.http if self.http is not None and self.http.version == version else None

    @property
    def started_ns(self) -> int:
        """The first packet's time since 1970 UTC, to the microsecond."""
        moment = datetime.datetime.fromisoformat(self.connection.start)
        return (moment - _EPOCH) // datetime.timedelta(microseconds=1) * 1000

    @property
    def closed(self) -> bool:
        """Whether the capture shows how it was closed."""
        return shown(self.connection.close)


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class Check:
    """Holds one claim against connections. `rule`: what decides where the captures have both, for and against.

    every: the claim is about all connections, so that one counterexample contradicts it;
    any: it says that something is possible, so that one example supports it;
    most: it says what is usual.
    """

    rule: ClassVar[Literal["every", "any", "most"]] = "every"

    def __init__(self) -> None:
        self.pro, self.contra = Places(), Places()

    def look(self, seen: Seen) -> None:
        """One more connection."""
        raise NotImplementedError

    def conclude(self) -> None:
        """Called once, after all connections: for what only shows when they are all known."""

    def tell(self) -> str:
        """What was seen, in a sentence."""
        raise NotImplementedError

    def verdict(self) -> Verdict:
        pro, contra = self.pro.count, self.contra.count
        if not pro and not contra:
            return "not-seen"
        if not pro or not contra:
            return "supported" if pro else "contradicted"
        wins = {"every": False, "any": True, "most": pro > contra}[self.rule]
        return "supported" if wins else "contradicted"

    def places(self) -> list[Place]:
        match self.verdict():
            case "supported":
                return self.pro.first
            case "contradicted":
                return self.contra.first
            case _:
                return []


def shown(verdict: model.Verdict) -> bool:
    """Whether the capture shows the whole of what a verdict is about, and it followed a flow."""
    return verdict.outcome in ("documented", "variant")


def first_step(verdict: model.Verdict, side: model.Side, *names: str) -> model.Step | None:
    """The first step of a side with one of these names."""
    return next((step for step in verdict.steps if step.side == side and step.step in names), None)


def packet_of(one: model.Exchange) -> int | None:
    """The packet an exchange begins in."""
    return one.request.packet if one.request else one.response.packet if one.response else None


def messages(http: model.Http) -> Iterator[model.Request | model.Response]:
    """The requests and responses that are listed."""
    for one in http.exchanges:
        if one.request:
            yield one.request
        if one.response:
            yield one.response


def sentence(*parts: str) -> str:
    """The parts that say something, as one sentence."""
    said = "; ".join(filter(None, parts))
    return said[:1].upper() + said[1:] + "."


def share(part: int, whole: int) -> str:
    """A percentage in words."""
    return f"{100 * part / whole:.0f} %"
