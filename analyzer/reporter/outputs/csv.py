"""One row per connection for spreadsheets and data frames; absent values are empty cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from analyzer import model
from analyzer.reporter import words, words_of_http2
from analyzer.reporter.escape import escape

_BATCH_CHARACTERS = 1 << 16
_Value = str | int | None


def _methods(connection: model.Connection) -> str:
    """Each once, in the order of their first use."""
    found = (one.request.method for one in _exchanges(connection) if one.request and one.request.method)
    return " ".join(dict.fromkeys(found))


def _statuses(connection: model.Connection) -> str:
    found = (one.response.status for one in _exchanges(connection) if one.response)
    return " ".join(str(status) for status in dict.fromkeys(found) if status is not None)


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


def _goaway(connection: model.Connection) -> str:
    """Each once, in the order of their first appearance."""
    return "; ".join(dict.fromkeys(f"{one.side} {one.error}" for http in _http2(connection) for one in http.goaway))


def _tls(read: Callable[[model.Tls], _Value]) -> Callable[[model.Connection], _Value]:
    """Of the outermost TLS."""

    def cell_of(connection: model.Connection) -> _Value:
        found = words.secured(connection)
        return read(found[0]) if found else None

    return cell_of


def _layer(layer: model.Encapsulation) -> str:
    return layer.type if layer.id is None else f"{layer.type}:{layer.id}"


def _first(tls: model.Tls) -> model.Verdict | None:
    return tls.handshakes[0] if tls.handshakes else None


def _alerts(tls: model.Tls) -> str:
    """Each once, in the order of their first appearance."""
    return "; ".join(dict.fromkeys(f"{alert.side} {alert.description or 'encrypted'}" for alert in tls.alerts))


# Column → how to read it. The names are those of the JSON, joined with underscores, and as stable.
COLUMNS: dict[str, Callable[[model.Connection], _Value]] = {
    "capture": lambda c: c.capture,
    "id": lambda c: c.id,
    "tcp_stream": lambda c: c.tcp_stream,
    "client_address": lambda c: c.client.address,
    "client_port": lambda c: c.client.port,
    "server_address": lambda c: c.server.address,
    "server_port": lambda c: c.server.port,
    "oriented_by": lambda c: c.oriented_by,
    "vlan": lambda c: " ".join(map(str, c.vlan)),  # outermost first
    "first_packet": lambda c: c.first_packet,
    "last_packet": lambda c: c.last_packet,
    "start": lambda c: c.start,
    "duration_ns": lambda c: c.duration_ns,
    "packets_client": lambda c: c.packets.client,
    "packets_server": lambda c: c.packets.server,
    "payload_bytes_client": lambda c: c.payload_bytes.client,
    "payload_bytes_server": lambda c: c.payload_bytes.server,
    "open_flow": lambda c: c.open.flow,
    "open_outcome": lambda c: c.open.outcome,
    "open_cause": lambda c: c.open.cause,
    "open_differs": lambda c: "; ".join(c.open.differs),
    "close_flow": lambda c: c.close.flow,
    "close_outcome": lambda c: c.close.outcome,
    "close_cause": lambda c: c.close.cause,
    "close_differs": lambda c: "; ".join(c.close.differs),
    "closed_by": lambda c: c.close.closed_by,
    "handshake_ns": lambda c: c.timing.handshake_ns,
    "retransmissions": lambda c: c.notes.retransmissions,
    "out_of_order": lambda c: c.notes.out_of_order,
    "lost_segments": lambda c: c.notes.lost_segments,
    "duplicate_acks": lambda c: c.notes.duplicate_acks,
    "zero_windows": lambda c: c.notes.zero_windows,
    "keep_alives": lambda c: c.notes.keep_alives,
    "resets": lambda c: c.notes.resets,
    "resets_ignored": lambda c: c.notes.resets_ignored,
    "duplicates": lambda c: c.notes.duplicates,
    "cut_segments": lambda c: c.notes.cut_segments,
    "uncaptured_bytes": lambda c: c.notes.uncaptured_bytes,
    "bad_checksums": lambda c: c.notes.bad_checksums,
    "unfilled_checksums": lambda c: c.notes.unfilled_checksums,
    "faults": lambda c: len(c.faults),
    "http_version": lambda c: c.http.version if c.http else None,
    "http_flow": lambda c: c.http.connection.flow if c.http else None,
    "http_outcome": lambda c: c.http.connection.outcome if c.http else None,
    "exchanges": lambda c: words.exchange_count(c.http) if c.http else None,
    "methods": _methods,
    "statuses": _statuses,
    "tls_version": _tls(lambda tls: tls.version),
    "cipher_suite": _tls(lambda tls: tls.cipher_suite),
    "key_exchange": _tls(lambda tls: tls.key_exchange),
    "server_name": _tls(lambda tls: tls.server_name),
    "alpn": _tls(lambda tls: tls.alpn),
    "tls_flow": _tls(lambda tls: first.flow if (first := _first(tls)) else None),
    "tls_outcome": _tls(lambda tls: first.outcome if (first := _first(tls)) else None),
    "tls_decrypted": _tls(lambda tls: "true" if tls.decrypted else "false"),
    "ja3": _tls(lambda tls: tls.ja3),
    "ja3s": _tls(lambda tls: tls.ja3s),
    "ja4": _tls(lambda tls: tls.ja4),
    "alerts": _tls(_alerts),
    "http_max_concurrent": _most_at_once,
    "streams_reset": _streams_reset,
    "goaway": _goaway,
    "encapsulation": lambda c: " ".join(_layer(layer) for layer in c.encapsulation),
    "icmp_errors": lambda c: c.notes.icmp_errors,
}


def cell(value: _Value) -> _Value:
    """A value that no spreadsheet takes for a formula (OWASP: CSV injection) and no terminal for a command."""
    if not isinstance(value, str):
        return value
    safe = "'" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else ""
    return safe + escape(value)


class Csv:
    """Writes connections as CSV (RFC 4180, lines ended by a line feed) to `write`, the header first."""

    def __init__(self, write: Callable[[str], object], live: bool = False):
        self._write = write
        self._batch = 0 if live else _BATCH_CHARACTERS
        self._buffer = io.StringIO()
        self._rows = csv.writer(self._buffer, lineterminator="\n")
        self._rows.writerow(COLUMNS)

    def add(self, connection: model.Connection) -> None:
        self._rows.writerow([cell(read(connection)) for read in COLUMNS.values()])
        if self._buffer.tell() >= self._batch:
            self.flush()

    def flush(self) -> None:
        if text := self._buffer.getvalue():
            self._write(text)
            self._buffer.seek(0)
            self._buffer.truncate()

    def finish(self) -> None:
        self.flush()
