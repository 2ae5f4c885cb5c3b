"""Connections, TLS and HTTP as records of Zeek's conn.log, ssl.log and http.log, in JSON.

Names, types and meanings are those of Zeek's log reference; a field that Zeek may leave out and that the capture does
not tell is left out. What differs on purpose is in docs/zeek.md.
"""

from __future__ import annotations

import functools
import hashlib
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from analyzer import model
from analyzer.dissector.accounts import (
    CLOSED,
    ESTABLISHED,
    INACTIVE,
    PARTIAL,
    RESET,
    SYN_ACK_SENT,
    SYN_SENT,
    Account,
    End,
)  # fmt: skip
from analyzer.reporter import words
from analyzer.reporter.fields import field_of, group_of, is_established
from analyzer.reporter.outputs.jsonl import JsonLines
from analyzer.reporter.times import nanoseconds

if TYPE_CHECKING:
    from analyzer.dissector.accounts import Accounts

LOGS = ("conn", "ssl", "http")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
Record = dict[str, Any]

_VERSIONS = {"SSL 2.0": "SSLv2", "SSL 3.0": "SSLv3"} | {f"TLS 1.{minor}": f"TLSv1{minor}" for minor in range(4)}
_QUIET = (None, "close_notify")  # alerts that are none, or say nothing
# The letters of ssl_history: capitals for the client.
_HISTORY = {
    "ClientHello": "C", "ServerHello": "S", "HelloRetryRequest": "J", "NewSessionTicket": "T", "Certificate": "X",
    "ServerKeyExchange": "K", "CertificateRequest": "R", "ServerHelloDone": "N", "CertificateVerify": "Y",
    "ClientKeyExchange": "G", "CertificateStatus": "U", "ChangeCipherSpec": "I", "HelloRequest": "H", "Alert": "L",
}  # fmt: skip
# Networks that Zeek counts as local unless told otherwise (Site::private_address_space_is_local).
_LOCAL = [
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7",
                    "fe80::/10", "::1/128")
]  # fmt: skip


def conn_state(originator: End, responder: End, history: str) -> str:
    """Zeek's summary of how a connection went, after `conn_state` in its base/protocols/conn."""
    orig, resp = originator.state, responder.state
    absent = (INACTIVE, PARTIAL)
    if resp == RESET:
        nothing = orig == RESET and originator.size == responder.size == 0
        if orig in (SYN_SENT, SYN_ACK_SENT) or nothing:
            return "REJ"
        return "RSTRH" if orig in absent else "RSTR"
    if orig == RESET:
        if resp not in absent:
            return "RSTO"
        return "RSTOS0" if re.match(r"\^?S[^HAFGIQ]*R", history) else "OTH"
    if orig == CLOSED:
        return "SF" if resp == CLOSED else "SH" if resp in absent else "S2"
    if resp == CLOSED:
        return "SHR" if orig in absent else "S3"
    if (orig, resp) == (SYN_SENT, INACTIVE):
        return "S0"
    return "S1" if orig == resp == ESTABLISHED else "OTH"


def uid(connection: model.Connection) -> str:
    """The same for the same connection each time, unlike Zeek's, which are drawn."""
    ends = [f"{end.address}:{end.port}" for end in (connection.client, connection.server)]
    named = "\0".join([connection.capture, str(connection.id), connection.start, *ends])
    number = int.from_bytes(hashlib.blake2b(named.encode("utf-8", "replace"), digest_size=13).digest(), "big")
    letters = []
    for _ in range(17):
        number, digit = divmod(number, 62)
        letters.append(_DIGITS[digit])
    return "C" + "".join(letters)


@functools.lru_cache(65536)
def is_local(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return any(parsed in network for network in _LOCAL)


def _time(time_ns: int) -> msgspec.Raw:
    """Seconds with six decimals, as Zeek prints times and durations, and without the errors of a float."""
    microseconds = time_ns // 1000
    return msgspec.Raw(f"{microseconds // 1_000_000}.{microseconds % 1_000_000:06d}".encode())


def _begin(connection: model.Connection, at_ns: int) -> Record:
    return {
        "ts": _time(at_ns),
        "uid": uid(connection),
        "id.orig_h": connection.client.address,
        "id.orig_p": connection.client.port,
        "id.resp_h": connection.server.address,
        "id.resp_p": connection.server.port,
    }


def _services(connection: model.Connection) -> list[str]:
    """What was recognised, outermost first, by Zeek's names."""
    found: list[str] = []
    if connection.tunnel:
        kind, _, argument = connection.tunnel.after.partition(" ")
        found += {"STARTTLS": [argument.lower()], "CONNECT": ["http"]}.get(kind, [])
        found += ["socks"] if kind.startswith("SOCKS") else []
    plain = connection.http is not None and not (connection.tls and connection.tls.decrypted)
    found += ["http"] * plain + ["ssl"] * bool(words.secured(connection))
    found += ["http"] * (not plain and bool(words.spoken(connection)))
    found += ["websocket"] * any(http.websocket for http in words.spoken(connection))
    return list(dict.fromkeys(found))


def conn_record(connection: model.Connection, account: Account) -> Record:
    """A line of conn.log."""
    start_ns = nanoseconds(connection.start)
    originator, responder = account.client, account.server
    history = "^" * account.flipped + account.history
    record = _begin(connection, start_ns)
    record["proto"] = "tcp"
    if services := _services(connection):
        record["service"] = ",".join(services)
    if (duration := account.last_ns - start_ns) > 0:
        record |= {"duration": _time(duration), "orig_bytes": originator.size, "resp_bytes": responder.size}
    record |= {
        "conn_state": conn_state(originator, responder, history),
        "local_orig": is_local(connection.client.address),
        "local_resp": is_local(connection.server.address),
        "missed_bytes": originator.missed + responder.missed,
        "history": history,
        "orig_pkts": connection.packets.client,
        "orig_ip_bytes": originator.ip_bytes,
        "resp_pkts": connection.packets.server,
        "resp_ip_bytes": responder.ip_bytes,
        "ip_proto": 6,
    }
    if connection.vlan:
        record["vlan"] = connection.vlan[0]
        record |= {"inner_vlan": connection.vlan[1]} if connection.vlan[1:] else {}
    return record


def _ssl_history(tls: model.Tls) -> str:
    """The messages that anyone can read, in their order; what was only decrypted is not among them."""
    letters = []
    hidden = {"client": False, "server": False}
    for step in tls.handshakes[0].steps if tls.handshakes else []:
        letter = _HISTORY.get(step.step)
        if letter and step.seen == "observed" and (not hidden[step.side] or letter == "I"):
            letters.append((letter if step.side == "client" else letter.lower()) * step.times)
        # What follows is encrypted: RFC 5246 §7.1, RFC 8446 §4.1.3.
        if step.step == "ChangeCipherSpec" or (step.step == "ServerHello" and tls.version == "TLS 1.3"):
            hidden[step.side] = True
    return "".join(letters)


def ssl_records(connection: model.Connection) -> Iterator[Record]:
    """Lines of ssl.log: one for the TLS of the connection, and one for that inside its tunnel."""
    start_ns = nanoseconds(connection.start)
    for tls in words.secured(connection):
        steps = tls.handshakes[0].steps if tls.handshakes else []
        leaf = tls.certificates[0] if tls.certificates else None
        alert = next((one.description for one in reversed(tls.alerts) if one.description not in _QUIET), None)
        found = {
            "version": _VERSIONS.get(tls.version or "", tls.version),
            "cipher": tls.cipher_suite,
            "curve": group_of(tls),
            "server_name": tls.server_name,
            "resumed": tls.resumed,
            "last_alert": alert,
            "next_protocol": tls.alpn,
            "established": is_established(tls),
            "ssl_history": _ssl_history(tls) or None,
            "cert_chain_fps": [one.sha256 for one in tls.certificates] or None,
            "client_cert_chain_fps": [one.sha256 for one in tls.client_certificates] or None,
            "subject": leaf and leaf.subject,
            "issuer": leaf and leaf.issuer,
            "sni_matches_cert": leaf and leaf.name_matches,
            "ja3": tls.ja3,
            "ja3s": tls.ja3s,
            "ja4": tls.ja4,
        }
        begun = steps[0].at_ns if steps else 0
        yield _begin(connection, start_ns + begun) | {name: value for name, value in found.items() if value is not None}


def http_records(connection: model.Connection) -> Iterator[Record]:
    """Lines of http.log: one for each exchange that is listed, those of HTTP/2 among them."""
    start_ns = nanoseconds(connection.start)
    for http in words.spoken(connection):
        for depth, one in enumerate(http.exchanges, 1):
            request, response = one.request, one.response
            at_ns = next((at for at in (one.started_ns, one.first_byte_ns, one.finished_ns) if at is not None), 0)
            sent = request.headers if request else None
            answered = response is not None and response.status is not None
            found = {
                "method": request and request.method,
                "host": request and request.authority,
                "uri": request and request.target,
                "referrer": field_of(sent, "referer"),
                "version": _http_version(http) if answered else None,
                "user_agent": field_of(sent, "user-agent"),
                "origin": field_of(sent, "origin"),
                "request_body_len": request.body_bytes if request else 0,
                "response_body_len": response.body_bytes if response else 0,
                "status_code": response and response.status,
                "info_code": one.interim[-1] if one.interim else None,
                "proxied": _proxied(sent),
            }
            record = _begin(connection, start_ns + at_ns) | {"trans_depth": depth}
            yield record | {name: value for name, value in found.items() if value is not None}


def _http_version(http: model.Http) -> str | None:
    """Of the responses. `Http.version` is the lowest spoken: if that is the highest there is, all have it."""
    return {"HTTP/1.1": "1.1", "HTTP/2": "2"}.get(http.version or "")


# What Zeek takes for traces of proxies (HTTP::proxy_headers).
_PROXIES = ("forwarded", "x-forwarded-for", "x-forwarded-from", "client-ip", "via", "xroxy-connection",
            "proxy-connection")  # fmt: skip


def _proxied(headers: list[tuple[str, str]] | None) -> list[str] | None:
    return [f"{name.upper()} -> {value}" for name, value in headers or () if name.lower() in _PROXIES] or None


class Zeek:
    """Writes connections as Zeek's logs: to one stream whose objects have `_path`, or to a stream for each log.

    `writers`: by the log's name; all the same function for one stream. `begin` is told of each capture.
    """

    def __init__(self, writers: Mapping[str, Callable[[bytes], object]], *, together: bool, live: bool = False):
        self._together = together
        self._encoder = msgspec.json.Encoder()
        one = JsonLines(writers["conn"], live)
        self._lines = {log: one if together else JsonLines(write, live) for log, write in writers.items()}
        self._accounts: Accounts | None = None

    def begin(self, accounts: Accounts) -> None:
        """The connections that follow are in these accounts."""
        self._accounts = accounts

    def add(self, connection: model.Connection) -> None:
        assert self._accounts is not None
        account = self._accounts.of(connection.id)
        assert account is not None, "every connection reported has an account"
        self._write("conn", conn_record(connection, account))
        for record in ssl_records(connection):
            self._write("ssl", record)
        for record in http_records(connection):
            self._write("http", record)

    def _write(self, log: str, record: Record) -> None:
        if self._together:
            record = {"_path": log} | record
        self._lines[log].add_lines(self._encoder.encode(record) + b"\n")

    def finish(self) -> None:
        for lines in self._lines.values():
            lines.finish()
