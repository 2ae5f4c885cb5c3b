"""What runs inside a connection, protocol by protocol from the outside in, as the report tells it."""

from __future__ import annotations

from typing import NamedTuple

from analyzer import model
from analyzer.dissector import layout, socks, unknown
from analyzer.dissector.applications import Application, Applications
from analyzer.dissector.handover import Handover
from analyzer.dissector.http1 import connection as http1
from analyzer.dissector.http1.exchanges import Exchange
from analyzer.dissector.layer import Layer
from analyzer.dissector.starttls import connection as starttls
from analyzer.dissector.tls import connection as tls
from analyzer.dissector.tls.roots import Roots
from analyzer.dissector.undecided import Undecided
from analyzer.dissector.websocket import Dissector as WebSocket
from analyzer.flows.library import Library
from analyzer.reporter.http import HttpLabeler, faults_of
from analyzer.reporter.labels import Found
from analyzer.reporter.lifecycle import HIDDEN, LifecycleLabeler
from analyzer.reporter.tls import TlsLabeler
from analyzer.reporter.tls import faults_of as tls_faults_of
from analyzer.reporter.verdicts import Circumstances

Part = tuple[str, model.Verdict]  # a scope and what it came to

# What TLS carries where it is not read but named, RFC 7301 §6.
_SCOPES_BY_ALPN = {"http/1.1": "http1", "http/1.0": "http1"}


class Contents(NamedTuple):
    """What was found in one layer and in those inside it: of each kind the outermost. Times are ns since 1970."""

    tls: model.Tls | None = None
    http: model.Http | None = None
    tunnel: model.Tunnel | None = None
    faults: tuple[model.Fault, ...] = ()
    first_response_ns: int | None = None
    tls_ns: int | None = None  # how long the first handshake took
    parts: tuple[Part, ...] = ()  # of the connection's life, between its opening and its close
    unread: str | None = None  # as `LifecycleLabeler.label` has it


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
        self._http = HttpLabeler(library, headers=headers, secrets=secrets)
        self._tls = TlsLabeler(library, roots)
        self._lifecycle = LifecycleLabeler(library)

    def exchange(self, exchange: Exchange, start_ns: int) -> model.Exchange:
        """One exchange alone."""
        return self._http.exchange(exchange, start_ns)

    def label(
        self, row: list[int], application: Application | None, opening: model.Verdict, close: model.Verdict
    ) -> Found:
        """`application`: the row's connection, as `applications` gave it."""
        found, start_ns = Contents(), row[layout.START_NS]
        if application is not None and application.layer is not None:
            flags = row[layout.FLAGS]
            around = Circumstances(
                start_ns,
                _lost_below(application),
                ended=bool(flags & (layout.ENDED | layout.REUSED)),
                evicted=bool(flags & layout.EVICTED),
            )
            found = self._contents(application.layer, around)
        exchanges = None if found.http is None else len(found.http.exchanges) + found.http.exchanges_not_listed
        parts = (("tcp-open", opening), *found.parts, ("tcp-close", close))
        first = found.first_response_ns
        proxy = None if application is None else application.proxy
        return Found(
            found.tls,
            found.http,
            found.tunnel,
            self._lifecycle.label(parts, exchanges, unread=found.unread),
            found.faults,
            None if proxy is None else 1 if proxy.version == 1 else 2,
            None if proxy is None else proxy.source,
            None if first is None else first - start_ns,
            found.tls_ns,
        )

    def _contents(self, layer: Layer, around: Circumstances) -> Contents:
        match layer:
            case http1.Dissector():
                return self._http1(layer, around)
            case tls.Dissector():
                return self._inside_tls(layer, around)
            case socks.Dissector() | starttls.Dissector() | unknown.Dissector():
                return self._behind_prelude(layer, around)
            case _:
                return Contents()

    def _http1(self, dissector: http1.Dissector, around: Circumstances) -> Contents:
        http = self._http.label(dissector, _as_seen_by(dissector.lost, around))
        found, tunnel = self._tunnel(dissector.handover, around)
        first = min((one.first_byte_ns for one in dissector.exchanges if one.first_byte_ns is not None), default=None)
        faults = (*faults_of(dissector), *found.faults)
        return Contents(found.tls, http, tunnel, faults, first, found.tls_ns, (("http1", http.connection),))

    def _inside_tls(self, dissector: tls.Dissector, around: Circumstances) -> Contents:
        labelled = self._tls.label(dissector, _as_seen_by(dissector.lost, around))
        plain = dissector.plain.inner if isinstance(dissector.plain, Undecided) else None
        found = Contents() if plain is None else self._contents(plain, around)
        unread = None
        if plain is None and not dissector.decrypted:
            unread = HIDDEN if dissector.first.tls13 else _SCOPES_BY_ALPN.get(dissector.alpn or "")
        started, finished = dissector.started_ns, dissector.finished_ns
        return found._replace(
            tls=labelled,
            faults=(*tls_faults_of(dissector), *found.faults),
            tls_ns=None if started is None or finished is None else finished - started,
            parts=(*(("tls", one) for one in labelled.handshakes), *found.parts),
            unread=unread,
        )

    def _behind_prelude(
        self, dissector: socks.Dissector | starttls.Dissector | unknown.Dissector, around: Circumstances
    ) -> Contents:
        """What comes after a dialogue that leads to it is the connection's own."""
        found, tunnel = self._tunnel(dissector.handover, around)
        faults = () if isinstance(dissector, unknown.Dissector) else dissector.faults
        return found._replace(tunnel=tunnel, faults=(*faults, *found.faults))

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
    lost = around.lost if around.lost == "mid-stream" else _lost_here(why) or around.lost
    return around._replace(lost=lost)


def _lost_below(application: Application) -> model.Cause | None:
    """Why bytes may be missing that no layer knows of."""
    if application.midstream:
        return "mid-stream"
    return "lost-in-capture" if application.client.lost or application.server.lost else None


def _lost_here(why: str | None) -> model.Cause | None:
    """The cause for which steps may be missing, if it lies in the capture and not in the traffic."""
    match why:
        case None | "framing":
            return None
        case "mid-stream" | "snaplen":
            return why
        case _:
            return "lost-in-capture"
