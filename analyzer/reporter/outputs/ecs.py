"""Connections and HTTP exchanges as Elastic Common Schema documents, one JSON object per line.

Field names and types are those of ECS 8.11. A document per connection (`event.dataset` "analyzer.connection"), and one
per HTTP exchange ("analyzer.http"), since ECS has room for one request. What ECS has no field for is under `analyzer`.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from analyzer import model
from analyzer.reporter import words
from analyzer.reporter.fields import field_of, group_of, is_established, unicode_of
from analyzer.reporter.labels import timestamp
from analyzer.reporter.outputs.jsonl import JsonLines
from analyzer.reporter.times import nanoseconds

VERSION = "8.11.0"
Document = dict[str, Any]


def community_id(connection: model.Connection) -> str:
    """Version 1 of Corelight's Community ID, seed 0: the same for the same pair of sockets in every program."""
    ends = [(ipaddress.ip_address(end.address).packed, end.port) for end in (connection.client, connection.server)]
    (first, first_port), (second, second_port) = sorted(ends)
    numbers = bytes([0, 0]) + first + second + bytes([6, 0]) + first_port.to_bytes(2, "big")
    digest = hashlib.sha1(numbers + second_port.to_bytes(2, "big"), usedforsecurity=False).digest()
    return "1:" + base64.b64encode(digest).decode("ascii")


def _pruned(document: Document) -> Document:
    """Without what is unknown: ECS has no null, and an empty object says nothing."""
    found = {}
    for name, value in document.items():
        if isinstance(value, dict):
            value = _pruned(value)
        if value is not None and value not in ({}, []):
            found[name] = value
    return found


def _endpoint(end: model.Endpoint) -> Document:
    return {"address": end.address, "ip": end.address, "port": end.port}


def _sides(connection: model.Connection) -> Document:
    client, server = (_endpoint(end) for end in (connection.client, connection.server))
    return {"source": client, "destination": server, "client": dict(client), "server": dict(server)}


def _network(connection: model.Connection, application: str | None) -> Document:
    vlan = connection.vlan
    return {
        "transport": "tcp",
        "iana_number": "6",
        "type": "ipv6" if ":" in connection.client.address else "ipv4",
        "protocol": application,
        "community_id": community_id(connection),
        "vlan": {"id": str(vlan[0])} if vlan else None,
        "inner": {"vlan": {"id": str(vlan[1])}} if vlan[1:] else None,
    }


def _application(connection: model.Connection) -> str | None:
    """As `network.protocol` has it: the innermost that is known."""
    if words.spoken(connection):
        return "http"
    return "tls" if words.secured(connection) else None


def _certificate(one: model.Certificate) -> Document:
    algorithm, _, bits = (one.key or "").partition(" ")
    return {
        "public_key_algorithm": algorithm or None,
        "public_key_size": int(bits) if bits.isdecimal() else None,
        "alternative_names": one.names,
        "issuer": {"distinguished_name": one.issuer},
        "subject": {"distinguished_name": one.subject},
        "not_before": one.not_before,
        "not_after": one.not_after,
        "serial_number": one.serial.upper() if one.serial else None,
        "signature_algorithm": one.signature,
    }


def _party(certificates: list[model.Certificate]) -> Document:
    if not certificates:
        return {}
    leaf = certificates[0]
    return {
        "issuer": leaf.issuer, "subject": leaf.subject, "not_before": leaf.not_before, "not_after": leaf.not_after,
        "hash": {"sha256": leaf.sha256.upper()}, "x509": _certificate(leaf),
    }  # fmt: skip


def _tls(connection: model.Connection) -> Document | None:
    """Of the outermost TLS."""
    found = words.secured(connection)
    if not found:
        return None
    tls = found[0]
    kind, _, version = (tls.version or "").partition(" ")
    return {
        "version": version or None,
        "version_protocol": kind.lower() or None,
        "cipher": tls.cipher_suite,
        "curve": group_of(tls),
        "next_protocol": tls.alpn,
        "resumed": tls.resumed,
        "established": is_established(tls),
        "client": {"server_name": tls.server_name, "ja3": tls.ja3} | _party(tls.client_certificates),
        "server": {"ja3s": tls.ja3s} | _party(tls.certificates),
    }


def _verdict(verdict: model.Verdict | None) -> Document | None:
    if verdict is None:
        return None
    return {
        "flow": verdict.flow, "outcome": verdict.outcome, "cause": verdict.cause, "standard": verdict.standard,
        "differs": list(verdict.differs),
    }  # fmt: skip


def connection_document(connection: model.Connection) -> Document:
    start_ns = nanoseconds(connection.start)
    packets, sent = connection.packets, connection.payload_bytes
    sides = _sides(connection)
    for end, counts in (("source", "client"), ("destination", "server"), ("client", "client"), ("server", "server")):
        sides[end] |= {"packets": getattr(packets, counts), "bytes": getattr(sent, counts)}
    refused = connection.open.flow in ("tcp-open/refused", "tcp-open/unanswered", "tcp-open/icmp-unreachable")
    opened = connection.open.flow is not None and not refused
    kinds = ["connection"] + ["start"] * opened + ["end"] * (connection.close.flow is not None) + ["denied"] * (
        connection.open.flow == "tcp-open/refused")  # fmt: skip
    tls = words.secured(connection)
    http = words.spoken(connection)
    labels: Document = {
        "id": connection.id,
        "tcp_stream": connection.tcp_stream,
        "capture": unicode_of(connection.capture),
        "oriented_by": connection.oriented_by,
        "first_packet": connection.first_packet,
        "last_packet": connection.last_packet,
        "open": _verdict(connection.open),
        "close": (_verdict(connection.close) or {}) | {"closed_by": connection.close.closed_by},
        "tls": _verdict(tls[0].handshakes[0]) if tls and tls[0].handshakes else None,
        "http": _verdict(http[0].connection) if http else None,
        "lifecycle": _verdict(connection.lifecycle),
        "ja4": tls[0].ja4 if tls else None,
        "handshake_ns": connection.timing.handshake_ns,
        "notes": msgspec.to_builtins(connection.notes),
        "faults": [f"packet {fault.packet}, {fault.layer}: {fault.message}" for fault in connection.faults],
    }
    network = _network(connection, _application(connection))
    network |= {"packets": packets.client + packets.server, "bytes": sent.client + sent.server}
    return _pruned(
        {
            "@timestamp": connection.start,
            "ecs": {"version": VERSION},
            "event": {
                "kind": "event",
                "module": "analyzer",
                "dataset": "analyzer.connection",
                "category": ["network"],
                "type": kinds,
                "outcome": "failure" if refused else "success" if opened else "unknown",
                "start": connection.start,
                "end": timestamp(start_ns + connection.duration_ns),
                "duration": connection.duration_ns,
            },
            "network": network,
            **sides,
            "tls": _tls(connection),
            "analyzer": labels,
        }
    )


def _url(request: model.Request, secured: bool) -> Document:
    """RFC 9112 §3.2: the target may be a path, a whole URL, host:port or an asterisk."""
    target, authority = request.target, request.authority
    if target is None:
        return {"domain": authority}
    scheme = "https" if secured else "http"
    absolute = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)", target)
    rest = target
    if absolute:
        scheme, authority, rest = absolute[1].lower(), absolute[2], target[absolute.end() :]
    elif not target.startswith("/"):
        return {"original": target, "domain": _host(authority)[0], "port": _host(authority)[1]}
    path, question, query = rest.partition("?")
    host, port = _host(authority)
    return {
        "original": target,
        "full": target if absolute else f"{scheme}://{authority}{target}" if authority else None,
        "scheme": scheme,
        "domain": host,
        "port": port,
        "path": path or None,
        "query": query if question else None,
    }


def _host(authority: str | None) -> tuple[str | None, int | None]:
    """Host and port of an authority, RFC 3986 §3.2; what is none is the host as it stands."""
    if not authority:
        return None, None
    found = re.fullmatch(r"(?:[^@]*@)?(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?", authority)
    if not found:
        return authority, None
    port = int(found[2]) if found[2] else None
    return found[1] or None, port if port is None or port <= 65535 else None


def exchange_documents(connection: model.Connection) -> Iterator[Document]:
    """One for each exchange that is listed."""
    start_ns = nanoseconds(connection.start)
    inside = bool(words.secured(connection))
    for http in words.spoken(connection):
        for one in http.exchanges:
            yield _exchange(connection, http, one, start_ns, inside)


def _exchange(
    connection: model.Connection, http: model.Http, one: model.Exchange, start_ns: int, secured: bool
) -> Document:
    request, response = one.request, one.response
    sent = request.headers if request else None
    times = [at for at in (one.started_ns, one.first_byte_ns, one.finished_ns) if at is not None]
    begun = timestamp(start_ns + (times[0] if times else 0))
    whole = one.started_ns is not None and one.finished_ns is not None
    status = response.status if response else None
    return _pruned(
        {
            "@timestamp": begun,
            "ecs": {"version": VERSION},
            "event": {
                "kind": "event",
                "module": "analyzer",
                "dataset": "analyzer.http",
                "category": ["network", "web"],
                "type": ["access", "protocol"] + ["error"] * (status is not None and status >= 400),
                "outcome": "unknown" if status is None else "failure" if status >= 400 else "success",
                "start": begun,
                "end": timestamp(start_ns + one.finished_ns) if one.finished_ns is not None else None,
                "duration": (one.finished_ns or 0) - (one.started_ns or 0) if whole else None,
            },
            "network": _network(connection, "http"),
            **_sides(connection),
            "http": {
                "version": (http.version or "").removeprefix("HTTP/") or None,
                "request": {
                    "method": request and request.method,
                    "referrer": field_of(sent, "referer"),
                    "mime_type": _mime_type(field_of(sent, "content-type")),
                    "bytes": request and request.header_bytes_on_wire + request.body_bytes,
                    "body": {"bytes": request and request.body_bytes},
                },
                "response": {
                    "status_code": status,
                    "mime_type": _mime_type(field_of(response.headers, "content-type")) if response else None,
                    "bytes": response and response.header_bytes_on_wire + response.body_bytes,
                    "body": {"bytes": response and response.body_bytes},
                },
            },
            "url": _url(request, secured) if request else None,
            "user_agent": {"original": field_of(sent, "user-agent")},
            "analyzer": {
                "id": connection.id,
                "tcp_stream": connection.tcp_stream,
                "capture": unicode_of(connection.capture),
                "stream": one.stream,
                "request_packet": request and request.packet,
                "response_packet": response and response.packet,
                "interim": list(one.interim),
                "interleaved": one.interleaved,
                "http2_stream": _verdict(one.verdict),
            },
        }
    )


def _mime_type(content_type: str | None) -> str | None:
    """As it was declared, without its parameters (RFC 9110 §8.3.1)."""
    return content_type.partition(";")[0].strip().lower() or None if content_type else None


class Ecs:
    """Writes connections as ECS documents to `write`, in batches unless `live`."""

    def __init__(self, write: Callable[[bytes], object], live: bool = False):
        self._lines = JsonLines(write, live)
        self._encoder = msgspec.json.Encoder()

    def add(self, connection: model.Connection) -> None:
        for document in (connection_document(connection), *exchange_documents(connection)):
            self._lines.add_lines(self._encoder.encode(document) + b"\n")

    def finish(self) -> None:
        self._lines.finish()
