"""All the steps of a connection in one order, with their fields: what pages about whole connections look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from analyzer import model
from analyzer.dissector.applications import Application
from analyzer.dissector.layer import Layer
from analyzer.dissector.recognition import inside, kind_of
from analyzer.flows import whole
from analyzer.flows.diagram import HEADERS
from analyzer.flows.expression import ABSENT, CLIENT, SERVER
from analyzer.reporter import words
from analyzer.reporter.inside import lost_below, lost_here

if TYPE_CHECKING:
    from analyzer.dissector.http1 import connection as http1
    from analyzer.dissector.http1 import exchanges as found1
    from analyzer.dissector.http2 import connection as http2
    from analyzer.dissector.http2 import exchanges as found2
    from analyzer.dissector.tls import connection as tls

_SIDES: Final = {"client": CLIENT, "server": SERVER}
_HEADER: Final = HEADERS[:-1]
_RESPONSES: Final = ("HTTP Response", "Cut Response", "Upgrade", "Tunnel")
_FOLLOWED: Final = ("documented", "variant")
_NOTHING: Final[Mapping[str, object]] = {}

Headers = Callable[[], Sequence[tuple[str, str]] | None]  # None: they are not known


class Observed:
    """A step, and where it was seen. `connection`: which one of its conversation, from 1."""

    __slots__ = ("_fields", "_headers", "_source", "connection", "name", "of", "packet", "side")

    def __init__(
        self,
        of: model.Connection,
        side: int,
        name: str,
        packet: int,
        source: object = None,
        fields: Mapping[str, object] = _NOTHING,
        headers: Headers | None = None,
    ):
        self.of = of
        self.side = side
        self.name = name
        self.packet = packet
        self.connection = 1
        self._source, self._fields, self._headers = source, fields, headers

    def value(self, field: str) -> object:
        """What an attribute test compares; None: the step has no such field, or it is not known."""
        if field in self._fields:
            return self._fields[field]
        if field == "port":
            return self.of.server.port
        if field == "connection":
            return self.connection
        if field.startswith(_HEADER):
            return self._header(field.removeprefix(_HEADER))
        return getattr(self._source, field, None)

    def _header(self, name: str) -> object:
        lines = self._headers() if self._headers is not None else None
        if lines is None:
            return None
        values = tuple(value for one, value in lines if one.lower() == name)
        return (values[0] if len(values) == 1 else values) if values else ABSENT


class Hidden(NamedTuple):
    """Why the steps of a connection may not be all there: the cause, and the layers it concerns."""

    cause: model.Cause
    names: frozenset[str]  # steps; empty: all of them


class Life(NamedTuple):
    """A connection and its steps, in the order they were seen."""

    connection: model.Connection
    steps: list[Observed]
    hidden: list[Hidden]


def observe(connection: model.Connection, content: Application | None) -> Life:
    """The steps of a connection. `content`: what was found inside it."""
    steps: list[Observed] = list(_of_tcp(connection))
    hidden: list[Hidden] = []
    if connection.open.cause in ("mid-stream", "one-sided"):
        hidden.append(Hidden(connection.open.cause, frozenset()))
    if connection.close.outcome == "unseen" and connection.close.cause not in (None, "never-opened"):
        hidden.append(Hidden(connection.close.cause, frozenset((*whole.TCP, "ref tcp-close"))))
    if content is not None and content.layer is not None:
        if (below := lost_below(content)) is not None:
            hidden.append(Hidden(below, frozenset()))
        steps += _of_layer(connection, content.layer, hidden, secured=False)
    steps += _references(connection, hidden)
    # Python's sort is stable: what one packet brought stays in the order of the layers.
    steps.sort(key=lambda step: step.packet)
    return Life(connection, steps, hidden)


def _of_tcp(connection: model.Connection) -> Iterator[Observed]:
    for step in (*connection.open.steps, *connection.close.steps):
        if not step.retransmission:
            yield Observed(connection, _SIDES[step.side], step.step, step.packet)


def _of_layer(connection: model.Connection, layer: Layer, hidden: list[Hidden], *, secured: bool) -> Iterator[Observed]:
    kind = kind_of(cast("type", layer.__class__))
    if (why := lost_here(getattr(layer, "lost", None))) is not None:
        hidden.append(Hidden(why, frozenset()))
    if kind == "tls":
        yield from _of_tls(connection, cast("tls.Dissector", layer), hidden)
    elif kind == "http1":
        yield from _of_http1(connection, cast("http1.Dissector", layer), secured=secured)
    elif kind == "http2":
        yield from _of_http2(connection, cast("http2.Dissector", layer), secured=secured)
    for below in inside(layer):
        if getattr(below, "inner", None) is not None:
            yield from _of_layer(connection, below.inner, hidden, secured=secured or kind == "tls")


def _of_tls(connection: model.Connection, dissector: tls.Dissector, hidden: list[Hidden]) -> Iterator[Observed]:
    for event in dissector.events:
        if event.step in whole.TLS:
            yield Observed(connection, _SIDES[event.side], event.step, event.packet, event)
    if any(event.seen == "hidden" for event in dissector.events):
        hidden.append(Hidden("no-keys", frozenset(whole.TLS)))
    if not dissector.decrypted and any(dissector.application_bytes):
        hidden.append(Hidden("no-keys", frozenset((*whole.HTTP, *whole.HTTP2, "ref http1", "ref http2"))))


def _of_http1(connection: model.Connection, dissector: http1.Dissector, *, secured: bool) -> Iterator[Observed]:
    responses = {id(one.request): one.response for one in dissector.exchanges if one.request is not None}
    for event in dissector.events:
        message = event.request if event.step == "HTTP Request" else None
        if event.step in _RESPONSES and event.request is not None:
            message = responses.get(id(event.request))
        yield Observed(
            connection, _SIDES[event.side], event.step, event.packet, event,
            {"tls": secured, "stream": None}, _fields1(message),
        )  # fmt: skip


def _fields1(message: found1.Message | None) -> Headers | None:
    return None if message is None else lambda: message.fields if message.block else None


def _of_http2(connection: model.Connection, dissector: http2.Dissector, *, secured: bool) -> Iterator[Observed]:
    """The frames that concern the connection, and the exchanges as steps of HTTP."""

    def seen(event: found2.Http2Event, name: str, message: found2.Message | None = None, **fields: object) -> Observed:
        more = {"tls": secured, "version": dissector.version, **fields}
        return Observed(connection, _SIDES[event.side], name, event.packet, event, more, _fields2(message))

    for event in dissector.events:
        if event.step != "HEADERS":
            yield seen(event, event.step)
    for one in dissector.exchanges:
        yield from _of_exchange(one, seen)


def _of_exchange(one: found2.Exchange, seen: Callable[..., Observed]) -> Iterator[Observed]:
    status = None if one.response is None else one.response.status
    asked, last = False, None
    for event in one.events:
        if event.side == "client" and event.step == "HEADERS":
            asked = True
            yield seen(event, "HTTP Request", one.request)
        elif event.step == "PUSH_PROMISE":
            asked = True
            yield seen(event, event.step, one.request)
        elif event.step == "Interim HEADERS":
            yield seen(event, "Interim Response")
        elif event.side == "server" and event.step == "END_STREAM" and one.response is not None:
            yield seen(event, "HTTP Response", one.response, status=status)
            last = None
        elif event.step == "RST_STREAM":
            yield seen(event, event.step, status=status)
        elif event.side == "server" and event.step in ("HEADERS", "DATA", "Trailers"):
            last = event
    if last is not None and asked:
        yield seen(last, "Cut Response", one.response, status=status)


def _fields2(message: found2.Message | None) -> Headers | None:
    if message is None:
        return None
    return lambda: message.fields if message.header_fields and not message.fields_unknown else None


def _references(connection: model.Connection, hidden: list[Hidden]) -> Iterator[Observed]:
    """The verdicts of the scopes, each where its last step is."""
    yield from _reference(connection, "tcp-open", connection.open, {}, hidden)
    for secured in words.secured(connection):
        fields = {
            "version": secured.version,
            "cipher_suite": secured.cipher_suite,
            "key_exchange": secured.key_exchange,
            "sni": secured.server_name,
            "alpn": secured.alpn,
            "resumed": secured.resumed,
            "client_authenticated": secured.client_authenticated,
        }
        for handshake in secured.handshakes:
            yield from _reference(connection, "tls", handshake, fields, hidden)
    for http in words.spoken(connection):
        scope = "http2" if http.version == "HTTP/2" else "http1"
        yield from _reference(connection, scope, http.connection, {"version": http.version}, hidden)
    fields = {"closed_by": connection.close.closed_by}
    yield from _reference(connection, "tcp-close", connection.close, fields, hidden)


def _reference(
    connection: model.Connection, scope: str, verdict: model.Verdict, fields: dict[str, Any], hidden: list[Hidden]
) -> Iterator[Observed]:
    name = f"ref {scope}"
    if verdict.outcome == "unseen":
        if verdict.cause not in (None, "never-opened"):
            hidden.append(Hidden(verdict.cause, frozenset((name,))))
        return
    if not verdict.steps or verdict.outcome == "incomplete":
        return
    flow = verdict.flow if verdict.outcome in _FOLLOWED else None
    last = verdict.steps[-1]
    begun_by = verdict.begun_by or "client"
    yield Observed(
        connection, _SIDES[begun_by], name, last.last_packet, None,
        {"flow": flow, "begun_by": begun_by, **fields},
    )  # fmt: skip
