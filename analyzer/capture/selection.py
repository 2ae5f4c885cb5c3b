"""Leaving packets out: a capture filter in pcap syntax, and a time window.

The filter language is libpcap's, and so is the code that compiles and runs it; it is looked for only when a filter
is given. A packet that is left out keeps its number and is not looked at further.
"""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from analyzer.capture.frames import Frames
from analyzer.errors import UsageError

if TYPE_CHECKING:
    import numpy.typing as npt

# What the packet stage does not look at.
EXCLUDED_LINK_TYPE = -1

_ETHERNET = 1
_SNAPLEN = 262_144
_UNKNOWN_NETMASK = 0xFFFFFFFF
_ERROR_BYTES = 256  # PCAP_ERRBUF_SIZE
_INSTRUCTION = struct.Struct("=HBBI")  # struct bpf_insn
# libpcap knows these by another number inside a program than in a file.
_DLT = {101: 12}


class Selection:
    """Which frames of a capture are looked at.

    `packet_filter` is in pcap syntax. `time_from` and `time_to` are inclusive, in nanoseconds since 1970 UTC or, with
    `relative`, since the capture's first packet. Raises UsageError for a filter that libpcap refuses.
    """

    def __init__(
        self,
        packet_filter: str | None = None,
        time_from: int | None = None,
        time_to: int | None = None,
        *,
        relative: bool = False,
    ):
        self._filter = PacketFilter(packet_filter) if packet_filter else None
        self._from, self._to, self._relative = time_from, time_to, relative

    def apply(self, frames: Frames) -> Frames:
        """The frames, with those that are left out marked by EXCLUDED_LINK_TYPE."""
        if not frames.count or (self._filter is None and self._from is None and self._to is None):
            return frames
        if self._relative:
            start = int(frames.time_ns[0])
            self._from = None if self._from is None else start + self._from
            self._to = None if self._to is None else start + self._to
            self._relative = False
        kept = np.ones(frames.count, bool)
        if self._from is not None:
            kept &= frames.time_ns >= self._from
        if self._to is not None:
            kept &= frames.time_ns <= self._to
        if self._filter:
            self._filter.narrow(frames, kept)
        link_type = np.where(kept, frames.link_type, EXCLUDED_LINK_TYPE).astype(np.int32)
        return msgspec.structs.replace(frames, link_type=link_type)


class _Program(ctypes.Structure):
    """struct bpf_program."""

    _fields_ = [("length", ctypes.c_uint), ("instructions", ctypes.c_void_p)]


class _Header(ctypes.Structure):
    """struct pcap_pkthdr; the filter looks at the lengths only."""

    _fields_ = [
        ("seconds", ctypes.c_long), ("microseconds", ctypes.c_long), ("captured", ctypes.c_uint32),
        ("original", ctypes.c_uint32),
    ]  # fmt: skip


class PacketFilter:
    """A filter expression, compiled for each link type when it is first met."""

    def __init__(self, expression: str):
        self.expression = expression
        self._libpcap = _load_libpcap()
        self._programs: dict[int, _Program] = {}
        # A mistake is told before any packet is read, whatever the capture's link type turns out to be.
        self._programs[_ETHERNET] = self._compile(_ETHERNET)

    def narrow(self, frames: Frames, kept: npt.NDArray[np.bool_]) -> None:
        """Clear `kept`, shape (count,), for frames that the filter does not match."""
        base = np.frombuffer(frames.data, np.uint8).ctypes.data
        match = self._libpcap.pcap_offline_filter
        header = _Header()
        link_types = frames.link_type.tolist()
        columns = zip(frames.offset.tolist(), frames.captured.tolist(), frames.original.tolist(), strict=True)
        for i, (offset, captured, original) in enumerate(columns):
            if kept[i]:
                link_type = link_types[i]
                program = self._programs.get(link_type)
                if program is None:
                    program = self._programs[link_type] = self._compile(link_type)
                header.captured, header.original = captured, original & 0xFFFFFFFF
                kept[i] = match(ctypes.byref(program), ctypes.byref(header), base + offset) != 0

    def _compile(self, link_type: int) -> _Program:
        return _compile(self._libpcap, self.expression, link_type, _SNAPLEN)


def _compile(libpcap: Any, expression: str, link_type: int, snaplen: int, interface: str | None = None) -> _Program:
    """`interface`: compile for what the kernel shows of its packets, not for what would be in a file."""
    handle = None
    if interface is not None:
        handle = libpcap.pcap_open_live(interface.encode(), snaplen, 0, 0, ctypes.create_string_buffer(_ERROR_BYTES))
    if handle is None:
        handle = libpcap.pcap_open_dead(_DLT.get(link_type, link_type), snaplen)
    try:
        program = _Program()
        if libpcap.pcap_compile(handle, ctypes.byref(program), expression.encode(), 1, _UNKNOWN_NETMASK):
            reason = libpcap.pcap_geterr(handle).decode(errors="replace")
            raise UsageError(
                f"capture filter {expression!r}: {reason} (link type {link_type}). The syntax is in `man pcap-filter`."
            )
        return program
    finally:
        libpcap.pcap_close(handle)


def compiled_for(
    expression: str, link_type: int, snaplen: int, interface: str | None = None
) -> list[tuple[int, int, int, int]]:
    """The instructions of a filter for the kernel: code, jumps, operand. `interface`: one that is to be captured on,
    if there is. Raises UsageError with what libpcap says of a wrong filter."""
    libpcap = _load_libpcap()
    program = _compile(libpcap, expression, link_type, snaplen, interface)
    try:
        packed = ctypes.string_at(program.instructions, program.length * _INSTRUCTION.size)
        return list(_INSTRUCTION.iter_unpack(packed))
    finally:
        libpcap.pcap_freecode(ctypes.byref(program))


def _load_libpcap() -> Any:
    import ctypes.util

    name = ctypes.util.find_library("pcap")
    if name is None:
        raise UsageError(
            "a capture filter needs libpcap: `apt install libpcap0.8`, or on other systems the package libpcap"
        )
    libpcap = ctypes.CDLL(name)
    libpcap.pcap_open_dead.restype = ctypes.c_void_p
    libpcap.pcap_open_dead.argtypes = [ctypes.c_int, ctypes.c_int]
    libpcap.pcap_compile.argtypes = [
        ctypes.c_void_p, ctypes.POINTER(_Program), ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32,
    ]  # fmt: skip
    libpcap.pcap_geterr.restype = ctypes.c_char_p
    libpcap.pcap_geterr.argtypes = [ctypes.c_void_p]
    libpcap.pcap_open_live.restype = ctypes.c_void_p
    libpcap.pcap_open_live.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_char_p]
    libpcap.pcap_freecode.argtypes = [ctypes.POINTER(_Program)]
    libpcap.pcap_close.argtypes = [ctypes.c_void_p]
    libpcap.pcap_offline_filter.argtypes = [ctypes.POINTER(_Program), ctypes.POINTER(_Header), ctypes.c_void_p]
    return libpcap
