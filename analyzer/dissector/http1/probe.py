# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Is this HTTP/1? Told by content, never by port. Pure-Python mode, types in `probe.pxd`."""

from __future__ import annotations

import re

import cython

from analyzer.dissector.http1.head import parse_request_line, parse_status_line
from analyzer.dissector.http1.odd import KNOWN_METHODS, TOKEN
from analyzer.dissector.http1.resync import Resync
from analyzer.dissector.probing import Probe

COMPILED = cython.compiled

_LONGEST_LINE = 16_384  # bytes looked at for the end of a start line
_MOST_SEARCHED = 65_536  # bytes in which a message may begin anywhere
_STATUS_BEGIN = re.compile(rb"HTTP/1\.[01] [1-9][0-9][0-9](?:[ \r\n]|\Z)")
_REQUEST_BEGIN = re.compile(rb"(" + TOKEN + rb"{1,32})(?:[ \t\v\f\r]+(.*))?\Z", re.DOTALL)
_MATCH = Probe.MATCH


@cython.ccall
def probe(side: cython.int, data, anywhere: cython.bint = False):
    """Whether a side's bytes from a message's start on are HTTP/1; with `anywhere`, whether a message begins somewhere
    in them, for connections whose beginning was not captured.

    NEED_MORE: what there is could be its beginning. An HTTP/0.9 request is HTTP/1; the preface of HTTP/2 is not.
    """
    if type(data) is bytes and not anywhere and (_is_status_line(data) if side else begins_with_request(data)):
        return _MATCH
    if anywhere:
        begun = Resync(requests=side == 0).feed(bytes(data[:_MOST_SEARCHED]))
        return Probe.MATCH if begun is not None else Probe.NEED_MORE
    first = bytes(data[:_LONGEST_LINE])
    first = first.lstrip(b"\r\n")  # RFC 9112 §2.2
    if not first:
        return Probe.NEED_MORE
    return _probe_response(first) if side else _probe_request(first)


@cython.cfunc
def _is_version(data: bytes, at: cython.Py_ssize_t) -> cython.bint:
    """Whether `HTTP/1.0` or `HTTP/1.1` stands there."""
    return (
        data[at] == 72 and data[at + 1] == 84 and data[at + 2] == 84 and data[at + 3] == 80 and data[at + 4] == 47
        and data[at + 5] == 49 and data[at + 6] == 46 and (data[at + 7] == 48 or data[at + 7] == 49)
    )  # fmt: skip


@cython.cfunc
def _is_status_line(data: bytes) -> cython.bint:
    """Whether it begins like most responses; if not, it may be one all the same."""
    return (
        len(data) > 12 and _is_version(data, 0) and data[8] == 32 and 49 <= data[9] <= 57 and 48 <= data[10] <= 57
        and 48 <= data[11] <= 57 and (data[12] == 32 or data[12] == 13)
    )  # fmt: skip


@cython.ccall
def begins_with_request(data: bytes) -> cython.bint:
    """Whether its first line is that of most requests; if not, it may be one all the same."""
    at: cython.Py_ssize_t = 0
    size: cython.Py_ssize_t = min(len(data), _LONGEST_LINE)
    method: cython.Py_ssize_t
    while at < size and 65 <= data[at] <= 90:  # A to Z
        at += 1
    method = at
    # PRI is the method of HTTP/2's preface (RFC 9113 §3.4), PROXY the word of the PROXY protocol.
    if (
        not 1 <= method <= 32
        or at == size
        or data[at] != 32
        or ((method == 3 or method == 5) and data[0] == 80 and data[1] == 82)
    ):
        return False
    while at < size and data[at] != 10:
        at += 1
    return at < size and at - 10 >= method and data[at - 1] == 13 and data[at - 10] == 32 and _is_version(data, at - 9)


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
