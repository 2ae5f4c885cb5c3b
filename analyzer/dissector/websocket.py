"""WebSocket frames (RFC 6455), counted by opcode and side. It takes a connection over from HTTP/1 after its 101.

Payloads are never looked at, except that of Close. A gap inside a payload is counted; where a frame's header is lost
nothing more can be said about that side, since nothing in the protocol marks where a frame begins.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final

from analyzer.dissector.layer import EVERYTHING, Layer
from analyzer.dissector.probing import Probe
from analyzer.model import Fault

STEPS: Final[tuple[str, ...]] = ()  # counted, and no steps of any flow
ATTRIBUTES: Final[Mapping[str, str]] = {}

OPCODES: Final = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
MOST_FAULTS: Final = 100

CLIENT, SERVER = 0, 1
_CONTINUATION, _CLOSE = 0, 8
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # §1.3


def accept_of(key: bytes) -> bytes:
    """What Sec-WebSocket-Accept must be for a Sec-WebSocket-Key, §4.2.2."""
    import hashlib

    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


def probe(side: int, data: bytes | memoryview) -> Probe:
    """Whether these bytes could begin with a frame. Never certain: it is the 101 before it that says so."""
    if len(data) < 2:
        return Probe.NEED_MORE
    possible = data[0] & 0x0F in OPCODES and bool(data[1] & 0x80) == (side == CLIENT)
    return Probe.NEED_MORE if possible else Probe.NO_MATCH


class _Side:
    __slots__ = ("closed", "fragmented", "header", "lost", "mask", "opcode", "payload", "remaining")

    def __init__(self) -> None:
        self.header = bytearray()
        self.remaining = 0  # bytes of payload
        self.opcode = 0
        self.mask = b""
        self.payload = bytearray()  # of a Close
        self.fragmented = False  # a message has begun and not ended
        self.closed = False  # there was a Close
        self.lost = False  # where frames begin


class Dissector(Layer):
    """Both directions. `extensions`: some were negotiated, so reserved bits may mean something (§5.2, RFC 7692)."""

    def __init__(self, *, extensions: bool = False):
        self.frames: tuple[dict[str, int], dict[str, int]] = ({}, {})  # by opcode, per side
        self.messages = [0, 0]  # text and binary, complete ones
        self.compressed = [0, 0]  # frames with RSV1: the first ones of messages under permessage-deflate, RFC 7692 §6
        self.payload_bytes = [0, 0]
        self.close_code: int | None = None  # of the first Close that has one
        self.closed_by: int | None = None  # the side that sent Close first
        self.faults: list[Fault] = []
        self.faults_beyond = 0
        self._extensions = extensions
        self._sides = (_Side(), _Side())

    def feed(self, side: int, data: bytes | memoryview, at_ns: int, packet: int) -> None:
        s = self._sides[side]
        at, size = 0, len(data)
        while at < size and not s.lost:
            if s.remaining:
                count = min(s.remaining, size - at)
                if s.opcode == _CLOSE:
                    s.payload += data[at : at + count]
                at += count
                self._take(side, s, count, packet)
                continue
            header = s.header
            need = _header_length(header)
            piece = data[at : at + need - len(header)]
            header += piece
            at += len(piece)
            if len(header) >= 2 and len(header) == _header_length(header):
                self._frame(side, s, bytes(header), packet)
                header.clear()

    def skippable(self, side: int) -> int:
        s = self._sides[side]
        if s.lost:
            return EVERYTHING
        return 0 if s.opcode == _CLOSE else s.remaining

    def skip(self, side: int, length: int, at_ns: int, packet: int) -> None:
        s = self._sides[side]
        count = min(length, s.remaining)
        if count:
            self._take(side, s, count, packet)
        if length > count and not s.lost:
            self._lose(s, length - count, "not looked at", packet)

    def gap(self, side: int, length: int, cause: str, packet: int) -> None:
        s = self._sides[side]
        count = min(length, s.remaining)
        if count:
            self._take(side, s, count, packet)
        if length > count and not s.lost:
            self._lose(s, length - count, cause, packet)

    def close(self, side: int, how: str, at_ns: int, packet: int) -> None:
        s = self._sides[side]
        if how != "end" and not s.lost and (s.remaining or s.header):
            self._fault(packet, "the connection ended inside a frame (RFC 6455 §7.1.7)")
        s.lost = True
        s.remaining = 0

    def _fault(self, packet: int, message: str) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(packet, "websocket", message))
        else:
            self.faults_beyond += 1

    def _lose(self, s: _Side, length: int, cause: str, packet: int) -> None:
        s.lost = True
        s.remaining = 0
        s.header.clear()
        self._fault(packet, f"{length} bytes are missing where a frame begins: {cause}; no more frames are counted")

    def _take(self, side: int, s: _Side, count: int, packet: int) -> None:
        """Bytes of payload."""
        self.payload_bytes[side] += count
        s.remaining -= count
        if not s.remaining and s.opcode == _CLOSE:
            self._close(s, packet)

    def _frame(self, side: int, s: _Side, header: bytes, packet: int) -> None:
        """A header is complete. §5.2."""
        opcode = header[0] & 0x0F
        final, reserved = bool(header[0] & 0x80), header[0] & 0x70
        masked = bool(header[1] & 0x80)
        short = header[1] & 0x7F
        extended = {126: 2, 127: 8}.get(short, 0)
        length = int.from_bytes(header[2 : 2 + extended], "big") if extended else short
        if extended and length < (126 if extended == 2 else 65536):
            self._fault(packet, f"a payload length of {length} in {extended} bytes (RFC 6455 §5.2)")
        if length >= 1 << 63:
            self._fault(packet, "a payload length with its highest bit set (RFC 6455 §5.2)")
            s.lost = True
            return
        if masked != (side == CLIENT):
            wrong = "a client's frame is not masked" if side == CLIENT else "a server's frame is masked"
            self._fault(packet, f"{wrong} (RFC 6455 §5.1)")
        if reserved and not self._extensions:
            self._fault(packet, "a reserved bit without an extension (RFC 6455 §5.2)")
        if reserved & 0x40:
            self.compressed[side] += 1
        name = OPCODES.get(opcode)
        if name is None:
            self._fault(packet, f"reserved opcode {opcode} (RFC 6455 §5.2)")
            name = f"opcode {opcode}"
        if s.closed:
            self._fault(packet, "a frame after Close (RFC 6455 §5.5.1)")
        self._sequence(side, s, opcode, final, length, packet)
        counts = self.frames[side]
        counts[name] = counts.get(name, 0) + 1
        s.opcode, s.remaining = opcode, length
        s.mask = header[-4:] if masked else b""
        if opcode == _CLOSE:
            if length > 125:
                s.opcode = -1  # not kept: far too long to be one
            if self.closed_by is None:
                self.closed_by = side
            s.closed = True
            s.payload.clear()

    def _sequence(self, side: int, s: _Side, opcode: int, final: bool, length: int, packet: int) -> None:
        """§5.4: control frames may stand between the fragments of a message, other messages may not."""
        if opcode >= 8:
            if not final:
                self._fault(packet, "a control frame in fragments (RFC 6455 §5.5)")
            if length > 125:
                self._fault(packet, f"a control frame of {length} bytes (RFC 6455 §5.5)")
            return
        if opcode == _CONTINUATION and not s.fragmented:
            self._fault(packet, "a continuation of nothing (RFC 6455 §5.4)")
        elif opcode != _CONTINUATION and s.fragmented:
            self._fault(packet, "a message begins inside another one (RFC 6455 §5.4)")
        self.messages[side] += final
        s.fragmented = not final

    def _close(self, s: _Side, packet: int) -> None:
        """The payload of a Close is complete: a code and a reason, §5.5.1, §7.4."""
        payload = bytes(s.payload)
        s.payload.clear()
        if len(payload) < 2:
            self._fault(packet, "Close with one byte of payload (RFC 6455 §5.5.1)")
            return
        mask = s.mask or bytes(4)
        code = (payload[0] ^ mask[0]) << 8 | (payload[1] ^ mask[1])
        if not 1000 <= code < 5000 or code in (1004, 1005, 1006, 1015):
            self._fault(packet, f"close code {code} may not be sent (RFC 6455 §7.4)")
        if self.close_code is None:
            self.close_code = code


def _header_length(header: bytes | bytearray) -> int:
    """Bytes of the header that begins so; 2 as long as that is unknown. §5.2."""
    if len(header) < 2:
        return 2
    short = header[1] & 0x7F
    return 2 + (2 if short == 126 else 8 if short == 127 else 0) + (4 if header[1] & 0x80 else 0)
