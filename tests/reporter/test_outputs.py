"""JSON Lines, CSV and the schema."""

import csv
import io

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import model
from analyzer.reporter.outputs.csv import COLUMNS, Csv, cell
from analyzer.reporter.outputs.jsonl import JsonLines
from analyzer.reporter.schema import schema_of
from tests.reporter.builders import (
    certificate,
    connection,
    exchange,
    handshake,
    http,
    http2,
    http2_showcase,
    showcase,
    stream,
    tls,
    tls_showcase,
    web_showcase,
)


def jsonl(connections, live=False):
    written: list[bytes] = []
    output = JsonLines(written.append, live)
    for one in connections:
        output.add(one)
    output.finish()
    return written


def test_json_lines_are_the_model_and_nothing_else():
    lines = b"".join(jsonl(showcase())).splitlines()
    assert [msgspec.json.decode(line, type=model.Connection) for line in lines] == showcase()


@pytest.mark.parametrize(
    "connections", [web_showcase(), tls_showcase(), http2_showcase()], ids=["http", "tls", "http2"]
)
def test_what_is_inside_is_in_json_lines_as_it_is_in_the_model(connections):
    lines = b"".join(jsonl(connections)).splitlines()
    found = [msgspec.json.decode(line, type=model.Connection) for line in lines]
    assert msgspec.to_builtins(found) == msgspec.to_builtins(connections)


def test_json_lines_are_written_in_batches_but_at_once_when_live():
    assert len(jsonl(showcase())) == 1
    assert len(jsonl(showcase(), live=True)) == len(showcase())
    assert b"".join(jsonl(showcase())) == b"".join(jsonl(showcase(), live=True))


def test_nothing_is_absent_from_json():
    first = msgspec.json.decode(b"".join(jsonl([connection()])))
    assert first["type"] == "connection"
    assert first["tls"] is None
    assert first["open"]["cause"] is None
    assert first["close"]["closed_by"] == "client"


def test_a_file_name_that_is_no_unicode_does_not_break_json():
    lines = jsonl([connection(), connection(capture="caf\udce9.pcap"), connection()])
    assert [msgspec.json.decode(line)["capture"] for line in b"".join(lines).splitlines()] == [
        "web.pcapng", "caf\ufffd.pcap", "web.pcapng",
    ]  # fmt: skip


def rows(connections):
    written: list[str] = []
    output = Csv(written.append)
    for one in connections:
        output.add(one)
    output.finish()
    return list(csv.DictReader(io.StringIO("".join(written))))


def test_csv_has_a_row_per_connection():
    found = rows(showcase())
    assert list(found[0]) == list(COLUMNS)
    assert len(found) == len(showcase())
    first = found[0]
    assert (first["client_address"], first["server_port"], first["open_flow"]) == (
        "10.0.0.1", "80", "tcp-open/three-way-handshake",
    )  # fmt: skip
    assert found[1]["handshake_ns"] == ""
    assert found[3]["vlan"] == "5 100"


def test_csv_sums_http_up():
    one = http(exchange("GET /"), exchange("=X /", 404), exchange("GET /", None), exchanges_not_listed=2)
    first, second = rows([connection(http=one), connection()])
    columns = ["http_version", "http_flow", "http_outcome", "exchanges", "methods", "statuses"]
    assert [first[name] for name in columns] == ["HTTP/1.1", "http1/keep-alive", "variant", "5", "GET =X", "200 404"]
    assert [second[name] for name in columns] == [""] * 6
    assert rows([connection(http=http(exchange("=X /")))])[0]["methods"] == "'=X"


TLS_COLUMNS = [
    "tls_version", "cipher_suite", "key_exchange", "server_name", "alpn", "tls_flow", "tls_outcome", "tls_decrypted",
    "ja3", "ja3s", "ja4", "alerts",
]  # fmt: skip


def of_tls(**given):
    (row,) = rows([connection(**given)])
    return [row[name] for name in TLS_COLUMNS]


def test_csv_sums_tls_up():
    assert list(COLUMNS)[-17:-5] == TLS_COLUMNS
    alerts = [
        model.Alert("client", "warning", "close_notify", 37), model.Alert("server", None, None, 38, True),
        model.Alert("client", "warning", "close_notify", 39),
    ]  # fmt: skip
    one = tls(handshake(), handshake(flow="tls/1.2-renegotiation"), alerts=alerts, ja3="a", ja3s="b", ja4="c")
    summed = [
        "TLS 1.3", "TLS_AES_128_GCM_SHA256", "x25519", "example.test", "h2", "tls/1.3-full", "variant", "true",
        "a", "b", "c", "client close_notify; server encrypted",
    ]  # fmt: skip
    assert of_tls(tls=one) == summed
    assert of_tls(tunnel=model.Tunnel("STARTTLS smtp", model.PerSide(), one)) == summed
    assert of_tls() == [""] * 12
    nothing = tls(version=None, cipher_suite=None, key_exchange=None, server_name=None, alpn=None, ja3=None, ja3s=None,
                  ja4=None, decrypted=False)  # fmt: skip
    nothing.handshakes.clear()
    assert of_tls(tls=nothing) == ["", "", "", "", "", "", "", "false", "", "", "", ""]


HTTP2_COLUMNS = ["http_version", "http_max_concurrent", "streams_reset", "goaway"]


def of_http2(**given):
    (row,) = rows([connection(**given)])
    return [row[name] for name in HTTP2_COLUMNS]


def test_csv_sums_http2_up():
    assert list(COLUMNS)[-5:-2] == HTTP2_COLUMNS[1:]
    cancelled = stream(3, reset=model.Reset("client", "CANCEL", 9))
    goaways = [model.Goaway(side, "NO_ERROR", 3, 40) for side in ("server", "server", "client")]
    one = http2(stream(1), cancelled, max_concurrent=2, goaway=goaways)
    assert of_http2(http=one) == ["HTTP/2", "2", "1", "server NO_ERROR; client NO_ERROR"]
    assert of_http2(http=http2(stream(1))) == ["HTTP/2", "1", "0", ""]
    assert of_http2(http=http(exchange(), max_concurrent=3)) == ["HTTP/1.1", "3", "", ""]
    assert of_http2() == [""] * 4
    inside = model.Tunnel("Upgrade h2c", model.PerSide(), http=one)
    assert of_http2(http=http(exchange("GET /", 101)), tunnel=inside)[1:] == [
        "2",
        "1",
        "server NO_ERROR; client NO_ERROR",
    ]
    worn = http2(goaway=[model.Goaway("server", "\x1b[2J", 3, 40)])
    assert of_http2(http=worn)[3] == r"server \x1b[2J"


@pytest.mark.parametrize("evil", ["=cmd|'/c calc'!A0", "@SUM(A1)", "-1+1", "\x1b[2J=1", "\t=1"])
def test_no_name_from_a_handshake_is_a_formula_or_a_command(evil):
    one = tls(handshake(flow=evil), version=evil, cipher_suite=evil, key_exchange=evil, server_name=evil, alpn=evil,
              ja3=evil, ja3s=evil, ja4=evil, alerts=[model.Alert("client", None, evil, 1)],
              certificates=[certificate(subject=evil)])  # fmt: skip
    for value in of_tls(tls=one):
        assert value[:1] not in ("=", "+", "-", "@", "\t", "\r")
        assert value.isprintable()


def test_csv_without_connections_still_has_its_header():
    written: list[str] = []
    Csv(written.append).finish()
    assert "".join(written) == ",".join(COLUMNS) + "\n"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_no_cell_is_a_formula(text):
    assert str(cell(text)).startswith("'")
    assert rows([connection(capture=text)])[0]["capture"].startswith("'")


@given(st.text())
def test_no_text_is_a_formula_or_a_command(text):
    shown = str(cell(text))
    assert shown[:1] not in ("=", "+", "-", "@", "\t", "\r")
    assert shown.isprintable()


def test_the_schema_names_every_field_and_requires_it():
    schema = schema_of("read")
    properties = schema["$defs"]["Connection"]["properties"]
    assert set(properties) == {"type", *model.Connection.__struct_fields__}
    assert set(schema["$defs"]["Connection"]["required"]) == set(properties)
    assert schema["$ref"] == "#/$defs/Connection"
    assert schema["$defs"]["Verdict"]["properties"]["outcome"]["enum"]
    msgspec.json.encode(schema)
