"""The claims of the article against connections that are built, and against recorded ones."""

from __future__ import annotations

import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import model
from analyzer.reporter.claims.article import CLAIMS, Claims
from analyzer.reporter.claims.found import Seen
from analyzer.reporter.claims.security import cipher_of
from analyzer.reporter.claims.writing import as_json, as_markdown, as_text
from tests.cases import CASES, capture_of, keys_of, report_of
from tests.reporter import builders
from tests.reporter.builders import (
    certificate,
    closed,
    connection,
    exchange,
    handshake,
    http,
    http2,
    opened,
    stream,
    tls,
    unknown,
)

HEADERS = [("Host", "example.test"), ("User-Agent", "curl/7.88.1")]
RSA = "C ClientHello 4 0.4, S ServerHello 6 1.9, S Certificate 6 1.9, C ClientKeyExchange 8 2.6, C Finished 8 2.6"
REFUSED = "C ClientHello 4 0.4, S ServerHello 6 1.9, S Certificate 6 1.9, C Alert 8 2.6"


def report(*connections):
    claims = Claims()
    for one in connections:
        claims.add(one)
    return claims.report()


def judged(claim, *connections):
    (found,) = (one for one in report(*connections).claims if one.id == claim)
    return found


def measured(words, *connections):
    (row,) = (row for row in report(*connections).comparison if row.measured.startswith(words))
    return row.http1, row.http2


def numbers(client, server, port=50000, at="12:00:00", **given):
    """A connection that begins with these initial sequence numbers."""
    options = model.Tcp(model.TcpOptions(client), model.TcpOptions(server))
    return connection(tcp=options, client=("10.0.0.1", port), start=f"2026-11-22T{at}.000000000Z", **given)


def sequence(client, server, **given):
    """Connections of one client and one server, a second apart, with initial sequence numbers from two lists."""
    pairs = zip(client, server, strict=True)
    return [numbers(*pair, port=50000 + n, at=f"12:00:{n:02}", **given) for n, pair in enumerate(pairs)]


RANDOM = [3_212_334_111, 17_345_222, 2_022_111_333, 900_800_700, 1_777_666_555]


def closing(flow, by="client"):
    return connection(close=closed(flow=f"tcp-close/{flow}", outcome="variant", closed_by=by))


def single(flow="http1/single-exchange", **given):
    """One exchange of HTTP/1.1 that ends 1.42 ms after the first packet; the close begins at 80.1 ms."""
    return connection(http=http(exchange(headers=HEADERS), connection=opened(flow=flow)), **given)


def secure(*handshakes, **given):
    """TLS without HTTP inside."""
    return connection(tls=tls(*handshakes, **given))


def over(version, *, secured, count=1, **given):
    make = http2 if version == "HTTP/2" else http
    exchanges = [stream(2 * n + 1) if version == "HTTP/2" else exchange(at=n) for n in range(count)]
    return connection(http=make(*exchanges), tls=tls(handshake(RSA)) if secured else None, **given)


def settings(client=None, server=None):
    return model.Settings(client or {}, server or {})


FRAMES = {"SETTINGS": 4, "HEADERS": 2, "DATA": 3}
PLAIN_1_2 = {"version": "TLS 1.2", "key_exchange": "rsa", "cipher_suite": "TLS_RSA_WITH_AES_128_GCM_SHA256"}
EXPIRED = [certificate(valid_at_capture=False)]
UNTRUSTED = [certificate(trusted=False)]
UNREAD = {"decrypted": False, "decryption": "no secret"}
ALERT = model.Alert("client", "fatal", "certificate_expired", 8)
PUSHED = stream(2, pushed=True)
PRIORITY = stream(1, headers=[(":method", "GET"), ("priority", "u=0, i")])
LATE = closed("C FIN 38 1500, S ACK 39 1501, S FIN 40 1502, C ACK 42 1503")
NOT_CLOSED = closed("", closed_by=None, **unknown("incomplete", "open-at-end"))
GOAWAY = [model.Goaway("server", "NO_ERROR", 1, 30)]
TOGETHER = [stream(1, multiplexed_with=[3], interleaved=True), stream(3, multiplexed_with=[1], interleaved=True)]

# Claim, verdict, connections, packets.
CASES_BUILT = [
    ("C1", "supported", sequence(RANDOM, RANDOM[::-1]), [1, 2]),
    ("C1", "contradicted", sequence([7, 7], [5, 5_000_000_00]), [1]),
    ("C1", "contradicted", sequence(range(64_000, 320_001, 64_000), RANDOM), [1]),
    ("C1", "contradicted", sequence([n * 250_000 for n in range(5)], RANDOM), [1]),  # a clock of 4 µs
    ("C1", "not-seen", [numbers(1, 2)], []),
    ("C1", "not-seen", sequence(RANDOM, [None] * 5), []),  # of one side only
    ("C1", "not-seen", [numbers(n, n) for n in (1000, 1001, 1002)], []),  # RFC 6528: of equal ports they count on
    ("C1", "not-seen", [connection()], []),
    ("C2", "supported", [connection()], [38, 39, 40, 42]),
    ("C2", "supported", [closing("half-close")], [38, 39, 40, 42]),
    ("C2", "contradicted", [connection(), closing("three-segment")], [38]),
    ("C2", "contradicted", [closing("four-way", "server")], [38]),
    ("C2", "contradicted", [closing("reset", "server")], [38]),
    ("C2", "not-seen", [builders.refused(), builders.diverged(), connection(close=NOT_CLOSED)], []),
    ("C3", "supported", [single()], [4, 6, 38]),
    ("C3", "contradicted", [single(), connection(http=http(exchange(), exchange(at=2, packet=20)))], [4, 20]),
    ("C3", "contradicted", [single(close=LATE)], [10, 38]),
    ("C3", "contradicted", [single(close=NOT_CLOSED, duration_ns=3 * 10**9)], [10, 42]),
    ("C3", "not-seen", [single(close=NOT_CLOSED)], []),
    ("C3", "not-seen", [single(open=opened("", **unknown()))], []),  # there may have been exchanges before
    ("C3", "not-seen", [connection(http=http(exchange(), version="HTTP/1.0"))], []),
    ("C3", "not-seen", [single(tunnel=model.Tunnel("CONNECT example.test:80", model.PerSide(1, 1)))], []),
    ("C3", "not-seen", [connection()], []),
    ("C4", "supported", [connection(http=http2(*TOGETHER, max_concurrent=2))], [5, 7]),
    ("C4", "contradicted",
     [connection(http=http2(stream(1), stream(3), settings=settings(server={"MAX_CONCURRENT_STREAMS": 1})))], [5]),
    ("C4", "not-seen", [connection(http=http2(stream(1), stream(3)))], []),
    ("C4", "not-seen", [single()], []),
    ("C5", "supported", [connection(http=http2(stream(1), frames=FRAMES))], [4, 5]),
    ("C5", "not-seen", [single()], []),
    ("C6", "supported", [connection(http=http2(stream(1)))], [5]),
    ("C6", "contradicted", [connection(http=http2(exchange()))], [4]),  # as long on the wire as without
    ("C6", "not-seen", [connection(http=http2(stream(1), connection=opened("", **unknown())))], []),
    ("C6", "not-seen", [single()], []),
    ("C7", "supported", [connection(http=http2(stream(1), PUSHED)), connection(http=http2(stream(1)))], [6]),
    ("C7", "contradicted", [connection(http=http2(stream(1)))], [4]),
    ("C7", "not-seen", [connection(http=http2(stream(1), settings=settings({"ENABLE_PUSH": 1})))], []),
    ("C8", "supported", [connection(http=http2(PRIORITY))], [5]),
    ("C8", "supported", [connection(http=http2(stream(1), frames={"PRIORITY": 5}))], [4]),
    ("C8", "supported", [connection(http=http2(stream(1), headers_with_priority=1))], [4]),
    ("C8", "not-seen", [connection(http=http2(stream(1)))], []),
    ("C9", "supported", [over("HTTP/1.1", secured=True), over("HTTP/2", secured=True)], [4, 5]),
    ("C9", "contradicted", [over("HTTP/1.1", secured=False), over("HTTP/2", secured=True)], [4]),
    ("C9", "contradicted", [over("HTTP/2", secured=False)], [5]),
    ("C9", "not-seen", [over("HTTP/2", secured=True)], []),
    ("C9", "supported", [over("HTTP/1.1", secured=True), secure(**UNREAD)], [4, 4]),
    ("C10", "contradicted", [over("HTTP/2", secured=True)], [1, 4]),
    ("C10", "contradicted", [over("HTTP/2", secured=False)], [1, 5]),
    ("C10", "contradicted", [secure(**UNREAD)], [1, 4]),
    ("C10", "not-seen", [over("HTTP/2", secured=True, open=opened("", **unknown()))], []),
    ("C10", "not-seen", [over("HTTP/1.1", secured=True)], []),
    ("C11", "supported", [over("HTTP/2", secured=True, count=2), connection(http=http2())], [5, 7]),
    ("C11", "contradicted", [over("HTTP/2", secured=True, count=2), over("HTTP/2", secured=True)], [5]),
    ("C11", "supported",
     [over("HTTP/2", secured=True, count=2), over("HTTP/2", secured=True, start="2026-11-22T12:00:09Z")], [5, 7]),
    ("C11", "supported",  # another server
     [over("HTTP/2", secured=True, count=2), over("HTTP/2", secured=True, server=("10.0.0.3", 80))], [5, 7]),
    ("C11", "not-seen", [over("HTTP/2", secured=True)], []),
    ("C12", "supported", [connection(http=http2(stream(1), goaway=GOAWAY))], [30]),
    ("C12", "contradicted", [connection(http=http2(stream(1)))], [38]),
    ("C12", "not-seen", [connection(http=http2(stream(1)), close=NOT_CLOSED)], []),
    ("C12", "not-seen", [connection(http=http2(stream(1), connection=opened("", **unknown(cause="lost-in-capture"))))],
     []),
    ("C13", "supported", [secure(handshake(REFUSED), certificates=EXPIRED, alerts=[ALERT])], [6, 8]),
    ("C13", "supported", [secure(handshake(REFUSED), certificates=[], alerts=[ALERT], **UNREAD)], [6, 8]),
    ("C13", "contradicted", [secure(certificates=EXPIRED)], [7, 9]),
    ("C13", "contradicted", [secure(handshake(RSA), certificates=EXPIRED, **PLAIN_1_2)], [6, 8]),
    ("C13", "contradicted",  # the alert comes after the key
     [secure(handshake(RSA), alerts=[msgspec.structs.replace(ALERT, packet=9)], **PLAIN_1_2)], [8, 9]),
    ("C13", "not-seen", [secure(), secure(certificates=UNTRUSTED)], []),
    ("C13", "not-seen", [secure(certificates=[])], []),
    ("C13", "not-seen",  # broken off for another reason
     [secure(certificates=EXPIRED, alerts=[model.Alert("client", "fatal", "decode_error", 9)])], []),
    ("C14", "supported", [secure(handshake(RSA), **PLAIN_1_2)], [8]),
    ("C14", "contradicted", [secure(handshake(RSA), **PLAIN_1_2), secure()], [6]),
    ("C14", "not-seen", [secure(handshake(RSA), **PLAIN_1_2, resumed=True)], []),
    ("C14", "not-seen", [single()], []),
    ("C15", "supported", [secure(handshake(RSA), **PLAIN_1_2)], [6, 8]),
    ("C15", "contradicted", [secure()], [6]),
    ("C15", "not-seen", [secure(handshake(RSA), **PLAIN_1_2, **UNREAD)], []),
    ("C16", "supported", [secure(), secure(), secure(cipher_suite="TLS_CHACHA20_POLY1305_SHA256")], [6, 6]),
    ("C16", "supported", [secure(cipher_suite="TLS_RSA_WITH_3DES_EDE_CBC_SHA")], [6]),
    ("C16", "contradicted", [secure(cipher_suite="TLS_CHACHA20_POLY1305_SHA256")], [6]),
    ("C16", "not-seen", [secure(cipher_suite=None)], []),
    ("C17", "supported", [over("HTTP/1.1", secured=True)], [4]),
    ("C17", "supported", [secure(**UNREAD)], [9]),
    ("C17", "contradicted",
     [connection(tls=tls(cipher_suite="TLS_RSA_WITH_NULL_SHA256"), http=http(exchange()))], [4]),
    ("C17", "not-seen", [single()], []),
    ("C17", "not-seen", [secure(**UNREAD | {"alpn": None})], []),
    ("C18", "supported", [connection(http=http(exchange(headers=HEADERS), exchange(headers=HEADERS, packet=9)))],
     [4, 9]),
    ("C18", "contradicted", [connection(http=http(exchange(headers=HEADERS), exchange(headers=[("Host", "b.test")])))],
     [4]),
    ("C18", "not-seen", [single()], []),
    ("C18", "not-seen", [connection(http=http(exchange(), exchange()))], []),  # fields are not listed
]  # fmt: skip


@pytest.mark.parametrize(("claim", "verdict", "connections", "packets"), CASES_BUILT)
def test_verdict(claim, verdict, connections, packets):
    found = judged(claim, *connections)
    assert (found.verdict, sorted(set(found.packets))) == (verdict, sorted(set(packets)))
    assert found.packets == [place.packet for place in found.evidence]


def test_every_claim_is_built_in_each_verdict_it_can_have():
    built = {(claim, verdict) for claim, verdict, _, _ in CASES_BUILT}
    verdicts = {"supported", "contradicted", "not-seen"}
    never = {("C5", "contradicted"), ("C8", "contradicted"), ("C10", "supported")}  # docs/claims.md says why
    assert {(claim.id, verdict) for claim in CLAIMS for verdict in verdicts} - built == never


def test_the_claims_are_those_of_the_article():
    assert [claim.id for claim in CLAIMS] == [f"C{n}" for n in range(1, 19)]
    for claim in CLAIMS:
        assert re.fullmatch(r"(RFC \d+( §[\d.]+(, §[\d.]+)*)?)(, RFC \d+( §[\d.]+(, §[\d.]+)*)?)*", claim.standard)
        assert claim.text.endswith(".")
        assert claim.in_general.endswith(".")


def test_without_connections_nothing_is_seen():
    found = report()
    assert {one.verdict for one in found.claims} == {"not-seen"}
    assert {(row.http1, row.http2) for row in found.comparison} == {(None, None)}
    assert "0 connections: 0 supported, 0 contradicted, 18 not seen" in as_text(found, width=80)


@pytest.mark.parametrize(
    ("claim", "connections", "said"),
    [
        ("C2", [connection(), closing("reset"), closing("reset")], "1 of 3 closes went so; the others: 2 reset."),
        ("C4", [connection(http=http2(*TOGETHER, max_concurrent=2))],
         "Up to 2 exchanges in flight at once; the frames of 2 alternate with those of others."),
        ("C6", [connection(http=http2(stream(1)))], "722 B of header fields took 105 B on the wire (15 %)."),
        ("C12", [connection(http=http2(stream(1), goaway=GOAWAY)), over("HTTP/2", secured=True)],
         "1 of 2 connections with a GOAWAY before the close."),
        ("C13", [secure(), secure(certificates=UNTRUSTED)],
         "Clients went on: 1 with one in date and trusted, 1 with one in date, of an issuer not trusted here."),
        ("C14", [secure(), secure(), secure(handshake(RSA), **PLAIN_1_2)], "3 key exchanges: 2 by x25519, 1 by rsa."),
    ],
)  # fmt: skip
def test_what_was_seen(claim, connections, said):
    assert judged(claim, *connections).seen == said


def test_evidence_is_few_and_names_its_capture():
    many = [connection(id=n, capture=f"{n // 100}.pcap") for n in range(300)]
    found = judged("C2", *many)
    assert found.seen == "300 of 300 closes went so."
    assert len(found.evidence) == 5
    assert {place.capture for place in found.evidence} == {"0.pcap"}


def test_what_runs_in_a_tunnel_is_looked_at_in_place_of_its_request():
    connect = http(exchange("CONNECT example.test:443", 200, 0))
    inner, inside = tls(handshake(RSA)), http2(stream(1))
    seen = Seen.of(
        connection(http=connect, tls=inner, tunnel=model.Tunnel("CONNECT a:443", model.PerSide(), inner, inside))
    )
    assert (seen.http, seen.tls, seen.switched) == (inside, inner, True)
    closed_tunnel = Seen.of(
        connection(http=connect, tunnel=model.Tunnel("CONNECT a:443", model.PerSide(), tls(**UNREAD)))
    )
    assert (closed_tunnel.http, closed_tunnel.unread) == (None, "HTTP/2")
    outer = Seen.of(connection(http=connect, tunnel=model.Tunnel("CONNECT a:443", model.PerSide())))
    assert (outer.http, outer.switched) == (connect, True)


def test_http2_without_keys_is_counted_and_not_measured():
    unread = http2(frames={}, settings=None, connection=opened("", **unknown(cause="no-keys")), max_concurrent=0)
    found = report(connection(http=unread, tls=tls(**UNREAD)), secure(**UNREAD | {"alpn": "http/1.1"}))
    assert (found.not_read.http1, found.not_read.http2) == (1, 1)
    assert {(row.http1, row.http2) for row in found.comparison} == {(None, None)}
    assert "1 connection of HTTP/2 could not be read: --keys" in as_text(found, width=100)


# The comparison.

SLOW = exchange(at=10, headers=HEADERS)
TWO_TRIPS = handshake("C ClientHello 4 0.4, S ServerHello 6 0.6, C ClientKeyExchange 8 0.7, S Finished 9 0.9")
ONE_TRIP = handshake("C ClientHello 4 0.4, S ServerHello 6 0.6, C Finished 8 0.7, S NewSessionTicket 30 20")


@pytest.mark.parametrize(
    ("words", "connections", "expected"),
    [
        ("most exchanges", [single(), connection(http=http2(*TOGETHER, max_concurrent=2))], (1, 2)),
        ("exchanges interleaved", [single(), connection(http=http2(*TOGETHER))], (0, 2)),
        ("frames", [single(), connection(http=http2(stream(1), frames=FRAMES))], (0, 9)),
        ("messages as text", [single(), connection(http=http2(stream(1)))], (2, 0)),
        ("header bytes on the wire", [single(), connection(http=http2(stream(1)))], (1.0, 0.1454)),
        ("header of a request", [single(), connection(http=http2(stream(1)))], (412.0, 61.0)),
        ("header of a response", [single(), connection(http=http2(stream(1)))], (310.0, 44.0)),
        ("request header that repeats", [connection(http=http(SLOW, SLOW))], (round(45 / 412, 4), None)),
        ("responses pushed", [single(), connection(http=http2(stream(1), PUSHED))], (None, 1)),
        ("connections that forbid", [connection(http=http2(stream(1)))], (None, 1)),
        ("connections over TLS", [single(), over("HTTP/1.1", secured=True), over("HTTP/2", secured=True)], (0.5, 1.0)),
        ("round trips", [single(), connection(tls=tls(TWO_TRIPS), http=http2(stream(1)))], (1, 3)),
        ("round trips", [connection(tls=tls(ONE_TRIP), http=http(exchange()))], (2, None)),
        ("round trips", [connection(tls=tls(ONE_TRIP), http=http(exchange(at=0.5)))], (1, None)),  # early data
        ("first SYN to first request", [single()], (1.0, None)),
        ("first SYN to first request", [single(open=opened("", **unknown()))], (None, None)),
        ("TCP handshake", [single()], (0.31, None)),
        ("TLS handshake", [single(timing=model.Timing(310_000, 2_000_000))], (2.0, None)),
        ("frames with a priority", [connection(http=http2(frames={"PRIORITY": 3, "PRIORITY_UPDATE": 1}))], (None, 4)),
        ("frames with a priority", [connection(http=http2(headers_with_priority=2))], (None, 2)),
        ("requests with a priority", [connection(http=http2(PRIORITY, stream(3)))], (None, 1)),
        ("connections", [single(), single(), connection(http=http2())], (2, 1)),
        ("exchanges per connection", [single(), connection(http=http(SLOW, SLOW))], (1.5, None)),
        ("first request byte to last", [connection(http=http2(stream(1), PUSHED))], (None, 0.42)),
        ("first request byte to first", [single()], (0.31, None)),
        ("first packet to last", [single(), single(start="2026-11-22T12:00:01.123456Z")], (1001.42, None)),
        ("lost segments", [connection(http=http2(head_of_line_waits=2))], (None, 2)),
        ("waits for flow", [connection(http=http2(stalls=[model.Stall(1, "server", 1, 1, 1)]))], (None, 1)),
    ],
)  # fmt: skip
def test_measure(words, connections, expected):
    found = [(row.http1, row.http2) for row in report(*connections).comparison if row.measured.startswith(words)]
    assert expected in found


# Output.

HOSTILE = "\x1b]0;owned\x07\u202e|`<b>*_[x](http://x)"
SHOWN = [*builders.showcase(), *builders.web_showcase(), *builders.tls_showcase(), *builders.http2_showcase()]


def hostile():
    weird = tls(cipher_suite=f"TLS_RSA_WITH_{HOSTILE.replace('_', '')}", key_exchange=HOSTILE)
    alert = model.Alert("client", "fatal", "unknown_ca", 8)
    return report(
        connection(capture=HOSTILE, tls=weird),
        connection(capture="\udcff.pcap", tls=tls(alerts=[alert])),
        connection(http=http2(stream(1), frames={HOSTILE: 1})),
    )


@pytest.mark.parametrize("width", [40, 80, 120])
def test_text_is_as_wide_as_the_terminal_and_says_it_all(width):
    found = report(*SHOWN)
    text = as_text(found, width=width)
    assert max(map(len, text.splitlines())) <= width
    flat = " ".join(text.split())
    for one in found.claims:
        assert one.in_general in flat
        assert one.standard in flat
    assert all(line == line.rstrip() for line in text.splitlines())


def test_text_is_safe():
    text = as_text(hostile(), width=100, several=True)
    assert all(line.isprintable() for line in text.splitlines())
    assert "\\x1b]0;owned" in text


def test_colours():
    text = as_text(report(*SHOWN), width=100, colour=True)
    plain = as_text(report(*SHOWN), width=100)
    assert re.sub(r"\x1b\[\d+m", "", text) == plain != text


def test_markdown_is_safe_and_its_tables_are_whole():
    text = as_markdown(hostile())
    assert all(line.isprintable() for line in text.splitlines())
    assert "<b>" not in text
    assert "](http" not in text
    rows = [re.split(r"(?<!\\)\|", line) for line in text.splitlines() if line.startswith("|")]
    assert {len(row) for row in rows} == {9, 6}
    assert len(rows) == 2 + 18 + 2 + len(report().comparison)


def test_json_is_what_is_promised():
    found = json.loads(as_json(report(*SHOWN)))
    assert set(found) == {"connections", "claims", "comparison", "not_read"}
    for one in found["claims"]:
        assert set(one) == {"id", "claim", "verdict", "packets", "seen", "in_general", "standard", "evidence"}
        assert one["verdict"] in ("supported", "contradicted", "not-seen")
        assert [place["packet"] for place in one["evidence"]] == one["packets"]
        assert bool(one["packets"]) == (one["verdict"] != "not-seen")
    for row in found["comparison"]:
        assert set(row) == {"property", "measured", "http1", "http2", "unit"}


def test_json_keeps_to_utf_8():
    found = json.loads(as_json(hostile()))
    assert any(place["capture"] == HOSTILE for one in found["claims"] for place in one["evidence"])
    assert any(place["capture"] == "\ufffd.pcap" for one in found["claims"] for place in one["evidence"])


@given(st.lists(st.sampled_from(SHOWN), max_size=30))
def test_any_connections_in_any_order(connections):
    found = report(*connections)
    again = report(*connections)
    assert found == again
    for one in found.claims:
        assert (one.verdict == "not-seen") == (not one.evidence)
        assert len(one.evidence) <= 5


@given(st.text(max_size=40))
def test_any_cipher_suite_has_a_name(suite):
    assert "_" not in cipher_of(suite)


@pytest.mark.parametrize(
    ("suite", "cipher"),
    [
        ("TLS_AES_128_GCM_SHA256", "AES"),
        ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", "3DES"),
        ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "CHACHA20"),
        ("TLS_RSA_WITH_NULL_SHA256", "NULL"),
        ("TLS_RSA_EXPORT_WITH_RC4_40_MD5", "RC4"),
    ],
)
def test_cipher(suite, cipher):
    assert cipher_of(suite) == cipher


# Recorded.


@pytest.mark.parametrize(
    ("case", "verdicts"),
    [
        ("tcp/syn-scan", {"C1": "contradicted", "C2": "not-seen", "C3": "not-seen"}),
        ("tcp/four-way-client", {"C2": "supported"}),
        ("tcp/four-way-server", {"C2": "contradicted"}),
        ("http1/single-exchange", {"C3": "supported", "C9": "contradicted", "C18": "not-seen"}),
        ("http1/keep-alive", {"C3": "contradicted", "C18": "supported"}),
        ("http1/websocket", {"C3": "not-seen"}),
        ("http1/browser", {"C1": "supported", "C18": "supported"}),
        ("tls/1.2-rsa", {"C14": "supported", "C15": "supported", "C16": "supported", "C17": "supported"}),
        ("tls/1.3-full", {"C14": "contradicted", "C15": "contradicted", "C17": "supported", "C9": "not-seen"}),
        ("tls/1.3-chacha20", {"C16": "contradicted"}),
        ("tls/1.0-rc4", {"C16": "supported"}),
        ("tls/1.2-null", {"C17": "contradicted"}),
        ("tls/expired-certificate", {"C13": "supported"}),
        ("tls/unknown-authority-1.2", {"C13": "supported", "C17": "not-seen"}),
        ("tls/no-keys-alert", {"C13": "supported"}),
        ("tls/no-keys", {"C17": "not-seen"}),
        ("http2/parallel", {"C4": "supported", "C5": "supported", "C6": "supported", "C11": "supported"}),
        ("http2/push", {"C7": "supported", "C9": "contradicted", "C12": "supported"}),
        ("http2/over-tls", {"C7": "contradicted", "C10": "contradicted", "C12": "contradicted", "C17": "supported"}),
        ("http2/priority-update", {"C8": "supported"}),
        ("http2/mid-stream", {"C6": "not-seen", "C10": "not-seen"}),
        ("http2/no-keys-1.2", {"C4": "not-seen", "C10": "contradicted", "C17": "supported"}),
    ],
)
def test_recorded(case, verdicts):
    connections, _, _ = report_of(capture_of(case), keys=keys_of(case), headers=True, secrets=True)
    found = report(*connections)
    assert {one.id: one.verdict for one in found.claims if one.id in verdicts} == verdicts
    assert all(one.packets for one in found.claims if one.verdict != "not-seen")


def test_recorded_requests_repeat_their_fields():
    """captures/http1/keep-alive: five GETs of curl that differ in their targets only."""
    assert "http1/keep-alive" in CASES
    connections, _, _ = report_of(capture_of("http1/keep-alive"), headers=True, secrets=True)
    share, _ = measured("request header that repeats", *connections)
    fields = sum(len(f"{name}: {value}\r\n") for name, value in connections[0].http.exchanges[0].request.headers)
    sections = [one.request.header_bytes for one in connections[0].http.exchanges[1:]]
    assert share == round(fields * len(sections) / sum(sections), 4)


def test_the_same_page_over_both_versions():
    """captures/compare: thirteen resources, over six connections of HTTP/1.1, and over one of HTTP/2 beside an idle
    one."""
    cases = ("compare/http1", "compare/http2")
    recorded = [report_of(capture_of(case), keys=keys_of(case), headers=True, secrets=True)[0] for case in cases]
    connections = [one for found in recorded for one in found]
    found = report(*connections)
    rows = {row.measured: (row.http1, row.http2) for row in found.comparison}
    assert rows["connections"] == (6, 2)
    assert rows["exchanges"] == (13, 13)
    assert rows["messages as text"] == (26, 0)
    at_once = rows["most exchanges in flight on one connection"]
    assert at_once[0] == 1 < at_once[1]
    ratio = rows["header bytes on the wire, of uncompressed ones"]
    assert ratio[0] == 1 > ratio[1]
    assert rows["round trips before the first request, median"] == (2, 2)
    verdicts = {one.id: one.verdict for one in found.claims}
    assert verdicts["C3"] == verdicts["C12"] == "contradicted"
    assert verdicts["C4"] == verdicts["C9"] == verdicts["C11"] == "supported"
