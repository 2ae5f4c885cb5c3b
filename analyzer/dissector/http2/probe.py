"""Is this HTTP/2? Told by content, never by port."""

from __future__ import annotations

from typing import Final

from analyzer.dissector.http2.frames import PREFACE
from analyzer.dissector.http2.resync import CHAIN, HEADER, PLAUSIBLE, Resync, chained, length_of
from analyzer.dissector.probing import Probe

_SETTINGS: Final = 4
_MOST_SEARCHED: Final = 65_536  # bytes in which frames may begin anywhere
_MOST_SETTINGS: Final = 50  # of a frame that is taken for the server's first; there are about ten
_KNOWN: Final = frozenset((1, 2, 3, 4, 5, 6, 8, 9))  # of RFC 9113 §6.5.2, RFC 8441, RFC 9218


def probe(side: int, data: bytes | memoryview, *, anywhere: bool = False) -> Probe:
    """Whether a side's bytes are HTTP/2 from their beginning on: the client's begin with the preface, the server's with
    SETTINGS (RFC 9113 §3.4); with `anywhere`, whether a chain of frames begins somewhere in them, for connections whose
    beginning was not captured."""
    first = bytes(data)
    if side == 0 and PREFACE.startswith(first[: len(PREFACE)]):
        return Probe.MATCH if len(first) >= len(PREFACE) else Probe.NEED_MORE
    if anywhere:
        return Probe.MATCH if Resync().feed(first[:_MOST_SEARCHED], 0, 0) is not None else Probe.NEED_MORE
    return _probe_settings(first) if side else Probe.NO_MATCH


def _probe_settings(first: bytes) -> Probe:
    """A server's first frame. Nine bytes that are mostly zeros prove little: a setting that is known does, or another
    frame behind it."""
    if len(first) < HEADER:
        begins = first[:1] in (b"", b"\0") and first[1:2] in (b"", b"\0", b"\1") and first[3:] in b"\4\0\0\0\0\0"
        return Probe.NEED_MORE if begins and (len(first) < 4 or first[3] == _SETTINGS) else Probe.NO_MATCH
    length = length_of(first, 0)
    if first[3:HEADER] != b"\4\0\0\0\0\0" or length % 6 or length > 6 * _MOST_SETTINGS:
        return Probe.NO_MATCH
    whole = first[HEADER : HEADER + length]
    codes = [int.from_bytes(whole[at : at + 2], "big") for at in range(0, len(whole) - 1, 6)]
    if 0 in codes:
        return Probe.NO_MATCH
    if len(whole) < length:
        return Probe.NEED_MORE
    if any(code in _KNOWN for code in codes):
        return Probe.MATCH
    if PLAUSIBLE.match(first, HEADER + length) is None and len(first) >= 2 * HEADER + length:
        return Probe.NO_MATCH
    return Probe.MATCH if chained(first, 0, CHAIN - 1) else Probe.NEED_MORE
