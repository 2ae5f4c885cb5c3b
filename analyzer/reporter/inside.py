"""What runs inside a connection, protocol by protocol from the outside in, as the report tells it."""

from __future__ import annotations

from typing import NamedTuple

from analyzer import model
from analyzer.dissector import layout, proxy_protocol
from analyzer.dissector.applications import Application, Applications
from analyzer.dissector.handover import Handover
from analyzer.dissector.http1 import connection as http1
from analyzer.dissector.http1.exchanges import Exchange
from analyzer.dissector.layer import Layer
from analyzer.dissector.websocket import Dissector as WebSocket
from analyzer.flows.library import Library
from analyzer.reporter.http import Circumstances, HttpLabeler, faults_of
from analyzer.reporter.labels import NOTHING, Found
from analyzer.reporter.lifecycle import LifecycleLabeler


class Contents(NamedTuple):
    """What was found in one layer and in those inside it: the outermost of each kind."""

    http: model.Http | None = None
    tunnel: model.Tunnel | None = None
    faults: tuple[model.Fault, ...] = ()
    first_response_ns: int | None = None  # since the capture's epoch


class InsideLabeler:
    """Labels what runs inside connections (`labels.Inside`).

    `applications`: where what was found in a finished row's connection is taken from; `headers`: list header fields;
    `secrets`: those that hold secrets, too.
    """

    def __init__(self, library: Library, applications: Applications, *, headers: bool = False, secrets: bool = False):
        self.applications = applications
        self.automaton = library.automaton("http1")
        self.headers = headers
        self._http = HttpLabeler(library, headers=headers, secrets=secrets)
        self._lifecycle = LifecycleLabeler(library)

    def exchange(self, exchange: Exchange, start_ns: int) -> model.Exchange:
        """One exchange alone."""
        return self._http.exchange(exchange, start_ns)

    def label(self, row: list[int], application: Application, opening: model.Verdict, close: model.Verdict) -> Found:
        """`application`: the row's connection, as `applications` gave it."""
        if application.layer is None:
            return NOTHING
        flags = row[layout.FLAGS]
        around = Circumstances(
            row[layout.START_NS],
            _lost_below(application),
            ended=bool(flags & (layout.ENDED | layout.REUSED)),
            evicted=bool(flags & layout.EVICTED),
        )
        found = self._contents(application.layer, around)
        lifecycle = None
        if found.http is not None:
            exchanges = len(found.http.exchanges) + found.http.exchanges_not_listed
            lifecycle = self._lifecycle.label(opening, found.http.connection, close, exchanges)
        first = found.first_response_ns
        return Found(
            found.http,
            found.tunnel,
            lifecycle,
            found.faults,
            _proxied_for(application.proxy),
            None if first is None else first - around.start_ns,
        )

    def _contents(self, layer: Layer, around: Circumstances) -> Contents:
        if isinstance(layer, http1.Dissector):
            return self._http1(layer, around)
        return Contents()

    def _http1(self, dissector: http1.Dissector, around: Circumstances) -> Contents:
        lost = around.lost if around.lost == "mid-stream" else _lost_here(dissector.lost) or around.lost
        http = self._http.label(dissector, around._replace(lost=lost))
        tunnel, faults = self._tunnel(dissector.handover, around)
        first = min((one.first_byte_ns for one in dissector.exchanges if one.first_byte_ns is not None), default=None)
        return Contents(http, tunnel, (*faults_of(dissector), *faults), first)

    def _tunnel(
        self, handover: Handover | None, around: Circumstances
    ) -> tuple[model.Tunnel | None, tuple[model.Fault, ...]]:
        if handover is None:
            return None, ()
        if isinstance(handover.inner, WebSocket):
            return None, tuple(handover.inner.faults)
        found = Contents()
        if handover.inner is not None:
            # The beginning of the tunnel was captured, whatever was before.
            lost = None if around.lost == "mid-stream" else around.lost
            found = self._contents(handover.inner, around._replace(lost=lost))
        return model.Tunnel(_after(handover), model.PerSide(*handover.bytes), http=found.http), found.faults


def _after(handover: Handover) -> str:
    match handover.protocol:
        case "tunnel":
            return f"CONNECT {handover.target}"
        case _:
            return f"Upgrade {handover.protocol}"


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


def _proxied_for(header: proxy_protocol.Header | None) -> str | None:
    if header is None:
        return None
    if header.source is None:
        return f"PROXY protocol v{header.version}, no address"
    return f"PROXY protocol v{header.version}, {header.source.address} port {header.source.port}"
