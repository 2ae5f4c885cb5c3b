# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""The face of every protocol above TCP: two byte streams in, cut into pieces anyhow; lost bytes are a value.

Compiled, so that compiled layers call each other without a detour; a layer may be an ordinary Python class as well.
"""

from __future__ import annotations

import cython

COMPILED = cython.compiled

EVERYTHING = 1 << 62  # more bytes than any connection has


@cython.no_gc
@cython.cclass
class Layer:
    """A dissector, or what holds bytes until there is one. `side`: 0 client, 1 server; times are nanoseconds."""

    @cython.ccall
    def feed(self, side: cython.int, data, at_ns: cython.longlong, packet: cython.longlong) -> cython.void:
        """The next bytes of a side (bytes or a memoryview), and the packet that brought the last of them."""
        raise NotImplementedError

    @cython.ccall
    def skippable(self, side: cython.int) -> cython.longlong:
        """How many of the next bytes of a side need not be fed but may be passed by `skip`. 0: every byte matters."""
        raise NotImplementedError

    @cython.ccall
    def skip(
        self, side: cython.int, length: cython.longlong, at_ns: cython.longlong, packet: cython.longlong
    ) -> cython.void:
        """So many bytes came, and were not looked at."""
        raise NotImplementedError

    @cython.ccall
    def gap(self, side: cython.int, length: cython.longlong, cause: str, packet: cython.longlong) -> cython.void:
        """So many bytes are not in the capture; `packet` is the one that shows it."""
        raise NotImplementedError

    @cython.ccall
    def close(self, side: cython.int, how: str, at_ns: cython.longlong, packet: cython.longlong) -> cython.void:
        """No more bytes of a side: "fin", "rst" (which ends both), or "end" of what was captured."""
        raise NotImplementedError
