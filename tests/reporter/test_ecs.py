"""Elastic Common Schema: every field that is written is one of the schema, of its type and with a value it allows."""

from __future__ import annotations

import datetime
import ipaddress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import model
from analyzer.reporter.outputs import ecs
from tests.cases import CASES, analysed, capture_of, report_of
from tests.reporter.builders import connection, exchange, http, http2_showcase, showcase, tls_showcase, web_showcase

# ECS 8.11, of its flat schema: what this output uses, with the Elasticsearch type. A list where the schema says
# `normalize: array`.
ENDPOINT = {"address": "keyword", "ip": "ip", "port": "long", "bytes": "long", "packets": "long"}
X509 = {
    "alternative_names": ["keyword"], "issuer.distinguished_name": "keyword", "subject.distinguished_name": "keyword",
    "not_before": "date", "not_after": "date", "serial_number": "keyword", "signature_algorithm": "keyword",
    "public_key_algorithm": "keyword", "public_key_size": "long",
}  # fmt: skip
PARTY = {
    "issuer": "keyword", "subject": "keyword", "not_before": "date", "not_after": "date", "hash.sha256": "keyword",
} | {f"x509.{name}": kind for name, kind in X509.items()}  # fmt: skip
SCHEMA = {
    "@timestamp": "date", "ecs.version": "keyword",
    "event.kind": "keyword", "event.module": "keyword", "event.dataset": "keyword", "event.category": ["keyword"],
    "event.type": ["keyword"], "event.outcome": "keyword", "event.start": "date", "event.end": "date",
    "event.duration": "long",
    "network.transport": "keyword", "network.iana_number": "keyword", "network.type": "keyword",
    "network.protocol": "keyword", "network.community_id": "keyword", "network.packets": "long",
    "network.bytes": "long", "network.vlan.id": "keyword", "network.inner.vlan.id": "keyword",
    "tls.version": "keyword", "tls.version_protocol": "keyword", "tls.cipher": "keyword", "tls.curve": "keyword",
    "tls.next_protocol": "keyword", "tls.resumed": "boolean", "tls.established": "boolean",
    "tls.client.server_name": "keyword", "tls.client.ja3": "keyword", "tls.server.ja3s": "keyword",
    "http.version": "keyword", "http.request.method": "keyword", "http.request.referrer": "keyword",
    "http.request.mime_type": "keyword", "http.request.bytes": "long", "http.request.body.bytes": "long",
    "http.response.status_code": "long", "http.response.mime_type": "keyword", "http.response.bytes": "long",
    "http.response.body.bytes": "long",
    "url.original": "wildcard", "url.full": "wildcard", "url.scheme": "keyword", "url.domain": "keyword",
    "url.port": "long", "url.path": "wildcard", "url.query": "keyword", "user_agent.original": "keyword",
}  # fmt: skip
SCHEMA |= {
    f"{end}.{name}": kind for end in ("source", "destination", "client", "server") for name, kind in ENDPOINT.items()
}
SCHEMA |= {f"tls.{end}.{name}": kind for end in ("client", "server") for name, kind in PARTY.items()}

# What may be in an event that is of both categories is in the lists of either: ECS Categorization Fields.
TYPES = {
    "network": {"access", "allowed", "connection", "denied", "end", "info", "protocol", "start"},
    "web": {"access", "error", "info"},
}
ALLOWED = {
    "event.kind": {"event"},
    "event.outcome": {"success", "failure", "unknown"},
    "network.type": {"ipv4", "ipv6"},
    "tls.version_protocol": {"ssl", "tls"},
}


def flat(document, prefix=""):
    for name, value in document.items():
        if isinstance(value, dict) and prefix + name != "analyzer":
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def is_of(kind, value):
    if isinstance(kind, list):
        return isinstance(value, list) and bool(value) and all(is_of(kind[0], one) for one in value)
    if kind == "date":
        return datetime.datetime.fromisoformat(value).tzinfo is not None
    if kind == "ip":
        return bool(ipaddress.ip_address(value))
    if kind == "long":
        return type(value) is int and -(1 << 63) <= value < 1 << 63
    return type(value) is (bool if kind == "boolean" else str)


def documents(connections):
    written: list[bytes] = []
    output = ecs.Ecs(written.append)
    for one in connections:
        output.add(one)
    output.finish()
    return [msgspec.json.decode(line) for line in b"".join(written).splitlines()]


def check(document):
    for name, value in flat(document):
        if name == "analyzer":
            continue
        assert name in SCHEMA, name
        assert is_of(SCHEMA[name], value), (name, value)
        assert value in ALLOWED.get(name, {value} if not isinstance(value, list) else [value]), (name, value)
    event = document["event"]
    assert set(event["type"]) <= set().union(*(TYPES[category] for category in event["category"]))


@pytest.mark.parametrize("case", CASES)
def test_every_field_is_of_the_schema(case):
    connections, _, _ = report_of(capture_of(case), headers=True)
    found = documents(connections)
    assert len([one for one in found if one["event"]["dataset"] == "analyzer.connection"]) == len(connections)
    for document in found:
        check(document)


@pytest.mark.parametrize("connections", [showcase(), web_showcase(), tls_showcase(), http2_showcase()])
def test_whatever_a_connection_has(connections):
    for document in documents(connections):
        check(document)


def test_a_web_page():
    first, *exchanges = documents(analysed("tcp/web-page")[0])
    assert first["analyzer"]["open"]["flow"] == "tcp-open/three-way-handshake"
    assert first["event"]["type"] == ["connection", "start", "end"]
    assert first["source"]["packets"] + first["destination"]["packets"] == first["network"]["packets"]
    assert exchanges[0]["url"]["full"] == "http://10.0.0.2/"
    assert exchanges[0]["network"]["community_id"] == first["network"]["community_id"]


def test_a_refused_connection_is_a_failure():
    (document,) = documents(analysed("tcp/refused")[0])
    assert (document["event"]["outcome"], "denied" in document["event"]["type"]) == ("failure", True)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        (("128.232.110.120", 34855, "66.35.250.204", 80), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (("66.35.250.204", 80, "128.232.110.120", 34855), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    ],
)
def test_community_id_is_that_of_its_specification(ends, expected):
    one = connection(client=model.Endpoint(*ends[:2]), server=model.Endpoint(*ends[2:]))
    assert ecs.community_id(one) == expected


def url_of(target, authority="example.test:8080"):
    asked = exchange()
    asked = msgspec.structs.replace(
        asked, request=msgspec.structs.replace(asked.request, target=target, authority=authority)
    )
    return documents([connection(http=http(asked))])[1].get("url")


def test_parts_of_a_url():
    assert url_of("/a?b=c") == {
        "original": "/a?b=c", "full": "http://example.test:8080/a?b=c", "scheme": "http", "domain": "example.test",
        "port": 8080, "path": "/a", "query": "b=c",
    }  # fmt: skip
    assert url_of("http://[::1]:99/x")["domain"] == "[::1]"
    assert url_of("*") == {"original": "*", "domain": "example.test", "port": 8080}
    assert url_of("/", None) == {"original": "/", "scheme": "http", "path": "/"}
    assert url_of(None) == {"domain": "example.test:8080"}


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_target_and_no_name_breaks_a_document(target, authority):
    url = url_of(target, authority)
    assert url["original"] == target
    check({"url": url, "event": {"category": ["web"], "type": ["info"]}})
    assert 0 <= url.get("port", 0) <= 65535


def test_a_file_name_that_is_no_unicode():
    (document,) = documents([connection(capture="caf\udce9.pcap")])
    assert document["analyzer"]["capture"] == "caf\ufffd.pcap"
