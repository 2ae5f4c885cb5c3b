"""What runs inside a connection, protocol by protocol from the outside in, as the report tells it."""

from __future__ import annotations

import functools
from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import msgspec

from analyzer import model
from analyzer.dissector import layout
from analyzer.dissector.applications import Application, Applications
from analyzer.dissector.handover import Handover
from analyzer.dissector.http1 import connection as http1
from analyzer.dissector.http1.exchanges import Exchange
from analyzer.dissector.layer import Layer
from analyzer.dissector.recognition import inside, kind_of
from analyzer.dissector.undecided import Undecided
from analyzer.dissector.websocket import Dissector as WebSocket
from analyzer.flows.library import Library
from analyzer.reporter.http import HttpLabeler, websocket_of
from analyzer.reporter.labels import Found
from analyzer.reporter.lifecycle import HIDDEN, LifecycleLabeler
from analyzer.reporter.shapes import Part
from analyzer.reporter.verdicts import Circumstances, faults_of

if TYPE_CHECKING:
    from analyzer.dissector import socks
    from analyzer.dissector.http2 import connection as http2
    from analyzer.dissector.starttls import connection as starttls
    from analyzer.dissector.tls import connection as tls
    from analyzer.dissector.tls.roots import Roots
    from analyzer.reporter.http2 import Http2Labeler
    from analyzer.reporter.tls import TlsLabeler

MOST_PARTS: Final = 256  # of a connection's life, in a line that has a template
_MOST_FAULTS: Final = 1000  # of an HTTP/2 connection and of what runs inside its streams

# What TLS carries where it is not read but named, RFC 7301 §6.
_SCOPES_BY_ALPN = {"http/1.1": "http1", "http/1.0": "http1", "h2": "http2"}


class Contents(NamedTuple):
    """What was found in one layer and in those inside it: of each kind the outermost. Times are ns since 1970."""

    tls: model.Tls | None = None
    http: model.Http | None = None
    tunnel: model.Tunnel | None = None
    faults: tuple[model.Fault, ...] = ()
    first_response_ns: int | None = None
    tls_ns: int | None = None  # how long the first handshake took
    parts: tuple[Part, ...] = ()  # of the connection's life, between its opening and its close
    exchanges: int | None = None  # of the part that carried them
    unread: str | None = None  # as `LifecycleLabeler.label` has it


class Written(NamedTuple):
    """What was found inside a connection, for a line whose template has places for it."""

    shape: tuple[object, ...]  # all that the rest of the line depends on, besides numbers
    texts: list[bytes]  # JSON of `Found.tls`, `http` and `tunnel`, and of `faults` without the brackets
    # `Found.tls_ns` and `first_response_ns`, 0 where there is none; last packet and time of each part that has steps
    numbers: list[int]


class InsideLabeler:
    """Labels what runs inside connections (`labels.Inside`).

    `applications`: where what was found in a finished row's connection is taken from; `roots`: whose certificates are
    trusted; `headers`: list header fields; `secrets`: those that hold secrets, too.
    """

    def __init__(
        self,
        library: Library,
        applications: Applications,
        roots: Roots,
        *,
        headers: bool = False,
        secrets: bool = False,
    ):
        self.applications = applications
        self.automaton = library.automaton("http1")
        self.headers = headers
        self._library, self._roots, self._secrets = library, roots, secrets
        # Where frames are to be drawn: those of the connection labelled last, by its id, if it had any HTTP/2.
        self.frame_logs: dict[int, array[int]] | None = None
        self._frame_log: array[int] | None = None
        self._http = HttpLabeler(library, headers=headers, secrets=secrets)
        self._lifecycle = LifecycleLabeler(library)
        self._encoder = msgspec.json.Encoder()

    # Only when a connection speaks them: their pages and tables take time to load.

    @functools.cached_property
    def _http2(self) -> Http2Labeler:
        from analyzer.reporter.http2 import Http2Labeler

        return Http2Labeler(self._library, headers=self.headers, secrets=self._secrets)

    @functools.cached_property
    def _tls(self) -> TlsLabeler:
        from analyzer.reporter.tls import TlsLabeler

        return TlsLabeler(self._library, self._roots)

    def exchange(self, exchange: Exchange, start_ns: int) -> model.Exchange:
        """One exchange alone."""
        return self._http.exchange(exchange, start_ns)

    def label(
        self, row: list[int], application: Application | None, opening: model.Verdict, close: model.Verdict
    ) -> Found:
        """`application`: the row's connection, as `applications` gave it."""
        found, start_ns = Contents(), row[layout.START_NS]
        if application is not None and application.layer is not None:
            found = self._contents(application.layer, _around(application, start_ns, row[layout.FLAGS]))
            if self.frame_logs is not None:
                self.frame_logs.clear()
                if self._frame_log:
                    self.frame_logs[row[layout.ID]] = self._frame_log
            self._frame_log = None
        inner = ((scope, judged.verdict) for scope, judged in found.parts)
        parts = (("tcp-open", opening), *inner, ("tcp-close", close))
        first = found.first_response_ns
        proxy = None if application is None else application.proxy
        return Found(
            found.tls,
            found.http,
            found.tunnel,
            self._lifecycle.label(parts, found.exchanges, unread=found.unread),
            found.faults,
            None if proxy is None else 1 if proxy.version == 1 else 2,
            None if proxy is None else proxy.source,
            None if first is None else first - start_ns,
            found.tls_ns,
        )

    def written(self, application: Application, start_ns: int, flags: int) -> Written | None:
        """What `label` finds, as text. `flags`: FLAGS of the connection's row. None: its divergence, or how many parts
        its life has, makes it unlike all others."""
        assert application.layer is not None
        found = self._contents(application.layer, _around(application, start_ns, flags)._replace(written=True))
        self._frame_log = None
        if len(found.parts) > MOST_PARTS or any(judged.diverged for _, judged in found.parts):
            return None
        first, tls_ns = found.first_response_ns, found.tls_ns
        encode = self._encoder.encode
        numbers = [0 if tls_ns is None else tls_ns, 0 if first is None else first - start_ns]
        for _, judged in found.parts:
            numbers += judged.numbers[-3:-1]
        return Written(
            (
                found.tls is None, found.http is None, found.tunnel is None, not found.faults, tls_ns is None,
                first is None, found.exchanges, found.unread,
                *((scope, judged.shape.text) for scope, judged in found.parts),
            ),
            [
                encode(found.tls),
                encode(found.http),
                encode(found.tunnel),
                encode(found.faults)[1:-1],
            ],
            numbers,
        )  # fmt: skip

    def _contents(self, layer: Layer, around: Circumstances, *, inside_tls: bool = False) -> Contents:
        match kind_of(cast("type", layer.__class__)):
            case "http1":
                return self._http1(cast("http1.Dissector", layer), around)
            case "http2":
                return self._http2_connection(cast("http2.Dissector", layer), around, inside_tls=inside_tls)
            case "tls":
                return self._inside_tls(cast("tls.Dissector", layer), around)
            case "socks" | "starttls" | "unknown":
                return self._behind_prelude(layer, around)
            case _:
                return Contents()

    def _http1(self, dissector: http1.Dissector, around: Circumstances) -> Contents:
        http, judged = self._http.label(dissector, _as_seen_by(dissector.lost, around))
        found, tunnel = self._tunnel(dissector.handover, around)
        first = min((one.first_byte_ns for one in dissector.exchanges if one.first_byte_ns is not None), default=None)
        faults = (*faults_of(dissector), *found.faults)
        parts: tuple[Part, ...] = (("http1", judged),)
        exchanges: int | None = _count(http)
        if dissector.handover is not None and dissector.handover.protocol == "h2c" and found.parts:
            parts, exchanges = (*parts, *found.parts), found.exchanges
        return Contents(found.tls, http, tunnel, faults, first, found.tls_ns, parts, exchanges)

    def _http2_connection(
        self, dissector: http2.Dissector, around: Circumstances, *, inside_tls: bool = False
    ) -> Contents:
        http, judged = self._http2.label(dissector, _as_seen_by(dissector.lost, around), tls=inside_tls)
        first = min((one.first_byte_ns for one in dissector.exchanges if one.first_byte_ns is not None), default=None)
        self._frame_log = dissector.multiplexing.log
        faults = faults_of(dissector)
        for place, one in enumerate(dissector.exchanges[: len(http.exchanges)]):
            if one.tunnel is not None:
                http.exchanges[place], inside = self._stream_tunnel(http.exchanges[place], one, around)
                faults += inside[: max(0, _MOST_FAULTS - len(faults))]
        return Contents(
            http=http,
            faults=tuple(faults),
            first_response_ns=first,
            parts=(("http2", judged),),
            exchanges=_count(http),
        )

    def _stream_tunnel(
        self, exchange: model.Exchange, one: http2.Exchange, around: Circumstances
    ) -> tuple[model.Exchange, tuple[model.Fault, ...]]:
        """A stream with what runs inside it, and the faults of that."""
        handover = one.tunnel
        assert handover is not None
        over = one.finished_ns is not None or one.closed_by_reset is not None
        found, tunnel = self._tunnel(handover, around._replace(ended=around.ended or over))
        if isinstance(handover.inner, WebSocket):
            return msgspec.structs.replace(exchange, websocket=websocket_of(handover.inner)), found.faults
        return msgspec.structs.replace(exchange, tunnel=tunnel), found.faults

    def _inside_tls(self, dissector: tls.Dissector, around: Circumstances) -> Contents:
        labelled, handshakes = self._tls.label(dissector, _as_seen_by(dissector.lost, around))
        plain = dissector.plain.inner if isinstance(dissector.plain, Undecided) else None
        found = Contents() if plain is None else self._contents(plain, around, inside_tls=True)
        unread = None
        if plain is None and not dissector.decrypted:
            unread = HIDDEN if dissector.first.tls13 else _SCOPES_BY_ALPN.get(dissector.alpn or "")
        started, finished = dissector.started_ns, dissector.finished_ns
        return found._replace(
            tls=labelled,
            faults=(*faults_of(dissector), *found.faults),
            tls_ns=None if started is None or finished is None else finished - started,
            parts=(*(("tls", one) for one in handshakes), *found.parts),
            unread=unread,
        )

    def _behind_prelude(self, layer: Layer, around: Circumstances) -> Contents:
        """What comes after a dialogue that leads to it is the connection's own."""
        dissector = cast("socks.Dissector | starttls.Dissector", layer)
        found, tunnel = self._tunnel(dissector.handover, around)
        return found._replace(tunnel=tunnel, faults=(*dissector.faults, *found.faults))

    def _tunnel(self, handover: Handover | None, around: Circumstances) -> tuple[Contents, model.Tunnel | None]:
        if handover is None:
            return Contents(), None
        if isinstance(handover.inner, WebSocket):
            return Contents(faults=tuple(handover.inner.faults)), None
        found = Contents()
        if handover.inner is not None:
            # The beginning of the tunnel was captured, whatever was before.
            lost = None if around.lost == "mid-stream" else around.lost
            found = self._contents(handover.inner, around._replace(lost=lost))
        return found, model.Tunnel(_after(handover), model.PerSide(*handover.bytes), tls=found.tls, http=found.http)


def layers(layer: Layer) -> Iterator[Layer]:
    """A dissector, and those of all that runs inside it, also in HTTP/2 streams that are closed."""
    yield layer
    found = inside(layer)
    if kind_of(cast("type", layer.__class__)) == "http2":
        exchanges = cast("http2.Dissector", layer).exchanges
        found += [one.tunnel for one in exchanges if one.tunnel is not None and one.tunnel not in found]
    for one in found:
        if one.inner is not None:
            yield from layers(one.inner)


def _around(application: Application, start_ns: int, flags: int) -> Circumstances:
    """`flags`: FLAGS of the connection's row."""
    ended = bool(flags & (layout.ENDED | layout.REUSED))
    return Circumstances(start_ns, lost_below(application), ended, evicted=bool(flags & layout.EVICTED))


def _count(http: model.Http) -> int:
    return len(http.exchanges) + http.exchanges_not_listed


def _after(handover: Handover) -> str:
    match handover.protocol:
        case "tunnel":
            return f"CONNECT {handover.target}"
        case "starttls":
            return f"STARTTLS {handover.target}"
        case "socks":
            return str(handover.target)
        case "unknown":
            return "a protocol that is not known here"
        case _:
            return f"Upgrade {handover.protocol}"


def _as_seen_by(why: str | None, around: Circumstances) -> Circumstances:
    """The circumstances with what a dissector itself missed, and why."""
    lost = around.lost if around.lost == "mid-stream" else lost_here(why) or around.lost
    return around._replace(lost=lost)


def lost_below(application: Application) -> model.Cause | None:
    """Why bytes may be missing that no layer knows of."""
    if application.midstream:
        return "mid-stream"
    return "lost-in-capture" if application.client.lost or application.server.lost else None


def lost_here(why: str | None) -> model.Cause | None:
    """The cause for which steps may be missing, if it lies in the capture and not in the traffic."""
    match why:
        case None | "framing":
            return None
        case "mid-stream" | "snaplen":
            return why
        case _:
            return "lost-in-capture"
