"""What of a connection is compared, by name, and free of what changes between recordings: times, ports, packet numbers.

Names are paths in the JSON output, with dots: `close.flow`, `tls.certificates.0.subject`. An exchange is named by its
request, and by how many of the same came before it: `http.exchanges.GET /a.txt.response.status`,
`http.exchanges.GET /a.txt (2).…`; so the order of exchanges, which HTTP/2 does not promise, is not compared.
"""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Iterator
from typing import Final

from analyzer import model

Value = str | int | bool | None

_NUMBERS: Final = re.compile(r"\d+")
_CERTIFI: Final = re.compile(r"certifi [\d.]+")  # whose version says nothing of the traffic
_VERDICT: Final = ("flow", "outcome", "cause")
_TLS: Final = (
    "version", "cipher_suite", "key_exchange", "server_name", "alpn", "resumed", "client_authenticated", "strength",
    "decrypted",
)  # fmt: skip
_CERTIFICATE: Final = (
    "subject", "issuer", "not_before", "not_after", "key", "signature", "sha256", "valid_at_capture", "name_matches",
    "trusted",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Fact:
    """A value, and the packet to look at."""

    value: Value
    packet: int


@dataclasses.dataclass(slots=True)
class Summary:
    """A connection: what is compared, and what it is found by.

    `exchanges`: by request; those listed only. `certificates`: by place in their chain. `times`: durations in ns by
    name, with the packet where each ended.
    """

    capture: str
    id: int
    client: tuple[str, int]
    server: tuple[str, int]
    first_packet: int
    last_packet: int
    facts: dict[str, Fact]
    exchanges: dict[str, dict[str, Fact]]
    certificates: dict[str, dict[str, Fact]]
    times: dict[str, tuple[int, int]]

    @property
    def server_name(self) -> Value:
        fact = self.facts.get("tls.server_name")
        return fact.value if fact else None


def summarize(connection: model.Connection) -> Summary:
    """What is compared of a connection."""
    times = {}
    for name in ("handshake_ns", "tls_ns", "first_response_ns"):
        value = getattr(connection.timing, name)
        if value is not None:
            times[f"timing.{name}"] = (value, connection.first_packet)
    exchanges = {}
    for path, http in _https(connection):
        for name, one in _named(http.exchanges):
            key = f"{path}.exchanges.{name}"
            exchanges[key] = dict(_exchange(one, connection.first_packet))
            times.update(_times(key, one))
    return Summary(
        connection.capture,
        connection.id,
        (connection.client.address, connection.client.port),
        (connection.server.address, connection.server.port),
        connection.first_packet,
        connection.last_packet,
        dict(_facts(connection)),
        exchanges,
        {name: dict(facts) for path, tls in _tlses(connection) for name, facts in _certificates(path, tls, connection)},
        times,
    )


def _facts(c: model.Connection) -> Iterator[tuple[str, Fact]]:
    yield from _verdict("open", c.open, c.first_packet)
    yield from _verdict("close", c.close, c.last_packet)
    yield "close.closed_by", Fact(c.close.closed_by, _last(c.close, c.last_packet))
    if c.lifecycle is not None:
        yield from _verdict("lifecycle", c.lifecycle, c.last_packet)
    yield "proxy_protocol", Fact(c.proxy_protocol, c.first_packet)
    if c.tunnel is not None:
        yield "tunnel.after", Fact(c.tunnel.after, c.first_packet)
    for path, tls in _tlses(c):
        yield from _tls(path, tls, c.first_packet)
    for path, http in _https(c):
        yield from _http(path, http, c.first_packet)
    for number, (message, packets) in enumerate(_faults(c)):
        yield f"faults.{number}", Fact(message, packets)


def _tlses(c: model.Connection) -> Iterator[tuple[str, model.Tls]]:
    """The outermost TLS, and that inside the tunnel, unless it is the same."""
    if c.tls is not None:
        yield "tls", c.tls
    if c.tunnel is not None and c.tunnel.tls is not None and c.tunnel.tls != c.tls:
        yield "tunnel.tls", c.tunnel.tls


def _https(c: model.Connection) -> Iterator[tuple[str, model.Http]]:
    """The outermost HTTP, and that inside the tunnel, unless it is the same."""
    if c.http is not None:
        yield "http", c.http
    if c.tunnel is not None and c.tunnel.http is not None and c.tunnel.http != c.http:
        yield "tunnel.http", c.tunnel.http


def _last(verdict: model.Verdict, otherwise: int) -> int:
    """The packet where a verdict was decided."""
    if verdict.divergence is not None:
        return verdict.divergence.packet
    return verdict.steps[-1].last_packet if verdict.steps else otherwise


def _verdict(path: str, verdict: model.Verdict, packet: int) -> Iterator[tuple[str, Fact]]:
    packet = _last(verdict, packet)
    for name in _VERDICT:
        yield f"{path}.{name}", Fact(getattr(verdict, name), packet)
    if verdict.divergence is not None:
        yield f"{path}.divergence.saw", Fact(f"{verdict.divergence.side} {verdict.divergence.saw}", packet)


def _tls(path: str, tls: model.Tls, packet: int) -> Iterator[tuple[str, Fact]]:
    at = _hello(tls, packet)
    for name in _TLS:
        yield f"{path}.{name}", Fact(getattr(tls, name), at)
    for number, handshake in enumerate(tls.handshakes):
        yield from _verdict(f"{path}.handshakes.{number}", handshake, at)
    for number, alert in enumerate(tls.alerts):
        said = f"{alert.side} {alert.level or ''} {alert.description or 'encrypted'}".replace("  ", " ")
        yield f"{path}.alerts.{number}", Fact(said, alert.packet)


def _hello(tls: model.Tls, otherwise: int) -> int:
    return next((step.packet for verdict in tls.handshakes for step in verdict.steps), otherwise)


def _certificates(path: str, tls: model.Tls, c: model.Connection) -> Iterator[tuple[str, Iterator[tuple[str, Fact]]]]:
    at = _hello(tls, c.first_packet)
    for kind, chain in (("certificates", tls.certificates), ("client_certificates", tls.client_certificates)):
        for number, one in enumerate(chain):
            yield f"{path}.{kind}.{number}", _certificate(one, at)


def _certificate(one: model.Certificate, packet: int) -> Iterator[tuple[str, Fact]]:
    for name in _CERTIFICATE:
        yield name, Fact(getattr(one, name), packet)
    for name in ("names", "problems"):
        yield name, Fact(_CERTIFI.sub("certifi", ", ".join(getattr(one, name))), packet)


def _http(path: str, http: model.Http, packet: int) -> Iterator[tuple[str, Fact]]:
    at = _last(http.connection, packet)
    yield f"{path}.version", Fact(http.version, at)
    yield from _verdict(f"{path}.connection", http.connection, packet)
    yield f"{path}.exchanges_not_listed", Fact(http.exchanges_not_listed, at)
    for number, goaway in enumerate(http.goaway):
        yield f"{path}.goaway.{number}", Fact(f"{goaway.side} {goaway.error}", goaway.packet)
    if http.websocket is not None:
        yield f"{path}.websocket.close_code", Fact(http.websocket.close_code, at)


def _named(exchanges: list[model.Exchange]) -> Iterator[tuple[str, model.Exchange]]:
    seen = collections.Counter[str]()
    for one in exchanges:
        request = one.request
        if request is None:
            name = "(no request)"
        else:
            name = f"{request.method or '?'} {request.target or request.authority or '?'}"
        seen[name] += 1
        yield (name if seen[name] == 1 else f"{name} ({seen[name]})"), one


def _exchange(one: model.Exchange, packet: int) -> Iterator[tuple[str, Fact]]:
    if one.request is not None:
        packet = one.request.packet
        yield "request.authority", Fact(one.request.authority, packet)
        yield "request.body_bytes", Fact(one.request.body_bytes, packet)
    if one.response is not None:
        packet = one.response.packet
        yield "response.status", Fact(one.response.status, packet)
        yield "response.body_bytes", Fact(one.response.body_bytes, packet)
        yield "response.complete", Fact(one.response.complete, one.response.last_packet)
    yield "interim", Fact(", ".join(map(str, one.interim)), packet)
    yield "pushed", Fact(one.pushed, packet)
    yield "protocol", Fact(one.protocol, packet)
    if one.verdict is not None:
        yield from _verdict("verdict", one.verdict, packet)
    if one.reset is not None:
        yield "reset", Fact(f"{one.reset.side} {one.reset.error}", one.reset.packet)
    if one.grpc is not None:
        yield "grpc.status", Fact(one.grpc.status, packet)


def _times(key: str, one: model.Exchange) -> Iterator[tuple[str, tuple[int, int]]]:
    if one.started_ns is None or one.response is None:
        return
    if one.first_byte_ns is not None:
        yield f"{key}.first_byte_ns", (one.first_byte_ns - one.started_ns, one.response.packet)
    if one.finished_ns is not None:
        yield f"{key}.finished_ns", (one.finished_ns - one.started_ns, one.response.last_packet)


def _faults(c: model.Connection) -> Iterator[tuple[str, int]]:
    """Each kind of fault once: numbers in them, mostly of packets and bytes, change from one recording to the next."""
    kinds: dict[str, int] = {}
    for fault in c.faults:
        kinds.setdefault(f"{fault.layer}: {_NUMBERS.sub('N', fault.message)}", fault.packet)
    yield from sorted(kinds.items())
