"""What commands print for programs is what `analyzer schema` says of it: checked by a validator of JSON Schema."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from analyzer.cli import program
from tests.cases import ROOT

HTTP2 = ROOT / "captures" / "http2"
PRINTED = {
    "read": [
        ["read", "--headers", "--format", "jsonl", HTTP2 / "push" / "capture.pcapng"],
        ["read", "--format", "jsonl", ROOT / "captures" / "tls" / "client-certificate-missing"],
        ["read", "--format", "jsonl", ROOT / "captures" / "http1" / "loss-in-header"],
    ],
    "live": [["live", "--format", "jsonl", "-"]],
    "claims": [
        ["claims", "--format", "json", HTTP2 / "push"],
        ["claims", "--format", "json", ROOT / "captures" / "tcp" / "refused"],
    ],
    "check": [["check", "--format", "json", HTTP2 / "push"], ["check", "--format", "json", HTTP2 / "gone"]],
}


LINES = ("read", "live")  # each line is an object


def run(*words: object) -> str:
    piped = (HTTP2 / "push" / "capture.pcapng").read_bytes() if words[-1] == "-" else None
    return CliRunner().invoke(program, [str(word) for word in words], input=piped).stdout


def validator(command: str) -> Draft202012Validator:
    schema = json.loads(run("schema", command))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("command", PRINTED)
def test_what_is_printed_is_as_the_schema_says(command):
    schema = validator(command)
    for words in PRINTED[command]:
        printed = run(*words)
        for text in printed.splitlines() if command in LINES else [printed]:
            schema.validate(json.loads(text))


@pytest.mark.parametrize("command", PRINTED)
def test_the_schema_wants_every_field(command):
    schema = validator(command)
    printed = run(*PRINTED[command][0])
    some = [json.loads(text) for text in (printed.splitlines() if command in LINES else [printed])]
    for whole in {one.get("type"): one for one in some}.values():
        for name in whole:
            assert not schema.is_valid({key: value for key, value in whole.items() if key != name}), name


def test_live_prints_events_connections_and_a_summary():
    told = [json.loads(line)["type"] for line in run(*PRINTED["live"][0]).splitlines()]
    assert set(told) == {"event", "connection", "summary"}
    assert told[-1] == "summary"


def test_without_a_command_it_is_that_of_read():
    assert run("schema") == run("schema", "read")


def test_a_failed_check_is_as_the_schema_says(tmp_path):
    (tmp_path / "capture.pcapng").write_bytes((HTTP2 / "push" / "capture.pcapng").read_bytes())
    (tmp_path / "expect.yaml").write_text("totals: {connections: 7}\n")
    printed = json.loads(run("check", "--format", "json", tmp_path))
    assert printed["failed"] == 1
    validator("check").validate(printed)
