"""Is this HTTP/1? Told by content, never by port."""

from __future__ import annotations

import re
from typing import Final

from analyzer.dissector.http1.head import KNOWN_METHODS, TOKEN, parse_request_line, parse_status_line
from analyzer.dissector.http1.resync import Resync
from analyzer.dissector.probing import Probe

_LONGEST_LINE: Final = 16_384  # bytes looked at for the end of a start line
_MOST_SEARCHED: Final = 65_536  # bytes in which a message may begin anywhere
_STATUS_BEGIN = re.compile(rb"HTTP/1\.[01] [1-9][0-9][0-9](?:[ \r\n]|\Z)")
_REQUEST_BEGIN = re.compile(rb"(" + TOKEN + rb"{1,32})(?:[ \t\v\f\r]+(.*))?\Z", re.DOTALL)


def probe(side: int, data: bytes | memoryview, *, anywhere: bool = False) -> Probe:
    """Whether a side's bytes from a message's start on are HTTP/1; with `anywhere`, whether a message begins somewhere
    in them, for connections whose beginning was not captured.

    NEED_MORE: what there is could be its beginning. An HTTP/0.9 request is HTTP/1; the preface of HTTP/2 is not.
    """
    if anywhere:
        begun = Resync(requests=side == 0).feed(bytes(data[:_MOST_SEARCHED]))
        return Probe.MATCH if begun is not None else Probe.NEED_MORE
    first = bytes(data[:_LONGEST_LINE])
    first = first.lstrip(b"\r\n")  # RFC 9112 §2.2
    if not first:
        return Probe.NEED_MORE
    return _probe_response(first) if side else _probe_request(first)


def _probe_response(first: bytes) -> Probe:
    if _STATUS_BEGIN.match(first):
        return Probe.MATCH
    line, end, _ = first.partition(b"\n")
    if end:
        return Probe.NO_MATCH if parse_status_line(line.removesuffix(b"\r")) is None else Probe.MATCH
    return Probe.NEED_MORE if first.startswith(b"HTTP/"[: len(first)]) and len(first) < 64 else Probe.NO_MATCH


def _probe_request(first: bytes) -> Probe:
    line, end, _ = first.partition(b"\n")
    if end:
        request = parse_request_line(line.removesuffix(b"\r"))
        if request is None or len(request.method) > 32 or (request.method == "PRI" and b"HTTP/2" in line):
            return Probe.NO_MATCH
        return Probe.MATCH
    begin = _REQUEST_BEGIN.match(line.lstrip(b" \t\v\f\r") or b"x")
    if begin is None or len(first) >= _LONGEST_LINE:
        return Probe.NO_MATCH
    method, target = begin[1], begin[2] or b""
    if method in KNOWN_METHODS and target[:1] == b"/":
        return Probe.MATCH
    return Probe.NEED_MORE
