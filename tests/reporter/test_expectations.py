"""What an `expect.yaml` may say, and what is told where a capture differs."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import model
from analyzer.errors import UsageError
from analyzer.reporter.expectations import Expectations, as_seen
from tests.reporter.builders import refused, showcase, tls_showcase, web_showcase

TOTALS = ("packets", "connections")
REFUSED = refused(server=model.Endpoint("10.0.0.2", 81))
COUNTED = {"packets": 99, "connections": 6}


def expect(text, connections=None):
    """The fields that differ, each with what was expected, what was seen, and the packets to look at."""
    found = Expectations(text.encode(), "expect.yaml", TOTALS)
    seen = as_seen(showcase() if connections is None else connections)
    return [(one.field, one.expected, one.seen, one.packets()) for one in found.differences(seen, COUNTED)]


def refusal(text):
    with pytest.raises(UsageError) as refused:
        Expectations(text.encode() if isinstance(text, str) else text, "expect.yaml", TOTALS)
    return str(refused.value)


def one(text, connection=None):
    """As `expect`, of a single connection."""
    return expect(f"connections:\n  - {text}", [connection or REFUSED])


# Values.


def test_only_what_is_named_is_compared():
    assert one("server_port: 81") == []
    assert one("open: {flow: tcp-open/refused}") == []
    assert one("open: {flow: tcp-open/half-open}")[0][:3] == (
        "connections[0].open.flow", "tcp-open/half-open", "tcp-open/refused",
    )  # fmt: skip


def test_null_is_a_value():
    assert one("tls: null") == []
    assert one("close: {flow: null}") == []
    assert one("http: {version: HTTP/1.1}") == [("connections[0].http", "{version: HTTP/1.1}", "null", "50–51")]
    assert one("http: null", web_showcase()[0])[0][1] == "null"


@pytest.mark.parametrize("fits", ["81", '">=81"', '">80"', '"<82"', '"<= 81"', '"80..81"', '{any_of: [1, ">80"]}'])
def test_ranges(fits):
    assert one(f"server_port: {fits}") == []


@pytest.mark.parametrize("other", ["82", '">=82"', '"<81"', '"1..80"', "{any_of: [1, 2]}"])
def test_ranges_that_do_not_fit(other):
    ((field, _, seen, _),) = one(f"server_port: {other}")
    assert (field, seen) == ("connections[0].server_port", "81")


def test_a_range_does_not_hold_for_what_is_absent():
    assert one('timing: {tls_ns: ">=0"}')[0][1:3] == (">=0", "null")
    assert one('timing: {tls_ns: {any_of: [null, ">=0"]}}') == []


def test_words():
    assert one("open: {flow: {any_of: [tcp-open/refused, tcp-open/half-open]}}") == []
    assert one("open: {flow: {any_of: [a, b]}}")[0][1] == "a or b"
    assert one("open: {flow: {like: 'tcp-open/*'}}") == []
    assert one("open: {flow: {like: 'tls/*'}}")[0][1] == "like tls/*"
    assert one("tls: null") == []


def test_a_range_is_a_text_where_texts_are():
    assert one('open: {flow: ">=1"}')[0][1:3] == (">=1", "tcp-open/refused")


def test_lists():
    web = web_showcase()[2]
    number = len(web.http.exchanges)
    assert number > 1
    assert one(f"http: {{exchanges: {{length: {number}}}}}", web) == []
    assert one('http: {exchanges: {length: ">1", each: {stream: null}}}', web) == []
    assert one("http: {exchanges: {length: 0}}", web)[0][:3] == (
        "connections[0].http.exchanges.length", "0", str(number),
    )  # fmt: skip
    assert one("http: {exchanges: []}", web)[0][1:3] == ("[]", f"{number} elements")
    fields = [found[0] for found in one("http: {exchanges: {each: {pushed: true}}}", web)]
    assert fields == [f"connections[0].http.exchanges[{at}].pushed" for at in range(number)]
    assert one("vlan: [7]")[0][1:3] == ("[7]", "[]")


def test_the_packets_to_look_at_are_those_of_the_field():
    web = web_showcase()[0]
    response = web.http.exchanges[0].response
    (found,) = one("http: {exchanges: {length: '>0', each: {response: {status: {any_of: [1]}}}}}", web)[:1]
    assert found[3].startswith(str(response.packet))
    steps = showcase()[0].close.steps
    assert one("close: {flow: x}", showcase()[0])[0][3] == f"{steps[0].packet}–{steps[-1].packet}"


# Which connections.


def test_in_order():
    ports = [connection.server.port for connection in sorted(showcase(), key=lambda one: one.id)]
    assert expect("connections:\n" + "".join(f"  - server_port: {port}\n" for port in ports)) == []
    ((field, expected, seen, _),) = expect("connections: [{}]")
    assert (field, expected) == ("connections", "1")
    assert seen.startswith("6: #")
    assert expect("connections: []")[0][1] == "0"


def test_where():
    assert expect("connections: [{where: open=refused, close: {cause: never-opened}}]") == []
    assert expect("connections: [{where: open=nothing-like-it, count: 0}]") == []
    assert expect('connections: [{where: "packets>0", count: ">=6"}]') == []
    ((field, expected, seen, _),) = expect('connections: [{where: "packets>0"}]')
    assert (field, expected) == ("connections[0].where", "1 matching")
    assert seen == "6: #0, #1, #2, #3, #4, …"
    assert expect("connections: [{where: open=nothing-like-it}]")[0][2] == "0"


def test_by_server_port():
    text = "match: server_port\nconnections: [{server_port: 81, open: {flow: tcp-open/%s}}, {where: server.port=82}]"
    connections = [refused(id=at, server=model.Endpoint("10.0.0.2", port)) for at, port in enumerate((80, 82, 81))]
    assert expect(text % "refused", connections) == []
    assert expect(text % "half-open", connections)[0][0] == "connections[0].open.flow"
    assert expect(text % "refused", connections[:2]) == [("connections", "1 to port 81", "0", "")]


def test_by_server_name():
    named = [one for one in tls_showcase() if one.tls and one.tls.server_name]
    name = named[0].tls.server_name
    count = sum(one.tls.server_name == name for one in named)
    text = "match: server_name\nconnections:\n" + f"  - {{server_name: {name}, tls: {{decrypted: %s}}}}\n" * count
    fits = text % tuple(str(one.tls.decrypted).lower() for one in named if one.tls.server_name == name)
    assert expect(fits, [*named, REFUSED]) == []
    assert expect("match: server_name\nconnections: [{server_name: other.test}]", named)[0][1:3] == (
        "1 named other.test", "0",
    )  # fmt: skip
    assert one("server_name: null") == []


def test_totals():
    assert expect('totals: {packets: ">50"}') == []
    assert expect("totals: {packets: 7}") == [("totals.packets", "7", "99", "")]


def test_the_line_of_the_file():
    text = "# a comment\nconnections:\n  - where: open=refused\n    open:\n      outcome: documented\n"
    (found,) = Expectations(text.encode(), "x", TOTALS).differences(as_seen(showcase()), COUNTED)
    assert (found.line, found.connection is None) == (5, False)


def test_header_fields_are_kept_only_for_who_names_them():
    plain = Expectations(b"connections: [{http: {exchanges: []}}]", "x", TOTALS)
    asking = Expectations(b"connections: [{http: {exchanges: [{request: {headers: []}}]}}]", "x", TOTALS)
    assert (plain.needs_headers, asking.needs_headers) == (False, True)


# What cannot be expected.


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no expectations"),
        ("[1]", "holds no expectations"),
        ("{}", "expects nothing"),
        ("a: [", "is no YAML"),
        ("\t- a", "is no YAML"),
        (b"\xff\xfe\x00", "is no YAML"),
        ("a: 2026-99-99", "is no YAML"),
        ("[" * 5000, "is no YAML"),
        ("conections: []", "has no field 'conections'; did you mean connections?"),
        ("connections: 3", "connections is a list"),
        ("connections: [3]", "connections[0] is a mapping"),
        ("totals: {packet: 3}", "totals has no field 'packet'; did you mean packets?"),
        ("totals: {packets: many}", "is a number"),
        ("match: luck\nconnections: []", "there are order, server_port, server_name"),
        ("match: server_port\nconnections: [{}]", "needs a server_port"),
        ("match: server_name\nconnections: [{server_name: null}]", "needs a server_name"),
        ("claims: {C99: supported}", "claims has no field 'C99'"),
        ("claims: {C3: 1}", "there are supported, contradicted, not-seen"),
        ("claims: [C3]", "claims"),
        ("connections: [{open: {flwo: a}}]", "connections[0].open has no field 'flwo'; did you mean flow?"),
        ("connections: [{open: {xyz: a}}]", "there are flow, outcome, cause"),
        ("connections: [{open: {outcome: fine}}]", "diverged, documented, incomplete"),
        ("connections: [{open: {outcome: null}}]", "is never null"),
        ("connections: [{open: tcp-open/refused}]", "is a mapping of fields"),
        ("connections: [{tls: {version: 1.3}}]", "put it in quotation marks"),
        ("connections: [{tls: {resumed: maybe}}]", "is true or false"),
        ("connections: [{tls: {handshakes: {first: 1}}}]", "length and each"),
        ("connections: [{id: true}]", "is a number"),
        ("connections: [{id: {any_of: []}}]", "any_of"),
        ("connections: [{id: {like: a}}]", "single value"),
        ("connections: [{1: 2}]", "has no field 1"),
        ("connections: [{where: nonsense=1}]", "there is no field 'nonsense'"),
        ("connections: [{count: 2}]", "cannot stand alone"),
        ("connections: [{where: id=1}, {id: 2}]", "has no where"),
        ("connections: [{id: 1, id: 2}]", "'id' is there twice"),
        ("connections: &a [*a]", "connections[0] is a mapping"),
    ],
)
def test_refused(text, told):
    message = refusal(text)
    assert message.startswith("expect.yaml")
    assert told in message


def test_a_refusal_names_the_line():
    assert refusal("connections:\n  - id: 1\n    open:\n      flow: 3\n").startswith(
        "expect.yaml:4: connections[0].open."
    )


# Whatever there is.


@pytest.mark.parametrize("connection", [*showcase(), *web_showcase(), *tls_showcase()])
def test_every_report_is_what_it_is_expected_to_be(connection):
    whole = msgspec.to_builtins(connection)
    del whole["type"]
    text = msgspec.json.encode({"connections": [whole]})
    assert list(Expectations(text, "x", TOTALS).differences(as_seen([connection]), {})) == []


@given(st.binary(max_size=200) | st.text("connections: []{}-\n&*!|>%@`'\"#<,0", max_size=60).map(str.encode))
def test_any_bytes_are_expectations_or_refused(text):
    try:
        found = Expectations(text, "x", TOTALS)
    except UsageError:
        return
    list(found.differences(as_seen(showcase()), COUNTED))
