"""Is this TLS? Told by content, never by port."""

from __future__ import annotations

from typing import Final

from analyzer.dissector.probing import Probe
from analyzer.dissector.tls.records import ALERT, HANDSHAKE, MOST_CIPHERTEXT_1_2
from analyzer.dissector.tls.resync import Resync

_HELLO: Final = (b"\x01", b"\x02")  # ClientHello, ServerHello
_HELLO_BYTES: Final = 6  # of a record: header and the type of the message


def probe(side: int, data: bytes | memoryview, *, anywhere: bool = False) -> Probe:
    """Whether a side's first bytes are TLS, or SSL 2.0; with `anywhere`, whether a record begins somewhere in them, for
    connections whose beginning was not captured.

    NEED_MORE: what there is could be its beginning. A server that begins with an alert refuses the client.
    """
    first = bytes(data[: 2 * MOST_CIPHERTEXT_1_2])
    if not first:
        return Probe.NEED_MORE
    if anywhere:
        return Probe.MATCH if Resync().feed(first, 0, 0) is not None else Probe.NEED_MORE
    if first[0] & 0x80:
        return _probe_ssl2(side, first)
    if first[0] not in (ALERT, HANDSHAKE) or (first[0] == ALERT and not side):
        return Probe.NO_MATCH
    if first[1:2] not in (b"", b"\x03") or first[2:3] > b"\x04":
        return Probe.NO_MATCH
    if len(first) < 5:
        return Probe.NEED_MORE
    length = first[3] << 8 | first[4]
    if first[0] == ALERT:
        if length != 2:
            return Probe.NO_MATCH
        return Probe.NEED_MORE if len(first) < 6 else Probe.MATCH if first[5] in (1, 2) else Probe.NO_MATCH
    if not 1 <= length <= MOST_CIPHERTEXT_1_2:
        return Probe.NO_MATCH
    if len(first) < _HELLO_BYTES:
        return Probe.NEED_MORE
    return Probe.MATCH if first[5:6] == _HELLO[side] or (side and first[5] == 0) else Probe.NO_MATCH


def _probe_ssl2(side: int, first: bytes) -> Probe:
    """RFC 5246 §E.2; draft-hickman-netscape-ssl §2.6 for the server's."""
    if len(first) < (7 if side else 11):
        kind = first[2:3] in (b"", b"\x04" if side else b"\x01")
        return Probe.NEED_MORE if kind else Probe.NO_MATCH
    length = (first[0] & 0x7F) << 8 | first[1]
    if side:
        # SERVER-HELLO: session id hit, certificate type, version, …
        sane = first[2] == 4 and first[3] <= 1 and first[5:7] == b"\0\2" and length >= 11
        return Probe.MATCH if sane else Probe.NO_MATCH
    kinds, session, challenge = (first[at] << 8 | first[at + 1] for at in (5, 7, 9))
    sane = (
        first[2] == 1
        and (first[3:5] == b"\0\2" or (first[3] == 3 and first[4] <= 4))
        and kinds % 3 == 0
        and kinds > 0
        and session in (0, 16, 32)
        and 16 <= challenge <= 32
        and length == 9 + kinds + session + challenge
    )
    return Probe.MATCH if sane else Probe.NO_MATCH
