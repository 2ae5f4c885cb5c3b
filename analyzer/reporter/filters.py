"""`--filter`: which connections to report, in a small language that reads like the tests on a flow page.

    server.port=443 close.outcome=variant|diverged

Terms are separated by spaces and must all hold. `|` separates alternatives, `*` and `?` are globs, addresses may be
networks, numbers take units and compare with `<`, `<=`, `>`, `>=`. `!=` is always the opposite of `=`.
"""

from __future__ import annotations

import fnmatch
import functools
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, get_args

import msgspec

from analyzer import model
from analyzer.errors import UsageError
from analyzer.reporter import words, words_of_http2

_Holds = Callable[[model.Connection], bool]
_Read = Callable[[model.Connection], Sequence[Any]]  # the values a field has; several for "either side"
_Check = Callable[[Any], bool]


class Predicate(msgspec.Struct, frozen=True):
    """Whether a connection is wanted. `needs_content`: the answer depends on what is inside the connection."""

    holds: _Holds
    needs_content: bool = False

    def __call__(self, connection: model.Connection) -> bool:
        return self.holds(connection)


_TERM = re.compile(r"([A-Za-z][A-Za-z0-9_.]*)\s*(!=|<=|>=|=|<|>)(.*)", re.DOTALL)
_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_UNITS: dict[str, dict[str, int]] = {
    "number": {"": 1},
    "bytes": {"": 1, "B": 1, "k": 10**3, "kB": 10**3, "M": 10**6, "MB": 10**6, "G": 10**9, "GB": 10**9},
}
_NUMBER = re.compile(r"(\d{1,18}(?:\.\d{1,18})?)\s*([a-zA-Z]*)")
_EXAMPLES = {"number": "443", "bytes": "1500 or 10kB", "duration": "20ms, 1.5s or 2min"}

_SIDES = (*get_args(model.Side), "none")
_OUTCOMES = get_args(model.Outcome)
_CAUSES = (*get_args(model.Cause), "none")
_ORIENTED = ("syn", "content", "port", "first-packet")
_YES_OR_NO = ("yes", "no", "none")
_STRENGTHS = ("strong", "acceptable", "weak", "broken", "none")


def _http(read: Callable[[model.Http], Any]) -> _Read:
    """The values of the HTTP of a connection and of that inside its tunnel."""
    return lambda c: [read(http) for http in words.spoken(c)] or (None,)


def _tls(read: Callable[[model.Tls], Iterable[Any]]) -> _Read:
    """The values of the TLS of a connection and of that inside its tunnel."""
    return lambda c: [value for tls in words.secured(c) for value in read(tls)] or (None,)


def _one(read: Callable[[model.Tls], Any]) -> _Read:
    return _tls(lambda tls: (read(tls),))


def _handshakes(read: Callable[[model.Verdict], Any]) -> _Read:
    return _tls(lambda tls: map(read, tls.handshakes))


def _tls_versions(tls: model.Tls) -> Iterator[str | None]:
    """`TLS 1.3`, `1.3`."""
    yield tls.version
    if tls.version:
        yield tls.version.partition(" ")[2]


def _alerts(tls: model.Tls) -> Iterator[str]:
    return (alert.description or "encrypted" for alert in tls.alerts)


def _certificates(tls: model.Tls) -> list[model.Certificate]:
    return [*tls.certificates, *tls.client_certificates]


def _named(tls: model.Tls) -> Iterator[str]:
    """Subjects and names of certificates."""
    for certificate in _certificates(tls):
        if certificate.subject is not None:
            yield certificate.subject
        yield from certificate.names


def _certificate_problems(tls: model.Tls) -> Iterator[str]:
    return (problem for certificate in _certificates(tls) for problem in certificate.problems)


def _yes_or_no(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"


def _lifecycle(read: Callable[[model.Verdict], Any]) -> _Read:
    return lambda c: (read(c.lifecycle) if c.lifecycle else None,)


def _of_any(read: Callable[[model.Verdict], Any]) -> _Read:
    return lambda c: [read(verdict) for _, verdict in words.verdicts(c)]


def _exchanges(c: model.Connection) -> Iterator[model.Exchange]:
    """Of the connection itself and of what it carried through a tunnel."""
    for http in words.spoken(c):
        yield from http.exchanges


def _requested(read: Callable[[model.Request], str | None]) -> _Read:
    return lambda c: [read(one.request) if one.request else None for one in _exchanges(c)] or (None,)


def _statuses(c: model.Connection) -> Sequence[int | None]:
    found: list[int | None] = []
    for one in _exchanges(c):
        found += one.interim
        found.append(one.response.status if one.response else None)
    return found or (None,)


def _streams(read: Callable[[model.Exchange], Any]) -> _Read:
    return lambda c: [read(one) for one in _exchanges(c) if one.stream is not None] or (None,)


def _stream_verdicts(read: Callable[[model.Verdict], Any]) -> _Read:
    return _streams(lambda one: read(one.verdict) if one.verdict else None)


def _http2(read: Callable[[model.Http], Iterable[Any]]) -> _Read:
    def values(c: model.Connection) -> Sequence[Any]:
        found = (http for http in words.spoken(c) if http.version == words_of_http2.VERSION)
        return [value for http in found for value in read(http)] or (None,)

    return values


def _grpc_statuses(http: model.Http) -> Iterator[int | None]:
    return (one.grpc.status for one in http.exchanges if one.grpc)


def _resets(http: model.Http) -> Iterator[str]:
    return (one.reset.error for one in http.exchanges if one.reset)


def _any(holds: Callable[[model.Exchange], bool]) -> _Read:
    """Whether it holds for a stream, of HTTP/2 connections."""
    return _http2(lambda http: (_yes_or_no(any(map(holds, http.exchanges))),))


# Field → (kind, how to read it). Kinds: "address", "flow", "path", "text", "name" (text in any case), a tuple of the
# words allowed, or a key of _EXAMPLES.
_FIELDS: dict[str, tuple[str | tuple[str, ...], _Read]] = {
    "address": ("address", lambda c: (c.client.address, c.server.address)),
    "client.address": ("address", lambda c: (c.client.address,)),
    "server.address": ("address", lambda c: (c.server.address,)),
    "port": ("number", lambda c: (c.client.port, c.server.port)),
    "client.port": ("number", lambda c: (c.client.port,)),
    "server.port": ("number", lambda c: (c.server.port,)),
    "open": ("flow", lambda c: (c.open.flow,)),
    "close": ("flow", lambda c: (c.close.flow,)),
    "tls": ("flow", _handshakes(lambda verdict: verdict.flow)),
    "http": ("flow", _http(lambda http: http.connection.flow)),
    "lifecycle": ("flow", _lifecycle(lambda verdict: verdict.flow)),
    "outcome": (_OUTCOMES, _of_any(lambda verdict: verdict.outcome)),
    "open.outcome": (_OUTCOMES, lambda c: (c.open.outcome,)),
    "close.outcome": (_OUTCOMES, lambda c: (c.close.outcome,)),
    "tls.outcome": (_OUTCOMES, _handshakes(lambda verdict: verdict.outcome)),
    "http.outcome": (_OUTCOMES, _http(lambda http: http.connection.outcome)),
    "lifecycle.outcome": (_OUTCOMES, _lifecycle(lambda verdict: verdict.outcome)),
    "cause": (_CAUSES, _of_any(lambda verdict: verdict.cause)),
    "open.cause": (_CAUSES, lambda c: (c.open.cause,)),
    "close.cause": (_CAUSES, lambda c: (c.close.cause,)),
    "tls.cause": (_CAUSES, _handshakes(lambda verdict: verdict.cause)),
    "http.cause": (_CAUSES, _http(lambda http: http.connection.cause)),
    "lifecycle.cause": (_CAUSES, _lifecycle(lambda verdict: verdict.cause)),
    "closed_by": (_SIDES, lambda c: (c.close.closed_by,)),
    "oriented_by": (_ORIENTED, lambda c: (c.oriented_by,)),
    "tls.version": ("name", _tls(_tls_versions)),
    "cipher_suite": ("name", _one(lambda tls: tls.cipher_suite)),
    "key_exchange": ("name", _one(lambda tls: tls.key_exchange)),
    "strength": (_STRENGTHS, _one(lambda tls: tls.strength)),
    "server_name": ("name", _one(lambda tls: tls.server_name)),
    "sni": ("name", _one(lambda tls: tls.server_name)),
    "alpn": ("name", _one(lambda tls: tls.alpn)),
    "ja3": ("name", _one(lambda tls: tls.ja3)),
    "ja3s": ("name", _one(lambda tls: tls.ja3s)),
    "ja4": ("name", _one(lambda tls: tls.ja4)),
    "resumed": (_YES_OR_NO, _one(lambda tls: _yes_or_no(tls.resumed))),
    "decrypted": (_YES_OR_NO, _one(lambda tls: _yes_or_no(tls.decrypted))),
    "alert": ("name", _tls(_alerts)),
    "certificate": ("name", _tls(_named)),
    "certificate.problem": ("name", _tls(_certificate_problems)),
    "http.version": ("flow", _http(lambda http: http.version)),
    "exchanges": ("number", lambda c: (words.exchange_count(c.http) if c.http else 0,)),
    "method": ("text", _requested(lambda request: request.method)),
    "target": ("text", _requested(lambda request: request.target)),
    "authority": ("name", _requested(lambda request: request.authority)),
    "status": ("number", _statuses),
    "max_concurrent": ("number", _http(lambda http: http.max_concurrent)),
    "stream": ("number", _streams(lambda one: one.stream)),
    "stream.flow": ("flow", _stream_verdicts(lambda verdict: verdict.flow)),
    "stream.outcome": (_OUTCOMES, _stream_verdicts(lambda verdict: verdict.outcome)),
    "stream.cause": (_CAUSES, _stream_verdicts(lambda verdict: verdict.cause)),
    "multiplexed": (_YES_OR_NO, _http2(lambda http: (_yes_or_no(http.max_concurrent > 1),))),
    "interleaved": (_YES_OR_NO, _any(lambda one: one.interleaved)),
    "pushed": (_YES_OR_NO, _any(lambda one: one.pushed)),
    "grpc.status": ("number", _http2(_grpc_statuses)),
    "reset": ("name", _http2(_resets)),
    "goaway": ("name", _http2(lambda http: (goaway.error for goaway in http.goaway))),
    "stalls": ("number", _http2(lambda http: (len(http.stalls),))),
    "packets": ("number", lambda c: (c.packets.client + c.packets.server,)),
    "client.packets": ("number", lambda c: (c.packets.client,)),
    "server.packets": ("number", lambda c: (c.packets.server,)),
    "bytes": ("bytes", lambda c: (c.payload_bytes.client + c.payload_bytes.server,)),
    "client.bytes": ("bytes", lambda c: (c.payload_bytes.client,)),
    "server.bytes": ("bytes", lambda c: (c.payload_bytes.server,)),
    "duration": ("duration", lambda c: (c.duration_ns,)),
    "rtt": ("duration", lambda c: (c.timing.handshake_ns,)),
    "vlan": ("number", lambda c: c.vlan or (None,)),
    "encapsulation": ("name", lambda c: [layer.type for layer in c.encapsulation] or (None,)),
    "encapsulation.id": ("number", lambda c: [layer.id for layer in c.encapsulation] or (None,)),
    "id": ("number", lambda c: (c.id,)),
    "tcp_stream": ("number", lambda c: (c.tcp_stream,)),
    "capture": ("path", lambda c: (c.capture,)),
    "faults": ("number", lambda c: (len(c.faults),)),
    "retransmissions": ("number", lambda c: (c.notes.retransmissions,)),
    "out_of_order": ("number", lambda c: (c.notes.out_of_order,)),
    "lost_segments": ("number", lambda c: (c.notes.lost_segments,)),
    "duplicate_acks": ("number", lambda c: (c.notes.duplicate_acks,)),
    "zero_windows": ("number", lambda c: (c.notes.zero_windows,)),
    "keep_alives": ("number", lambda c: (c.notes.keep_alives,)),
    "resets": ("number", lambda c: (c.notes.resets,)),
    "resets_ignored": ("number", lambda c: (c.notes.resets_ignored,)),
    "icmp_errors": ("number", lambda c: (c.notes.icmp_errors,)),
    "duplicates": ("number", lambda c: (c.notes.duplicates,)),
    "cut_segments": ("number", lambda c: (c.notes.cut_segments,)),
    "uncaptured_bytes": ("bytes", lambda c: (c.notes.uncaptured_bytes,)),
    "bad_checksums": ("number", lambda c: (c.notes.bad_checksums,)),
    "unfilled_checksums": ("number", lambda c: (c.notes.unfilled_checksums,)),
}
FIELDS: tuple[str, ...] = tuple(_FIELDS)
_OF_TLS = (
    "tls", "cipher_suite", "key_exchange", "strength", "server_name", "sni", "alpn", "ja3", "ja3s", "ja4", "resumed",
    "decrypted", "alert", "certificate",
)  # fmt: skip
_OF_HTTP = (
    "http", "lifecycle", "exchanges", "method", "target", "authority", "status", "max_concurrent", "stream",
    "multiplexed", "interleaved", "pushed", "grpc", "reset", "goaway", "stalls",
)  # fmt: skip
_OF_CONTENT = frozenset(field for field in FIELDS if field.partition(".")[0] in _OF_TLS + _OF_HTTP)
_LISTED = "`analyzer read --help` lists the fields"


def parse_filter(expression: str) -> Predicate:
    """The predicate an expression stands for. Raises UsageError with what is wrong and what there is instead."""
    import shlex

    lexer = shlex.shlex(expression, posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    try:
        terms = list(lexer)
    except ValueError:
        raise UsageError(f"filter {expression!r}: a quotation mark is not closed") from None
    if not terms:
        raise UsageError(f"the filter is empty: give a term such as server.port=443; {_LISTED}")
    found = [_term(term) for term in terms]
    needs_content = any(term.needs_content for term in found)
    if len(found) == 1:
        return found[0]
    return Predicate(lambda connection: all(term(connection) for term in found), needs_content)


def _term(term: str) -> Predicate:
    match = _TERM.fullmatch(term)
    if not match:
        raise UsageError(f"filter {term!r}: a term is FIELD=VALUE, such as server.port=443; {_LISTED}")
    field, operator, value = match.groups()
    if field not in _FIELDS:
        import difflib

        close = difflib.get_close_matches(field, FIELDS, n=3)
        instead = f"; did you mean {' or '.join(close)}?" if close else ":"
        raise UsageError(f"filter {term!r}: there is no field {field!r}{instead} {_LISTED}")
    if not value:
        raise UsageError(f"filter {term!r}: the value is missing after {operator!r} (`none` means absent)")
    kind, read = _FIELDS[field]
    if operator in _ORDER:
        if not isinstance(kind, str) or kind not in _EXAMPLES:
            raise UsageError(f"filter {term!r}: {field} is not a number: compare it with = or !=")
        compare, limit = _ORDER[operator], _number(kind, value, term)
        return Predicate(
            lambda connection: any(v is not None and compare(v, limit) for v in read(connection)), field in _OF_CONTENT
        )
    checks = [_check(kind, alternative, field, term) for alternative in value.split("|")]
    wanted = operator == "="
    return Predicate(
        lambda connection: any(check(v) for v in read(connection) for check in checks) is wanted, field in _OF_CONTENT
    )


def _check(kind: str | tuple[str, ...], value: str, field: str, term: str) -> _Check:
    """Whether one value of a field equals one alternative."""
    if not value:
        raise UsageError(f"filter {term!r}: an alternative beside '|' is empty")
    if value == "none":
        return lambda v: v is None
    if isinstance(kind, tuple):
        if "*" not in value and "?" not in value and value not in kind:
            raise UsageError(f"filter {term!r}: {value!r} is no {field}; there are: {', '.join(kind)}")
        return lambda v: v is not None and fnmatch.fnmatchcase(v, value)
    if kind == "address":
        return _address_check(value, term)
    if kind == "flow":  # the whole id, or the part after the scope
        return lambda v: (
            v is not None and (fnmatch.fnmatchcase(v, value) or fnmatch.fnmatchcase(v.partition("/")[2], value))
        )
    if kind == "path":  # the whole path, or the name of the file
        return lambda v: fnmatch.fnmatchcase(v, value) or fnmatch.fnmatchcase(v.rpartition("/")[2], value)
    if kind in ("text", "name"):
        pattern = value.replace("[", "[[]")  # only * and ? are globs
        if kind == "name":
            return lambda v: v is not None and fnmatch.fnmatchcase(v.lower(), pattern.lower())
        return lambda v: v is not None and fnmatch.fnmatchcase(v, pattern)
    number = _number(kind, value, term)
    return lambda v: v is not None and v == number


def _address_check(value: str, term: str) -> _Check:
    try:
        network = ipaddress.ip_network(value.strip("[]"), strict=False)
    except ValueError:
        raise UsageError(
            f"filter {term!r}: {value!r} is no address: write 10.0.0.1, 10.0.0.0/8, 2001:db8::1 or 2001:db8::/32"
            + (" (a port has its own field: port=…)" if re.fullmatch(r"[\d.]+:\d+|\[.*\]:\d+", value) else "")
        ) from None

    def check(address: str) -> bool:
        parsed = _address(address)
        return parsed is not None and parsed in network

    return check


@functools.lru_cache(maxsize=4096)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _number(kind: str, value: str, term: str) -> float:
    if kind == "duration":
        if (ns := words.parse_duration(value)) is not None:
            return ns
    elif (match := _NUMBER.fullmatch(value)) and match[2] in _UNITS[kind]:
        number = float(match[1]) if "." in match[1] else int(match[1])
        return number * _UNITS[kind][match[2]]
    raise UsageError(f"filter {term!r}: the value {value!r} is not understood: write {_EXAMPLES[kind]}")
