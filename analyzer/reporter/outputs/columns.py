"""What a table of connections has: one row each, absent values null."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from analyzer import model
from analyzer.reporter import words, words_of_http2

Value = str | int | bool | list[str] | list[int] | None


class Column(NamedTuple):
    """`kind`: of its values; "time" is RFC 3339 with nanoseconds. `read`: how to read it off a connection.
    `separator`: between the values of a list, where a cell is one text."""

    kind: Literal["str", "int", "bool", "time", "list[str]", "list[int]"]
    read: Callable[[model.Connection], Value]
    separator: str = " "


def _methods(connection: model.Connection) -> list[str]:
    """Each once, in the order of their first use."""
    found = (one.request.method for one in _exchanges(connection) if one.request and one.request.method)
    return list(dict.fromkeys(found))


def _statuses(connection: model.Connection) -> list[int]:
    found = (one.response.status for one in _exchanges(connection) if one.response)
    return [status for status in dict.fromkeys(found) if status is not None]


def _exchanges(connection: model.Connection) -> list[model.Exchange]:
    return connection.http.exchanges if connection.http else []


def _http2(connection: model.Connection) -> list[model.Http]:
    return [http for http in words.spoken(connection) if http.version == words_of_http2.VERSION]


def _most_at_once(connection: model.Connection) -> int | None:
    return max((http.max_concurrent for http in words.spoken(connection)), default=None)


def _streams_reset(connection: model.Connection) -> int | None:
    """Of the streams that are listed."""
    found = _http2(connection)
    return sum(one.reset is not None for http in found for one in http.exchanges) if found else None


def _goaway(connection: model.Connection) -> list[str]:
    """Each once, in the order of their first appearance."""
    return list(dict.fromkeys(f"{one.side} {one.error}" for http in _http2(connection) for one in http.goaway))


def _tls(read: Callable[[model.Tls], Value]) -> Callable[[model.Connection], Value]:
    """Of the outermost TLS."""

    def cell_of(connection: model.Connection) -> Value:
        found = words.secured(connection)
        return read(found[0]) if found else None

    return cell_of


def _layer(layer: model.Encapsulation) -> str:
    return layer.type if layer.id is None else f"{layer.type}:{layer.id}"


def _first(tls: model.Tls) -> model.Verdict | None:
    return tls.handshakes[0] if tls.handshakes else None


def _alerts(tls: model.Tls) -> list[str]:
    """Each once, in the order of their first appearance."""
    return list(dict.fromkeys(f"{alert.side} {alert.description or 'encrypted'}" for alert in tls.alerts))


# Column → how to read it. The names are those of the JSON, joined with underscores, and as stable.
COLUMNS: dict[str, Column] = {
    "capture": Column("str", lambda c: c.capture),
    "id": Column("int", lambda c: c.id),
    "tcp_stream": Column("int", lambda c: c.tcp_stream),
    "client_address": Column("str", lambda c: c.client.address),
    "client_port": Column("int", lambda c: c.client.port),
    "server_address": Column("str", lambda c: c.server.address),
    "server_port": Column("int", lambda c: c.server.port),
    "oriented_by": Column("str", lambda c: c.oriented_by),
    "vlan": Column("list[int]", lambda c: c.vlan),  # outermost first
    "first_packet": Column("int", lambda c: c.first_packet),
    "last_packet": Column("int", lambda c: c.last_packet),
    "start": Column("time", lambda c: c.start),
    "duration_ns": Column("int", lambda c: c.duration_ns),
    "packets_client": Column("int", lambda c: c.packets.client),
    "packets_server": Column("int", lambda c: c.packets.server),
    "payload_bytes_client": Column("int", lambda c: c.payload_bytes.client),
    "payload_bytes_server": Column("int", lambda c: c.payload_bytes.server),
    "open_flow": Column("str", lambda c: c.open.flow),
    "open_outcome": Column("str", lambda c: c.open.outcome),
    "open_cause": Column("str", lambda c: c.open.cause),
    "open_differs": Column("list[str]", lambda c: c.open.differs, "; "),
    "close_flow": Column("str", lambda c: c.close.flow),
    "close_outcome": Column("str", lambda c: c.close.outcome),
    "close_cause": Column("str", lambda c: c.close.cause),
    "close_differs": Column("list[str]", lambda c: c.close.differs, "; "),
    "closed_by": Column("str", lambda c: c.close.closed_by),
    "handshake_ns": Column("int", lambda c: c.timing.handshake_ns),
    "retransmissions": Column("int", lambda c: c.notes.retransmissions),
    "out_of_order": Column("int", lambda c: c.notes.out_of_order),
    "lost_segments": Column("int", lambda c: c.notes.lost_segments),
    "duplicate_acks": Column("int", lambda c: c.notes.duplicate_acks),
    "zero_windows": Column("int", lambda c: c.notes.zero_windows),
    "keep_alives": Column("int", lambda c: c.notes.keep_alives),
    "resets": Column("int", lambda c: c.notes.resets),
    "resets_ignored": Column("int", lambda c: c.notes.resets_ignored),
    "duplicates": Column("int", lambda c: c.notes.duplicates),
    "cut_segments": Column("int", lambda c: c.notes.cut_segments),
    "uncaptured_bytes": Column("int", lambda c: c.notes.uncaptured_bytes),
    "bad_checksums": Column("int", lambda c: c.notes.bad_checksums),
    "unfilled_checksums": Column("int", lambda c: c.notes.unfilled_checksums),
    "faults": Column("int", lambda c: len(c.faults)),
    "http_version": Column("str", lambda c: c.http.version if c.http else None),
    "http_flow": Column("str", lambda c: c.http.connection.flow if c.http else None),
    "http_outcome": Column("str", lambda c: c.http.connection.outcome if c.http else None),
    "exchanges": Column("int", lambda c: words.exchange_count(c.http) if c.http else None),
    "methods": Column("list[str]", _methods),
    "statuses": Column("list[int]", _statuses),
    "tls_version": Column("str", _tls(lambda tls: tls.version)),
    "cipher_suite": Column("str", _tls(lambda tls: tls.cipher_suite)),
    "key_exchange": Column("str", _tls(lambda tls: tls.key_exchange)),
    "server_name": Column("str", _tls(lambda tls: tls.server_name)),
    "alpn": Column("str", _tls(lambda tls: tls.alpn)),
    "tls_flow": Column("str", _tls(lambda tls: first.flow if (first := _first(tls)) else None)),
    "tls_outcome": Column("str", _tls(lambda tls: first.outcome if (first := _first(tls)) else None)),
    "tls_decrypted": Column("bool", _tls(lambda tls: tls.decrypted)),
    "ja3": Column("str", _tls(lambda tls: tls.ja3)),
    "ja3s": Column("str", _tls(lambda tls: tls.ja3s)),
    "ja4": Column("str", _tls(lambda tls: tls.ja4)),
    "alerts": Column("list[str]", _tls(_alerts), "; "),
    "http_max_concurrent": Column("int", _most_at_once),
    "streams_reset": Column("int", _streams_reset),
    "goaway": Column("list[str]", _goaway, "; "),
    "encapsulation": Column("list[str]", lambda c: [_layer(layer) for layer in c.encapsulation]),
    "icmp_errors": Column("int", lambda c: c.notes.icmp_errors),
}
