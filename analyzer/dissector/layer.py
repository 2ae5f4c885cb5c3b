"""The face of every protocol above TCP: two byte streams in, cut into pieces anyhow; lost bytes are a value."""

from __future__ import annotations

from typing import Final, Protocol

EVERYTHING: Final = 1 << 62  # more bytes than any connection has


class Layer(Protocol):
    """A dissector, or what holds bytes until there is one. `side`: 0 client, 1 server; times are nanoseconds."""

    def feed(self, side: int, data: bytes | memoryview, at_ns: int, packet: int) -> None:
        """The next bytes of a side, and the packet that brought the last of them."""

    def skippable(self, side: int) -> int:
        """How many of the next bytes of a side need not be fed but may be passed by `skip`. 0: every byte matters."""

    def skip(self, side: int, length: int, at_ns: int, packet: int) -> None:
        """So many bytes came, and were not looked at."""

    def gap(self, side: int, length: int, cause: str, packet: int) -> None:
        """So many bytes are not in the capture; `packet` is the one that shows it."""

    def close(self, side: int, how: str, at_ns: int, packet: int) -> None:
        """No more bytes of a side: "fin", "rst" (which ends both), or "end" of what was captured."""
