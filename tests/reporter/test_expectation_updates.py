"""`check --update`: new expectations, and old ones brought up to date."""

from __future__ import annotations

import re
import textwrap

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import model
from analyzer.errors import UsageError
from analyzer.reporter.expectation_updates import created, updated
from analyzer.reporter.expectations import Expectations, as_seen
from tests.cases import CASES, expectations_of, seen
from tests.reporter.builders import refused, showcase, web_showcase

COUNTED = {"packets": 99, "connections": 6}


def renewed(text, connections, totals=COUNTED):
    """The text brought up to date with what these connections show, and what still differs then."""
    text = textwrap.dedent(text).lstrip()
    have = as_seen(connections)
    new = updated(text.encode(), "expect.yaml", Expectations(text.encode(), "expect.yaml", tuple(totals)), have, totals)
    remaining = Expectations(new, "expect.yaml", tuple(totals)).differences(have, totals)
    return new.decode(), [one.field for one in remaining]


def to_ports(*ports):
    return [refused(id=at, server=model.Endpoint("10.0.0.2", port)) for at, port in enumerate(ports)]


# New ones.


@pytest.mark.parametrize("case", CASES)
def test_what_is_written_for_a_capture_fits_it(case):
    connections, totals = seen(case)
    text = created(connections, totals)
    assert list(Expectations(text, "new", tuple(totals)).differences(connections, totals)) == []
    # Nothing that another recording would not have: times, packets, numbers of sequence.
    named = set(re.findall(r"[a-z_0-9]+(?=:)", text.decode()))
    assert not named & {"packet", "first_packet", "last_packet", "start", "at_ns", "duration_ns", "client", "ja3"}
    ports = {connection.client.port for connection, _ in connections} - {
        connection.server.port for connection, _ in connections
    }
    assert not ports & {value for value in _numbers(yaml.safe_load(text)) if value > 1023}


def _numbers(value):
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _numbers(one)
    elif isinstance(value, int):
        yield value


def test_a_new_file_reads_well():
    assert created(*seen("tls/1.3-full")).decode() == textwrap.dedent("""\
        connections:
          - server_port: 443
            open: {flow: tcp-open/three-way-handshake, outcome: documented}
            close: {flow: tcp-close/three-segment, outcome: variant, closed_by: client}
            tls:
              version: TLS 1.3
              server_name: example.test
              alpn: http/1.1
              handshakes:
                - {flow: tls/1.3-full, outcome: variant}
            http:
              version: HTTP/1.1
              connection: {flow: http1/single-exchange, outcome: documented}
              exchanges:
                - {request: {method: GET, target: /index.html}, response: {status: 200}}
            lifecycle: {flow: lifecycle/https-connection, outcome: variant}
        totals: {connections: 1}
        """)


def test_many_connections_are_described_by_port():
    text = created(as_seen(to_ports(*[80] * 30, *[40000] * 3)), {"connections": 33}).decode()
    assert text.startswith("connections:\n  - where: server.port=80\n    count: 30\n    open:")
    assert "  - where: server.port>=32768\n    count: 3\n" in text
    assert "count" not in created(as_seen(to_ports(80, 81)), COUNTED).decode()


def test_a_port_that_was_given_out_is_not_named():
    assert "server_port" not in created(as_seen(to_ports(40000)), COUNTED).decode()


def test_the_query_of_a_request_is_not_told():
    web = web_showcase()[0]
    http = web.http
    request = msgspec.structs.replace(http.exchanges[0].request, target="/find*?token=secret")
    exchange = msgspec.structs.replace(http.exchanges[0], request=request)
    web = msgspec.structs.replace(web, http=msgspec.structs.replace(http, exchanges=[exchange]))
    text = created(as_seen([web]), COUNTED)
    assert b"secret" not in text
    assert b"/find[*][?]*" in text
    assert list(Expectations(text, "x", ("connections",)).differences(as_seen([web]), COUNTED)) == []


# Old ones.


def test_what_fits_stays_as_it_was_written():
    text = "connections: [ { where:   open=refused , count: '>=1' } ] # as it is\n"
    assert renewed(text, showcase()) == (text, [])


@pytest.mark.parametrize("case", sorted(CASES)[::9])
def test_a_file_that_fits_is_not_changed_at_all(case):
    text = (CASES[case] / "expect.yaml").read_bytes()
    assert updated(text, "x", expectations_of(case), *seen(case)) == text


def test_only_what_differs_is_replaced_and_comments_stay():
    text = """
        # what we promise
        connections:
          # the port that is closed
          - server_port: 81     # not 80
            open: {flow: tcp-open/half-open, outcome: {any_of: [documented, variant]}}  # never open
            close: {cause: never-opened}
            notes: {resets: "<1", retransmissions: "0..2"}
        totals: {packets: ">100", connections: 6}
        """
    old = textwrap.dedent(text).lstrip().splitlines()
    new, remaining = renewed(text, [refused(server=model.Endpoint("10.0.0.2", 81))])
    assert remaining == []
    changed = [
        re.sub(r"  +#", "  #", after) for before, after in zip(old, new.splitlines(), strict=True) if before != after
    ]
    resets = refused().notes.resets
    assert changed == [
        "    open: {flow: tcp-open/refused, outcome: {any_of: [documented, variant]}}  # never open",
        *([f'    notes: {{resets: "<={resets}", retransmissions: "0..2"}}'] if resets else []),
        'totals: {packets: ">=99", connections: 6}',
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("server_port: 80", "server_port: 81"),
        ('server_port: ">81"', 'server_port: ">=81"'),
        ('server_port: "<80"', 'server_port: "<=81"'),
        ('server_port: "1..80"', 'server_port: "1..81"'),
        ("server_port: {any_of: [1, 2]}", "server_port: {any_of: [1, 2, 81]}"),
        ("open: {flow: {like: 'tls/*'}}", "open: {flow: tcp-open/refused}"),
        ("tls: {version: TLS 1.3}", "tls: null"),
        ("vlan: [7, 8]", "vlan: []"),
        ("faults: {length: 3}", "faults: {length: 0}"),
    ],
)
def test_each_kind_of_value(before, after):
    new, remaining = renewed(f"connections:\n  - {before}\n", to_ports(81))
    assert (new, remaining) == (f"connections:\n  - {after}\n", [])


def test_connections_that_came_and_went():
    text = "connections:\n  - server_port: 80\n  # gone\n  - server_port: 81\n  - server_port: 82 # stays\n"
    new, remaining = renewed(text, to_ports(80, 82, 83))
    assert remaining == []
    assert [one["server_port"] for one in yaml.safe_load(new)["connections"]] == [80, 82, 83]
    assert "- server_port: 82 # stays\n" in new
    assert yaml.safe_load(new)["connections"][2]["open"]["flow"] == "tcp-open/refused"
    assert renewed("connections: []\n", to_ports(80))[1] == []
    assert renewed(text, [])[0].startswith("connections:")


def test_connections_that_are_matched_by_port_or_by_where():
    text = "match: server_port\nconnections:\n  - server_port: 81\n  - {where: server.port=82, open: {flow: a}}\n"
    new, remaining = renewed(text, to_ports(80, 81, 81, 82, 82))
    assert remaining == []
    first, second, third = yaml.safe_load(new)["connections"]
    assert (first, second["server_port"]) == ({"server_port": 81}, 81)
    assert third == {"where": "server.port=82", "count": 2, "open": {"flow": "tcp-open/refused"}}
    assert "count: 0" in renewed("connections: [{where: server.port=9}]\n", to_ports(80))[0]


def test_several_values_of_one_field():
    text = "connections: [{where: packets>0, count: '>0', server_port: 80, server: {port: '80..81'}}]\n"
    new, remaining = renewed(text, to_ports(80, 82))
    assert remaining == []
    assert yaml.safe_load(new)["connections"][0]["server_port"] == {"any_of": [80, 82]}
    assert yaml.safe_load(new)["connections"][0]["server"] == {"port": "80..82"}


def test_what_cannot_be_said_stays_as_it_was():
    web = [one for one in web_showcase() if one.http]
    text = "connections:\n  - {where: packets>0, count: '>0', http: {exchanges: []}}\n"
    assert len({len(one.http.exchanges) for one in web}) > 1
    new, remaining = renewed(text, web)
    assert "exchanges: []" in new
    assert set(remaining) == {"connections[0].http.exchanges"}


def test_further_exchanges_say_what_the_others_say():
    web = max((one for one in web_showcase() if one.http), key=lambda one: len(one.http.exchanges))
    text = "connections: [{http: {exchanges: [{request: {target: /}}]}}]\n"
    new, remaining = renewed(text, [web])
    assert remaining == []
    named = yaml.safe_load(new)["connections"][0]["http"]["exchanges"]
    assert len(named) == len(web.http.exchanges) > 1
    assert all(set(one) == {"request"} and set(one["request"]) == {"target"} for one in named if one["request"])


@pytest.mark.parametrize("case", sorted(CASES)[::12])
def test_any_expectations_become_those_of_any_capture(case):
    text = (CASES[case] / "expect.yaml").read_bytes()
    for other in sorted(CASES)[::40]:
        connections, totals = seen(other)
        new = updated(text, "x", expectations_of(case), connections, totals)
        assert list(Expectations(new, "x", tuple(totals)).differences(connections, totals)) == []


def test_yaml_that_cannot_be_edited_is_refused():
    text = "connections: [{server_port: 80}]".encode("utf-16")
    expectations = Expectations(text, "x", ())
    with pytest.raises(UsageError, match="cannot be edited"):
        updated(text, "x", expectations, as_seen(to_ports(1)), {})


@settings(max_examples=60)
@given(
    st.text(max_size=20),
    st.sampled_from(["yes", "1:30", "0o7", "1_000", "~", "", "null", "2026-01-01", ">=3", "*", "#", "=", "<<"]),
)
def test_any_text_from_a_capture_survives(text, word):
    for name in (text, word):
        web = web_showcase()[0]
        request = msgspec.structs.replace(web.http.exchanges[0].request, method=name, target=name)
        exchange = msgspec.structs.replace(web.http.exchanges[0], request=request)
        web = msgspec.structs.replace(web, http=msgspec.structs.replace(web.http, exchanges=[exchange]))
        written = created(as_seen([web]), COUNTED)
        assert list(Expectations(written, "x", ("connections",)).differences(as_seen([web]), COUNTED)) == []
