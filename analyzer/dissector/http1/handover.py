"""A connection that stops being HTTP/1: after 101, and after a 2xx to CONNECT. RFC 9110 §7.8, §9.3.6."""

from __future__ import annotations

from typing import Final, Protocol

HELD_LIMIT: Final = 262_144  # bytes kept for both sides while nobody has taken the connection over
EVERYTHING: Final = 1 << 62  # more bytes than any connection has


class Inner(Protocol):
    """What takes over: a dissector."""

    def feed(self, side: int, data: bytes | memoryview, at_ns: int, packet: int) -> None: ...
    def skippable(self, side: int) -> int: ...
    def skip(self, side: int, length: int, at_ns: int, packet: int) -> None: ...
    def gap(self, side: int, length: int, cause: str, packet: int) -> None: ...
    def close(self, side: int, how: str, at_ns: int, packet: int) -> None: ...


class Handover:
    """Passes everything on to `inner`. Until there is one it keeps what comes, in order, up to `HELD_LIMIT` bytes;
    beyond that nobody seems to want it, and bytes are only counted."""

    __slots__ = ("_held", "at_ns", "bytes", "dropped", "inner", "packet", "protocol", "size", "target")

    def __init__(self, protocol: str, target: str | None, at_ns: int, packet: int):
        self.protocol = protocol  # "websocket", "h2c", "tunnel", or another protocol's name in lower case
        self.target = target  # of the request that led here: for a tunnel, host:port
        self.at_ns = at_ns
        self.packet = packet  # of the response that led here
        self.inner: Inner | None = None
        self.bytes = [0, 0]  # per side, lost ones included
        self.dropped = False
        self.size = 0  # bytes held
        self._held: list[tuple[str, int, bytes, int, str, int, int]] = []

    def pending(self, side: int) -> bytes:
        """What is held of a side, up to its first gap: enough to tell what it is."""
        found = []
        for what, of, data, *_ in self._held:
            if of == side:
                if what == "gap":
                    break
                found.append(data)
        return b"".join(found)

    def take(self, inner: Inner) -> None:
        """`inner` is what takes over; it is fed all that was held."""
        self.inner = inner
        held, self._held, self.size = self._held, [], 0
        for what, side, data, length, text, at_ns, packet in held:
            if what == "feed":
                inner.feed(side, data, at_ns, packet)
            elif what == "gap":
                inner.gap(side, length, text, packet)
            else:
                inner.close(side, text, at_ns, packet)

    def drop(self) -> None:
        """Nobody takes over: bytes are counted from now on."""
        self.dropped = True
        self._held.clear()
        self.size = 0

    def feed(self, side: int, data: bytes | memoryview, at_ns: int, packet: int) -> None:
        self.bytes[side] += len(data)
        if self.inner is not None:
            self.inner.feed(side, data, at_ns, packet)
        elif not self.dropped:
            # Many small pieces cost more than their bytes.
            self.size += len(data) + 64
            if self.size > HELD_LIMIT:
                self.drop()
            else:
                self._held.append(("feed", side, bytes(data), 0, "", at_ns, packet))

    def skippable(self, side: int) -> int:
        if self.inner is not None:
            return self.inner.skippable(side)
        return EVERYTHING if self.dropped else 0

    def skip(self, side: int, length: int, at_ns: int, packet: int) -> None:
        self.bytes[side] += length
        if self.inner is not None:
            self.inner.skip(side, length, at_ns, packet)

    def gap(self, side: int, length: int, cause: str, packet: int) -> None:
        self.bytes[side] += length
        if self.inner is not None:
            self.inner.gap(side, length, cause, packet)
        elif not self.dropped:
            self._hold("gap", side, length, cause, 0, packet)

    def close(self, side: int, how: str, at_ns: int, packet: int) -> None:
        if self.inner is not None:
            self.inner.close(side, how, at_ns, packet)
        elif not self.dropped:
            self._hold("close", side, 0, how, at_ns, packet)

    def _hold(self, what: str, side: int, length: int, text: str, at_ns: int, packet: int) -> None:
        self.size += 64
        if self.size > HELD_LIMIT:
            self.drop()
        else:
            self._held.append((what, side, b"", length, text, at_ns, packet))
