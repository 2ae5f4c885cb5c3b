"""pcap files. Source: draft-ietf-opsawg-pcap; the magic numbers, also of patched libpcaps: Wireshark's wiretap."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NamedTuple

from analyzer.capture.base import MAX_RECORD_BYTES, DamagedError, FileCapture
from analyzer.capture.interfaces import Interface
from analyzer.capture.records import BAD_CAPTURED, scan_pcap
from analyzer.capture.window import Window

FILE_HEADER_BYTES = 24


class Variant(NamedTuple):
    """How the records of a pcap file are written."""

    big: bool  # byte order
    tick_ns: int  # unit of the fraction of a second
    header_bytes: int  # of a record


# The file's first four bytes as they stand there.
VARIANTS = {
    bytes.fromhex("a1b2c3d4"): Variant(big=True, tick_ns=1000, header_bytes=16),
    bytes.fromhex("d4c3b2a1"): Variant(big=False, tick_ns=1000, header_bytes=16),
    bytes.fromhex("a1b23c4d"): Variant(big=True, tick_ns=1, header_bytes=16),
    bytes.fromhex("4d3cb2a1"): Variant(big=False, tick_ns=1, header_bytes=16),
    # Written by a patched libpcap of 1999: eight more bytes in each record.
    bytes.fromhex("a1b2cd34"): Variant(big=True, tick_ns=1000, header_bytes=24),
    bytes.fromhex("34cdb2a1"): Variant(big=False, tick_ns=1000, header_bytes=24),
}

# No writer keeps more of a packet (libpcap's MAXIMUM_SNAPLEN), except where the file header says so and on
# D-Bus (231), USB (249) and EBHSCR (279), whose "packets" are not bounded by a network. A low limit finds
# damage early: four bytes of noise exceed this one 99.99 % of the time.
USUAL_RECORD_BYTES = 262_144
UNBOUNDED_LINK_TYPES = frozenset({231, 249, 279})


class PcapCapture(FileCapture):
    """One interface, whose link type and snaplen the file header tells."""

    format: ClassVar[str] = "pcap"

    def __init__(self, name: str, window: Window, size: int | None, close: Callable[[], None]) -> None:
        """Reads the file header, which `window` must hold. Raises DamagedError if it cannot be one."""
        super().__init__(name, window, size, close)
        self._variant = VARIANTS[bytes(window.view[:4])]
        self._order = ">" if self._variant.big else "<"
        major, minor, snaplen, link_type = window.unpack(self._order + "4xHH8xII")
        if major != 2:
            raise DamagedError(4, f"pcap file header claims version {major}.{minor}, known is 2.4")
        # libpcap and Wireshark, too, know that files up to 2.3 may have captured and original length swapped.
        self._old = minor <= 3
        window.start += FILE_HEADER_BYTES
        # The upper half holds the length of the frame check sequence and reserved bits.
        link_type &= 0xFFFF
        self.interfaces.append(Interface(link_type=link_type, snaplen=snaplen))
        self._limit = min(max(snaplen, USUAL_RECORD_BYTES), MAX_RECORD_BYTES)
        if link_type in UNBOUNDED_LINK_TYPES:
            self._limit = MAX_RECORD_BYTES
        *_, link_types, interfaces = self._columns.arrays
        link_types[:] = link_type
        interfaces[:] = 0

    def _scan(self) -> int:
        window, variant = self._window, self._variant
        count: int
        while True:
            count, window.start, why = scan_pcap(
                window.view,
                window.start,
                window.end,
                variant.big,
                variant.header_bytes,
                variant.tick_ns,
                self._old,
                self._limit,
                self._columns,
            )
            if count:
                return count
            wanted = variant.header_bytes
            if window.held >= wanted:
                claimed, on_wire = window.unpack(self._order + "II", 8)
                if self._old:
                    claimed = min(claimed, on_wire)
                if why == BAD_CAPTURED:
                    raise DamagedError(
                        window.offset,
                        f"{self._record()} at byte offset {window.offset} claims {claimed} captured bytes; "
                        "reading stopped there",
                    )
                wanted += claimed
            if not window.need(wanted):
                if window.held == 0:
                    return self._end()
                raise self._cut(self._record(), window.offset, wanted)

    def _record(self) -> str:
        return f"pcap record {self.packets + 1}"
