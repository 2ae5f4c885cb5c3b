"""pcapng files. Source: draft-ietf-opsawg-pcapng; sections below are its sections."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import ClassVar

from analyzer.capture import records
from analyzer.capture.base import MAX_RECORD_BYTES, DamagedError, FileCapture, Secrets
from analyzer.capture.interfaces import MAX_INTERFACES, Clock, Interface, InterfaceTable
from analyzer.capture.records import scan_blocks
from analyzer.capture.window import Window

SECTION_HEADER_BYTES = bytes.fromhex("0a0d0d0a")  # reads the same in both byte orders
SECTION_HEADER, INTERFACE, SIMPLE, STATISTICS, SECRETS = 0x0A0D0D0A, 1, 3, 5, 10
PACKETS = {2: 32, SIMPLE: 16, 6: 32}  # the scanner takes these; with the least length of each
ORDERS = {bytes.fromhex("1a2b3c4d"): ">", bytes.fromhex("4d3c2b1a"): "<"}

# Wireshark 4 gives these a frame number although they hold no packet: systemd journal entries, custom blocks
# and system calls (wiretap/pcapng.c). Ours must stay the same numbers.
NUMBERED = frozenset({9, 0xBAD, 0x40000BAD, 0x204, 0x216, 0x221})

NAMES = {
    SECTION_HEADER: "section header",
    INTERFACE: "interface description",
    2: "packet block",
    SIMPLE: "simple packet block",
    STATISTICS: "interface statistics",
    6: "enhanced packet block",
    SECRETS: "decryption secrets",
}

# Options of an interface statistics block.
COUNTS = {4: "received", 5: "dropped_by_interface", 6: "accepted", 7: "dropped_by_system"}

_ENDED = 3  # isb_endtime

# Key logs of a busy server: 64 MiB hold 250,000 TLS 1.3 sessions. What an entry costs beside its bytes counts too,
# so that many tiny ones are bounded as well.
MAX_SECRETS_BYTES = 64 << 20
SECRETS_OVERHEAD_BYTES = 128

MAX_NAME_BYTES = 256


class PcapngCapture(FileCapture):
    """Sections follow one another, each with its own byte order and interfaces; `interfaces` is flat over them."""

    format: ClassVar[str] = "pcapng"

    def __init__(self, name: str, window: Window, size: int | None, close: Callable[[], None]) -> None:
        """Reads the first section header. Raises DamagedError if there is none."""
        super().__init__(name, window, size, close)
        self._order = "<"
        self._table = InterfaceTable()
        self._secrets_room = MAX_SECRETS_BYTES
        self._what, self._where = "", 0  # the block at hand and the byte offset of its beginning, for messages
        self._begin_section()

    def _scan(self) -> int:
        window = self._window
        count: int
        while True:
            count, window.start, why = scan_blocks(
                window.view, window.start, window.end, self._order == ">", MAX_RECORD_BYTES, self._table, self._columns
            )
            if count:
                return count
            if why == records.OTHER:
                self._other_block()
            elif why == records.MORE:
                if not window.need(8):
                    if window.held == 0:
                        return self._end()
                    raise self._cut("pcapng block", window.offset, 8)
                kind, length = self._open_block()
                # _other_block checks the length of the others.
                if kind in PACKETS:
                    if not PACKETS[kind] <= length <= MAX_RECORD_BYTES or length % 4:
                        raise self._bad_packet(records.BAD_LENGTH)
                    if not window.need(length):
                        raise self._cut(self._what, self._where, length)
            else:
                raise self._bad_packet(why)

    def _open_block(self) -> tuple[int, int]:
        """Type and length of the block at hand, whose first eight bytes are held."""
        window = self._window
        kind, length = window.unpack(self._order + "II")
        self._what, self._where = f"pcapng {NAMES.get(kind, f'block of type {kind}')}", window.offset
        return kind, length

    def _damaged(self, reason: str) -> DamagedError:
        """Why the block at hand, and with it all that follows, cannot be read."""
        return DamagedError(self._where, f"{self._what} at byte offset {self._where} {reason}; reading stopped there")

    def _bad_packet(self, why: int) -> DamagedError:
        """The scanner's verdict on the packet block at hand, in words."""
        kind, length = self._open_block()
        if why == records.BAD_LENGTH:
            return self._damaged(f"claims an impossible length of {length} bytes")
        if why == records.BAD_TRAILER:
            return self._bad_trailer(length, length - 4)
        if why == records.BAD_INTERFACE:
            return self._damaged("names an interface that was not described")
        (captured,) = self._window.unpack(self._order + "I", 8 if kind == SIMPLE else 20)
        return self._damaged(f"claims {captured} captured bytes in a block of {length}")

    def _bad_trailer(self, length: int, at: int) -> DamagedError:
        (trailer,) = self._window.unpack(self._order + "I", at)
        return self._damaged(f"has length {length} at its beginning but {trailer} at its end")

    def _check_trailer(self, length: int, at: int) -> None:
        """A block ends with its length once more."""
        (trailer,) = self._window.unpack(self._order + "I", at)
        if trailer != length:
            raise self._bad_trailer(length, at)

    def _hold_block(self, length: int, least: int, most: int = MAX_RECORD_BYTES) -> None:
        """Makes the window hold the whole block at hand and checks its framing."""
        if not least <= length <= most or length % 4:
            raise self._damaged(f"claims an impossible length of {length} bytes")
        if not self._window.need(length):
            raise self._cut(self._what, self._where, length)
        self._check_trailer(length, length - 4)

    def _skip_block(self, length: int) -> None:
        """Passes over the block at hand without holding it, however long it is."""
        window = self._window
        if length < 12 or length % 4:
            raise self._damaged(f"claims an impossible length of {length} bytes")
        if not (window.skip(length - 4) and window.need(4, patient=True)):
            raise self._cut(self._what, self._where, length)
        self._check_trailer(length, 0)
        window.start += 4

    def _other_block(self) -> None:
        """Consumes a block that is not a packet."""
        kind, length = self._open_block()
        if kind == SECTION_HEADER:
            self._begin_section()
        elif kind == INTERFACE:
            self._add_interface(length)
        elif kind == STATISTICS:
            self._add_statistics(length)
        elif kind == SECRETS:
            self._add_secrets(length)
        else:
            self._skip_block(length)
            self._numbered += kind in NUMBERED

    def _begin_section(self) -> None:
        """§4.1. All that was said of interfaces is void. The section's length is not needed."""
        window = self._window
        self._what, self._where = "pcapng section header", window.offset
        if not window.need(12):
            raise self._cut(self._what, self._where, 28)
        magic = bytes(window.view[window.start + 8 : window.start + 12])
        if magic not in ORDERS:
            raise self._damaged(f"has the unknown byte-order magic {magic.hex()}")
        self._order = ORDERS[magic]
        _, length = self._open_block()
        self._hold_block(length, least=28)
        major, minor = window.unpack(self._order + "HH", 12)
        if major != 1:
            raise self._damaged(f"claims version {major}.{minor}, known is 1.0")
        self._table.begin_section()
        window.start += length

    def _add_interface(self, length: int) -> None:
        """§4.2."""
        self._hold_block(length, least=20)
        if len(self.interfaces) == MAX_INTERFACES:
            raise self._damaged(f"describes one interface more than {MAX_INTERFACES}, the most that are followed")
        link_type, snaplen = self._window.unpack(self._order + "HxxI", 8)
        options = self._options(16, length)
        name = options[2][:MAX_NAME_BYTES].decode("utf-8", "replace") if 2 in options else None
        resolution = self._number(options, 9, "B")
        offset_s = self._number(options, 14, "q")
        interface = Interface(link_type=link_type, snaplen=snaplen, name=name)
        self.interfaces.append(interface)
        self._table.add(interface, Clock(6 if resolution is None else resolution, offset_s or 0))
        self._window.start += length

    def _add_statistics(self, length: int) -> None:
        """§4.6. The counts are totals, so a later block replaces an earlier one."""
        self._hold_block(length, least=24)
        (number,) = self._window.unpack(self._order + "I", 8)
        row = self._table.first + number
        if row < self._table.count:
            options = self._options(20, length)
            for code, field in COUNTS.items():
                if (count := self._number(options, code, "Q")) is not None:
                    setattr(self.interfaces[row], field, count)
            if len(ended := options.get(_ENDED, b"")) == 8:
                high, low = struct.unpack(self._order + "II", ended)
                self.interfaces[row].ended_ns = self._table.clocks[row].nanoseconds(high << 32 | low)
        else:
            self._complain(f"counts packets of interface {number}, which was not described")
        self._window.start += length

    def _add_secrets(self, length: int) -> None:
        """§4.7."""
        cost = length + SECRETS_OVERHEAD_BYTES
        if cost > self._secrets_room:
            if self._secrets_room:
                self._complain(f"is beyond the {MAX_SECRETS_BYTES} bytes of secrets that are kept; the rest is ignored")
            self._secrets_room = 0
            self._skip_block(length)
            return
        self._hold_block(length, least=20, most=MAX_SECRETS_BYTES)
        window = self._window
        kind, size = window.unpack(self._order + "II", 8)
        if size > length - 20:
            raise self._damaged(f"claims {size} bytes of secrets in a block of {length}")
        self.secrets.append(Secrets(kind, bytes(window.view[window.start + 16 : window.start + 16 + size])))
        self._secrets_room -= cost
        window.start += length

    def _options(self, at: int, length: int) -> dict[int, bytes]:
        """§3.5. The first value of each option of the block at hand, up to the first that is damaged."""
        start = self._window.start
        block = self._window.view[start + at : start + length - 4]
        options: dict[int, bytes] = {}
        at = 0
        while at + 4 <= len(block):
            code, size = struct.unpack_from(self._order + "HH", block, at)
            if code == 0:
                break
            at += 4
            if size > len(block) - at:
                self._complain(f"has a damaged option {code}, which is ignored with those after it")
                break
            options.setdefault(code, bytes(block[at : at + size]))
            at += (size + 3) & ~3
        return options

    def _number(self, options: dict[int, bytes], code: int, layout: str) -> int | None:
        """An option that is a number; None if it is absent or has a wrong length."""
        value = options.get(code)
        if value is None:
            return None
        if len(value) != struct.calcsize("=" + layout):
            self._complain(f"has an option {code} of {len(value)} bytes, which is ignored")
            return None
        number: int = struct.unpack(self._order + layout, value)[0]
        return number

    def _complain(self, reason: str) -> None:
        """A fault of the block at hand that reading survives."""
        self._warn(self._where, f"{self._what} at byte offset {self._where} {reason}")
