"""The interfaces a capture was taken on: what is known of each, and the columns the block scanner reads."""

from __future__ import annotations

import msgspec
import numpy as np

INT64_MAX = (1 << 63) - 1
NS_PER_SECOND = 1_000_000_000

# A file may describe a new interface every 20 bytes; merging thousands of captures stays far below this.
MAX_INTERFACES = 65_536


class Interface(msgspec.Struct):
    """Where packets were captured. Counts are packets since the capture began, None where the file tells nothing."""

    link_type: int  # LINKTYPE_ number, https://www.tcpdump.org/linktypes.html
    snaplen: int  # most bytes kept of a packet, 0 for no limit
    name: str | None = None
    received: int | None = None  # seen by the interface (isb_ifrecv)
    accepted: int | None = None  # passed the capture filter (isb_filteraccept)
    dropped_by_interface: int | None = None  # lost for lack of resources (isb_ifdrop)
    dropped_by_system: int | None = None  # lost by the operating system (isb_osdrop)

    ended_ns: int | None = None  # when the capture ended, since 1970 UTC (isb_endtime)

    @property
    def dropped(self) -> int | None:
        """Packets lost before they reached the file; None if no count was recorded."""
        counts = [count for count in (self.dropped_by_interface, self.dropped_by_system) if count is not None]
        return sum(counts) if counts else None


class Clock:
    """Turns an interface's ticks into nanoseconds since 1970 UTC.

    `resolution` is the octet of if_tsresol: 10**-n seconds, or 2**-n if its highest bit is set. `offset_s` is
    if_tsoffset, seconds to add. Source: draft-ietf-opsawg-pcapng §4.2.
    """

    def __init__(self, resolution: int = 6, offset_s: int = 0) -> None:
        exponent = resolution & 0x7F
        self.ticks_per_second: int = 2**exponent if resolution & 0x80 else 10**exponent
        self.offset_ns = offset_s * NS_PER_SECOND
        # The scanner's fast way: ticks * multiplier // divisor + offset_ns, for ticks below `limit`. The product
        # stays below 2**62 and the offset within ±2**61, so that C's int64 holds it. Binary fractions of a
        # second and absurd offsets have no fast way.
        self.multiplier = max(NS_PER_SECOND // self.ticks_per_second, 1)
        self.divisor = max(self.ticks_per_second // NS_PER_SECOND, 1)
        self.limit = (1 << 62) // self.multiplier
        if resolution & 0x80 or exponent > 27 or abs(self.offset_ns) > 1 << 61:
            self.multiplier, self.divisor, self.limit = 1, 1, 0

    def nanoseconds(self, ticks: int) -> int:
        """Exact for every unsigned 64-bit `ticks`, rounded down; beyond int64 the nearest limit of ±(2**63 - 1)."""
        exact = ticks * NS_PER_SECOND // self.ticks_per_second + self.offset_ns
        return max(-INT64_MAX, min(exact, INT64_MAX))


class InterfaceTable:
    """The same interfaces as columns of shape (capacity,), rows [0, count) in use.

    `first` is the row of interface 0 of the current section. The columns are memoryviews because the
    interpreted scanner would get NumPy scalars from arrays, which wrap silently.
    """

    def __init__(self) -> None:
        self.first = self.count = 0
        self.clocks: list[Clock] = []
        self._capacity = 0
        self._grow()

    def _grow(self) -> None:
        def column(dtype: type[np.generic], old: str) -> memoryview:
            array = np.zeros(capacity, dtype)
            if self._capacity:
                array[: self._capacity] = getattr(self, old)
            return array.data

        capacity = 2 * self._capacity or 8
        self.multiplier = column(np.longlong, "multiplier")
        self.divisor = column(np.longlong, "divisor")
        self.limit = column(np.longlong, "limit")
        self.shift_ns = column(np.longlong, "shift_ns")
        self.snaplen = column(np.longlong, "snaplen")
        self.link_type = column(np.intc, "link_type")
        self._capacity = capacity

    def begin_section(self) -> None:
        """Interface ids count from 0 again."""
        self.first = self.count

    def add(self, interface: Interface, clock: Clock) -> None:
        if self.count == self._capacity:
            self._grow()
        row = self.count
        self.multiplier[row] = clock.multiplier
        self.divisor[row] = clock.divisor
        self.limit[row] = clock.limit
        self.shift_ns[row] = clock.offset_ns if clock.limit else 0
        self.snaplen[row] = interface.snaplen
        self.link_type[row] = interface.link_type
        self.clocks.append(clock)
        self.count += 1
