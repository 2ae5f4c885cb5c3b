"""A protocol that nobody here knows. Some go over to TLS later on: gnutella, remote desktops, and others with a
question of their own. So its beginning is watched for the two hellos."""

from __future__ import annotations

from typing import Final

from analyzer.dissector.handover import Handover
from analyzer.dissector.layer import EVERYTHING, Layer
from analyzer.dissector.probing import Probe
from analyzer.model import Fault

WATCHED_BYTES: Final = 16_384  # of each side
_CLIENT: Final = 0
_SERVER: Final = 1
_HANDSHAKE: Final = b"\x16"  # the content type of a hello's record, RFC 8446 §5.1


class Dissector(Layer):
    """One connection. `handover` is there once TLS begins; `over`: it will not any more."""

    def __init__(self) -> None:
        self.handover: Handover | None = None
        self.over = False
        self.faults: list[Fault] = []  # none: what is not known cannot be wrong
        self._hello: Handover | None = None  # what begins like a ClientHello, unanswered
        self._watched = [0, 0]

    def feed(self, side: int, data: bytes | memoryview, at_ns: int, packet: int) -> None:
        if self.handover is not None:
            self.handover.feed(side, data, at_ns, packet)
            return
        if self.over:
            return
        begins = data[:1] == _HANDSHAKE and _begins_tls(side, data)
        if self._hello is not None:
            if side == _SERVER and not begins:
                self._hello = None
            else:
                self._hello.feed(side, data, at_ns, packet)
                self.handover = self._hello if side == _SERVER else None
                return
        elif begins and side == _CLIENT:
            self._hello = Handover("unknown", None, at_ns, packet)
            self._hello.feed(side, data, at_ns, packet)
        self._watched[side] += len(data)
        self.over = max(self._watched) > WATCHED_BYTES

    def skippable(self, side: int) -> int:
        if self.handover is not None:
            return int(self.handover.skippable(side))
        return EVERYTHING if self.over else 0

    def skip(self, side: int, length: int, at_ns: int, packet: int) -> None:
        if self.handover is not None:
            self.handover.skip(side, length, at_ns, packet)

    def gap(self, side: int, length: int, cause: str, packet: int) -> None:
        if self.handover is not None:
            self.handover.gap(side, length, cause, packet)
        else:
            self._hello = None

    def close(self, side: int, how: str, at_ns: int, packet: int) -> None:
        if self.handover is not None:
            self.handover.close(side, how, at_ns, packet)
        elif side == _CLIENT or how == "rst":
            self.over = self._hello is None


def _begins_tls(side: int, data: bytes | memoryview) -> bool:
    from analyzer.dissector.tls.probe import probe

    return probe(side, data) is Probe.MATCH
