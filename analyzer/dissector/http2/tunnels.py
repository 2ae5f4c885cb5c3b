"""Tunnels that run inside streams: after CONNECT (RFC 9113 §8.5) and extended CONNECT (RFC 8441).

DATA of both sides is then a byte stream of another protocol (§8.5: "frames … are translated into TCP segments").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from analyzer.dissector.handover import Handover
from analyzer.dissector.websocket import Dissector as WebSocket

if TYPE_CHECKING:
    from analyzer.dissector.http2.streams import Stream

MOST_AT_ONCE: Final = 64  # tunnels of a connection that are looked into, each of which may hold `HELD_LIMIT` bytes
MOST_IN_ALL: Final = 1000

_WEBSOCKET: Final = "websocket"


class Tunnel(Handover):
    """What a stream carries from a CONNECT on. Bytes are held until the response says whether there is a tunnel."""

    __slots__ = ("_open",)

    def __init__(self, protocol: str, target: str | None, at_ns: int, packet: int):
        super().__init__(protocol, target, at_ns, packet)
        self._open = [True, True]

    def close(self, side: int, how: str, at_ns: int, packet: int) -> None:
        """Only the first time counts."""
        for number in (0, 1) if how == "rst" else (side,):
            if self._open[number]:
                self._open[number] = False
                super().close(number, how, at_ns, packet)

    @property
    def over(self) -> bool:
        return not any(self._open)


class Tunnels:
    """Those of one connection. `open` are the ones of which somebody has to find out what runs inside."""

    def __init__(self) -> None:
        self.open: list[Tunnel] = []
        self.beyond = 0  # that are not looked into
        self._count = self._at_once = 0

    def asked(self, stream: Stream, at_ns: int, packet: int) -> None:
        """The request is a CONNECT."""
        request = stream.exchange.request
        if request is None or stream.tunnel is not None:
            return
        if self._count >= MOST_IN_ALL or self._at_once >= MOST_AT_ONCE:
            self.beyond += 1
            return
        self._count += 1
        self._at_once += 1
        asked_for = [part for part in (request.protocol, request.target) if part]
        stream.tunnel = Tunnel("tunnel", " ".join(asked_for) or None, at_ns, packet)

    def answered(self, stream: Stream, at_ns: int, packet: int, *, extensions: bool) -> None:
        """The final response. `extensions`: it names some of WebSocket's."""
        tunnel, request, response = stream.tunnel, stream.exchange.request, stream.exchange.response
        if tunnel is None or request is None or response is None:
            return
        if response.status is None or not 200 <= response.status < 300:
            stream.tunnel = None
            self._at_once -= 1
            return
        stream.exchange.tunnel = tunnel
        tunnel.at_ns, tunnel.packet = at_ns, packet
        if request.protocol is None:
            self._make_room()
            self.open.append(tunnel)
        elif request.protocol.lower() == _WEBSOCKET:
            tunnel.take(WebSocket(extensions=extensions))
        else:
            tunnel.drop()

    def _make_room(self) -> None:
        """What runs inside those that are over is known, or most likely never will be."""
        self.open = [one for one in self.open if one.open or not (one.over or one.dropped)]
        over = [one for one in self.open if one.over]
        for one in over[: max(0, len(self.open) - MOST_AT_ONCE + 1)]:
            one.drop()
            self.open.remove(one)

    def closed(self, stream: Stream, how: str, at_ns: int, packet: int) -> None:
        """No more comes on the stream; or what comes cannot be followed any more."""
        tunnel, stream.tunnel = stream.tunnel, None
        if tunnel is not None:
            self._at_once -= 1
            for side in (0, 1):
                tunnel.close(side, how, at_ns, packet)
