"""HTTP exchanges as a HAR log (HTTP Archive 1.2), which browsers' network panels and many viewers open.

One entry per exchange, HTTP/1 and HTTP/2 alike, written as it comes: only what `finish` adds is held. Bodies are not in
it (`analyzer extract` writes them), only their sizes. What the capture does not show is -1, as the format has it for
sizes and times; what HAR has no name for begins with an underscore, which it reserves for that.
Source: http://www.softwareishard.com/blog/har-12-spec/
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from analyzer import model
from analyzer.reporter import words
from analyzer.reporter.fields import field_of, unicode_of
from analyzer.reporter.http import REDACTED
from analyzer.reporter.labels import timestamp
from analyzer.reporter.times import nanoseconds

MOST_REMARKS: Final = 1000  # connections whose content could not be read, that the log's comment names
Object = dict[str, Any]


class Har:
    """Writes the exchanges of connections to `write`. Cookies are in it as far as the header fields show them."""

    def __init__(self, write: Callable[[bytes], object], version: str):
        self._write = write
        self._encode = msgspec.json.Encoder().encode
        self._entries = 0
        self._remarks: list[str] = []
        self._unread = 0
        creator = self._encode({"name": "analyzer", "version": version})
        write(b'{"log":{"version":"1.2","creator":' + creator + b',"pages":[],"entries":[')

    def add(self, connection: model.Connection) -> None:
        for entry in entries(connection):
            self._write((b",\n" if self._entries else b"\n") + self._encode(entry))
            self._entries += 1
        for remark in _unread(connection):
            self._unread += 1
            if len(self._remarks) < MOST_REMARKS:
                self._remarks.append(remark)

    def finish(self) -> None:
        remarks = list(self._remarks)
        if beyond := self._unread - len(remarks):
            remarks.append(f"and {words.count(beyond)} more")
        comment = b""
        if remarks:
            comment = b',"comment":' + self._encode("Not all could be read. " + "; ".join(remarks))
        self._write(b"\n]" + comment + b"}}\n")


def _unread(connection: model.Connection) -> Iterator[str]:
    """What of a connection is in no entry, and why."""
    who = f"connection {connection.id}, {words.endpoint(connection.client)} to {words.endpoint(connection.server)}"
    for tls in words.secured(connection):
        if not tls.decrypted and tls.application_bytes != model.PerSide():
            yield f"{who}: TLS was not decrypted: {tls.decryption or 'no keys'}"
    for one in words.spoken(connection):
        if one.exchanges_not_listed:
            yield f"{who}: {words.plural(one.exchanges_not_listed, 'further exchange')}"


def entries(connection: model.Connection) -> Iterator[Object]:
    """One for each exchange whose request was captured: HAR has no room for a response alone."""
    start_ns = nanoseconds(connection.start)
    inner = connection.tunnel
    for http in words.spoken(connection):
        # HTTP in the clear may open a tunnel to TLS, and TLS one to HTTP: what does this one run over?
        tls = connection.tls
        if inner is not None and http == inner.http:
            tls = inner.tls or tls
        elif inner is not None and inner.tls == tls:
            tls = None
        first = http == connection.http
        for one in http.exchanges:
            if one.request is not None and one.started_ns is not None:
                yield _entry(connection, http, one, one.request, tls, start_ns, first=first)
                first = False


def _entry(
    connection: model.Connection,
    http: model.Http,
    one: model.Exchange,
    request: model.Request,
    tls: model.Tls | None,
    start_ns: int,
    *,
    first: bool,
) -> Object:
    timings = _timings(connection, one, first=first)
    begun = 0 if timings["connect"] >= 0 else one.started_ns or 0
    version = http.version or "unknown"
    return {
        "startedDateTime": timestamp(start_ns + begun),
        "time": round(sum(value for name, value in timings.items() if value >= 0 and name != "ssl"), 6),
        "request": _request(request, version, tls is not None),
        "response": _response(one.response, version),
        "cache": {},
        "timings": timings,
        "serverIPAddress": connection.server.address,
        "connection": str(connection.id),
        "_capture": unicode_of(connection.capture),
        "_tcp_stream": connection.tcp_stream,
        "_client": words.endpoint(connection.client),
        "_server": words.endpoint(connection.server),
        "_stream": one.stream,
        "_pushed": one.pushed,
        "_interim": one.interim,
        "_request_packet": request.packet,
        "_response_packet": one.response.packet if one.response else None,
        "_last_packet": one.response.last_packet if one.response else None,
        "_complete": one.response.complete if one.response else False,
        "_tls": tls and {"version": tls.version, "cipher_suite": tls.cipher_suite, "server_name": tls.server_name},
        "_flow": (one.verdict or http.connection).flow,
        "_outcome": (one.verdict or http.connection).outcome,
        "_reset": one.reset and f"{one.reset.error} by the {one.reset.side}",
    }


def _timings(connection: model.Connection, one: model.Exchange, *, first: bool) -> dict[str, float]:
    """Milliseconds, which together are what it took from `startedDateTime` on.

    The first exchange of a connection begins with the connection: its `connect` are the handshakes (HAR counts `ssl`
    into it), its `blocked` how long the connection was then open before anything was asked. Name resolution a capture
    of one connection does not show, nor when the last byte of a request was sent.
    """
    timing, started = connection.timing, one.started_ns or 0
    blocked = connect = tls = -1
    if first and timing.handshake_ns is not None:
        # Early data are sent before the handshake ends.
        connect = min(started, timing.handshake_ns + (timing.tls_ns or 0))
        tls = -1 if timing.tls_ns is None else max(0, connect - timing.handshake_ns)
        blocked = started - connect
    wait = receive = 0
    if one.first_byte_ns is not None:
        wait = max(0, one.first_byte_ns - started)  # a server may answer before it was asked
        receive = max(0, (one.finished_ns or one.first_byte_ns) - max(started, one.first_byte_ns))
    times = {"blocked": blocked, "dns": -1, "connect": connect, "ssl": tls, "send": 0, "wait": wait, "receive": receive}
    return {name: _milliseconds(ns) for name, ns in times.items()}


def _milliseconds(ns: int) -> float:
    return -1 if ns < 0 else round(ns / 1e6, 6)


def _request(request: model.Request, version: str, secured: bool) -> Object:
    fields = request.headers or []
    url = _url(request, secured)
    said: Object = {
        "method": request.method or "unknown",
        "url": url,
        "httpVersion": version,
        "cookies": _cookies(fields, "cookie"),
        "headers": _headers(fields),
        "queryString": _query(url),
        "headersSize": request.header_bytes,
        "bodySize": request.body_bytes,
    }
    if request.body_bytes:
        said["postData"] = {
            "mimeType": field_of(fields, "content-type") or "",
            "params": [],
            "text": "",
            "comment": f"{words.plural(request.body_bytes, 'byte')}, which are not in this log",
        }
    return said


def _response(response: model.Response | None, version: str) -> Object:
    if response is None:  # as browsers write down a request that nobody answered
        return {
            "status": 0, "statusText": "", "httpVersion": version, "cookies": [], "headers": [],
            "content": {"size": 0, "mimeType": "x-unknown"}, "redirectURL": "", "headersSize": -1, "bodySize": -1,
            "comment": "no response was captured",
        }  # fmt: skip
    fields = response.headers or []
    content: Object = {
        "size": response.body_bytes,
        "mimeType": field_of(fields, "content-type") or "x-unknown",
        "comment": "as sent: content codings are not undone, and the bytes are not in this log",
    }
    if response.body_bytes_lost:
        content["_lost"] = response.body_bytes_lost
    return {
        "status": response.status or 0,
        "statusText": "",  # HTTP/2 has none, and programs must not rely on HTTP/1's: RFC 9110 §15.1
        "httpVersion": version,
        "cookies": _cookies(fields, "set-cookie"),
        "headers": _headers(fields),
        "content": content,
        "redirectURL": field_of(fields, "location") or "",
        "headersSize": response.header_bytes,
        "bodySize": response.body_bytes,
    }


def _url(request: model.Request, secured: bool) -> str:
    """Absolute, as HAR wants it: RFC 9112 §3.3."""
    target = request.target or ""
    scheme = "https" if secured else "http"
    if request.method == "CONNECT" or (target and not target.startswith("/") and "://" not in target):
        return f"{scheme}://{request.authority or target}/" if target != "*" else f"{scheme}://{request.authority}/*"
    if "://" in target.partition("?")[0]:
        return target
    return f"{scheme}://{request.authority or 'unknown'}{target}"


def _query(url: str) -> list[Object]:
    query = url.partition("#")[0].partition("?")[2]
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True, errors="replace", max_num_fields=None)
    return [{"name": name, "value": value} for name, value in pairs]


def _headers(fields: list[tuple[str, str]]) -> list[Object]:
    return [{"name": name, "value": value} for name, value in fields]


def _cookies(fields: list[tuple[str, str]], wanted: str) -> list[Object]:
    found = []
    for name, value in fields:
        if name.lower() != wanted or value == REDACTED:
            continue
        for part in value.split(";")[: 1 if wanted == "set-cookie" else None]:
            cookie, equals, text = part.strip().partition("=")
            if equals:
                found.append({"name": cookie, "value": text})
    return found
