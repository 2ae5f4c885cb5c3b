"""The command line, with a pipeline that gives what the test asks for. The whole program is tried elsewhere."""

import dataclasses
import io
import json
import os
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import analyzer
import analyzer.pipeline
from analyzer.cli import program
from analyzer.errors import InputError, UsageError
from analyzer.model import Connection
from analyzer.reporter.filters import FIELDS, parse_filter
from tests.reporter import builders
from tests.reporter.builders import Analysis, Totals, Warning, connection, diverged, fake_pipeline, refused, showcase


@pytest.fixture
def captures(monkeypatch, tmp_path):
    """Paths and what their analysis gives, to be filled by the test; the working directory is an empty one."""
    monkeypatch.chdir(tmp_path)
    for variable in ("COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    given: dict[str, Analysis | BaseException] = {}
    module = fake_pipeline(given)
    monkeypatch.setitem(sys.modules, "analyzer.pipeline", module)
    monkeypatch.setattr(analyzer, "pipeline", module, raising=False)
    given_and_asked = Given(given, module.asked)
    given_and_asked["web.pcap"] = Analysis(showcase())
    return given_and_asked


class Given:
    def __init__(self, analyses, asked):
        self.analyses, self.asked = analyses, asked

    def __setitem__(self, path, analysis):
        self.analyses[path] = analysis


def run(*arguments, **options):
    return CliRunner().invoke(program, arguments, prog_name="analyzer", **options)


def test_a_table_and_its_summary(captures):
    result = run("read", "web.pcap")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.splitlines()[0].startswith("#  client")
    assert "\n\n6 connections: " in result.stdout


def test_width(captures):
    assert max(map(len, run("read", "--width", "80", "web.pcap").stdout.splitlines())) <= 80
    assert max(map(len, run("read", "--width", "200", "web.pcap").stdout.splitlines())) > 150


def test_columns_of_the_environment(captures):
    result = run("read", "web.pcap", env={"COLUMNS": "80"})
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_verbose(captures):
    result = run("read", "-v", "web.pcap")
    assert "│───── SYN ──────▶│  ✓ SYN [payload=0]" in result.stdout
    assert "6 connections" in result.stdout


def test_jsonl_is_connections_only(captures):
    result = run("read", "--format", "jsonl", "web.pcap")
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == [0, 2, 1, 3, 4, 5]


def test_csv(captures):
    lines = run("read", "--format", "csv", "web.pcap").stdout.splitlines()
    assert lines[0].startswith("capture,id,tcp_stream,client_address")
    assert len(lines) == 7


def test_quiet_is_silent_but_not_about_trouble(captures):
    captures["web.pcap"] = Analysis(showcase(), warnings=[Warning(77, "cut off at byte offset 77")])
    result = run("read", "--quiet", "web.pcap")
    assert result.stdout == ""
    assert result.stderr == "analyzer: web.pcap: warning: cut off at byte offset 77\n"
    assert len(run("read", "--quiet", "--format", "jsonl", "web.pcap").stdout.splitlines()) == 6


def test_filters_must_all_hold(captures):
    result = run("read", "--filter", "client.address=10.0.0.0/8", "--filter", "open=refused", "web.pcap")
    assert "1 of 6 connections: " in result.stdout
    assert "10.0.0.2:8080" in result.stdout
    assert "192.168.100.123" not in result.stdout


def test_a_wrong_filter_is_a_usage_error(captures):
    result = run("read", "--filter", "sever.port=1", "web.pcap")
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "analyzer: filter 'sever.port=1': there is no field 'sever.port'; did you mean server.port"
    )
    assert "`analyzer read --help`" in result.stderr


def test_fail_on(captures):
    assert run("read", "--fail-on", "diverged", "web.pcap").exit_code == 1
    result = run("read", "--quiet", "--fail-on", "incomplete,diverged", "web.pcap")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == "analyzer: check failed: 3 connections diverged or incomplete"
    assert "web.pcapng #1 192.168.100.123:50113 → 192.168.100.200:8443: close ✗ diverged" in result.stderr
    captures["web.pcap"] = Analysis([connection()])
    assert run("read", "--fail-on", "diverged", "web.pcap").exit_code == 0


def test_fail_on_looks_at_http_and_at_the_whole(captures):
    captures["web.pcap"] = Analysis(builders.web_showcase())
    result = run("read", "--quiet", "--fail-on", "diverged", "web.pcap")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[1:] == ["analyzer:   web.pcapng #5 10.0.0.1:50112 → 10.0.0.2:80: http ✗ diverged"]
    result = run("read", "--quiet", "--fail-on", "variant", "--filter", "id=1", "web.pcap")
    assert result.stderr.splitlines()[1].endswith(": http ~ keep-alive")
    life = builders.opened("", flow="lifecycle/http1-connection", outcome="variant")
    captures["web.pcap"] = Analysis([connection(lifecycle=life)])
    result = run("read", "--quiet", "--fail-on", "variant", "web.pcap")
    assert result.stderr.splitlines()[1].endswith(": lifecycle ~ http1-connection")


def test_fail_on_looks_only_at_what_passes_the_filter(captures):
    assert run("read", "--fail-on", "diverged", "--filter", "outcome!=diverged", "web.pcap").exit_code == 0


def test_fail_on_names_its_outcomes(captures):
    result = run("read", "--fail-on", "broken", "web.pcap")
    assert result.exit_code == 2
    assert "There are: documented, variant, diverged, incomplete, unseen" in result.stderr
    shown = " ".join(run("read", "--help").stdout.split())
    assert "documented, variant, diverged, incomplete or unseen" in shown


def test_damage_is_a_warning_and_with_strict_an_exit_code(captures):
    captures["cut.pcap"] = Analysis([connection()], warnings=[Warning(1000, "cut off\x1b[2J")])
    result = run("read", "cut.pcap")
    assert result.exit_code == 0
    assert result.stderr == "analyzer: cut.pcap: warning: cut off\\x1b[2J\n"
    assert run("read", "--strict", "cut.pcap").exit_code == 3
    assert run("read", "--strict", "web.pcap").exit_code == 0


def test_an_unreadable_input_is_one_line(captures):
    result = run("read", "gone.pcap")
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr == "analyzer: there is no file gone.pcap: check the name\n"


def test_the_other_inputs_are_still_read(captures):
    result = run("read", "gone.pcap", "web.pcap")
    assert result.exit_code == 3
    assert "6 connections in 1 of 2 captures" in result.stdout
    assert result.stderr.count("\n") == 1


def test_a_folder_without_captures_does_not_keep_the_others_from_being_read(captures, tmp_path):
    (tmp_path / "empty").mkdir()
    result = run("read", "empty", "web.pcap")
    assert result.exit_code == 3
    assert result.stderr.startswith("analyzer: empty")
    assert "6 connections" in result.stdout
    assert run("read", "empty").stdout == ""


def test_unreadable_at_its_first_byte(captures):
    captures["text.pcap"] = Analysis([InputError("text.pcap is no capture: give a pcap file")])
    result = run("read", "text.pcap", "web.pcap")
    assert result.exit_code == 3
    assert "analyzer: text.pcap is no capture" in result.stderr
    assert "6 connections" in result.stdout


def test_wrong_usage_found_by_the_pipeline(captures):
    captures["web.pcap"] = UsageError("the capture filter 'foo' is not understood: see man pcap-filter")
    result = run("read", "-f", "foo", "web.pcap")
    assert result.exit_code == 2
    assert result.stderr.startswith("analyzer: the capture filter")


def test_several_captures_have_a_column_and_one_total(captures):
    captures["other.pcap"] = Analysis([connection(capture="other.pcap")])
    result = run("read", "web.pcap", "other.pcap")
    assert "capture" in result.stdout.splitlines()[0]
    assert "7 connections in 2 captures" in result.stdout
    assert "capture" not in run("read", "web.pcap").stdout.splitlines()[0]


def test_what_was_left_out_is_counted(captures):
    captures["web.pcap"] = Analysis([connection()], Totals(packets=50, udp=7, icmp=1, connections=1))
    assert "left out   packets: 7 UDP, 1 ICMP" in run("read", "web.pcap").stdout


def test_options_reach_the_pipeline(captures):
    times = ["--from", "+1.5", "--to", "+1m", "--linger", "1500ms"]
    assert run("read", *times, "--vlan-key", "-f", "tcp", "--max-connections", "9", "web.pcap").exit_code == 0
    (options,) = captures.asked
    assert (options.tcp_only, options.headers, options.secrets) == (False, False, False)
    assert options.vlan_key
    assert options.packet_filter == "tcp"
    assert (options.linger_ns, options.max_connections) == (1_500_000_000, 9)
    assert (options.time_from, options.time_to, options.time_relative) == (1_500_000_000, 60 * 10**9, True)


def test_header_fields_reach_the_pipeline(captures):
    assert run("read", "-v", "--headers", "web.pcap").exit_code == 0
    assert run("read", "--format", "jsonl", "--headers", "--show-secrets", "web.pcap").exit_code == 0
    assert [(options.headers, options.secrets) for options in captures.asked] == [(True, False), (True, True)]


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2026-11-22T12:00:00Z", 1_795_348_800_000_000_000),
        ("2026-11-22T12:00:00.123456789Z", 1_795_348_800_123_456_789),
        ("2026-11-22 13:00:00+01:00", 1_795_348_800_000_000_000),
        ("2026-11-22T12:00", 1_795_348_800_000_000_000),
        ("1970-01-01T00:00:00Z", 0),
    ],
)
def test_absolute_times(captures, text, ns):
    assert run("read", "--from", text, "web.pcap").exit_code == 0
    assert (captures.asked[0].time_from, captures.asked[0].time_relative) == (ns, False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--from", "noon"],
        ["--from", "2026-13-01T00:00:00Z"],
        ["--from", "+"],
        ["--from", "+10s", "--to", "2026-11-22T12:00:00Z"],
        ["--from", "+10s", "--to", "+5s"],
        ["--quiet", "--verbose"],
        ["--verbose", "--format", "csv"],
        ["--headers"],
        ["--headers", "--format", "csv"],
        ["--verbose", "--show-secrets"],
        ["--width", "10"],
        ["--linger", "-1"],
        ["--linger", "nan"],
        ["--keys", "no-such-file"],
        ["--flows", "no-such-folder"],
        ["-o", "no-such-folder/out.txt"],
        ["--nonsense"],
        ["-", "-"],
    ],
)
def test_wrong_usage(captures, arguments):
    result = run("read", *arguments, "web.pcap")
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("analyzer: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["read", "--nonsense", "x"], "no such option '--nonsense'. Try 'analyzer read --help'."),
        (["read"], "missing argument 'FILE...'. Try 'analyzer read --help'."),
        (["--nonsense"], "no such option '--nonsense'. Try 'analyzer --help'."),
        (["nonsense"], "no such command 'nonsense'. Try 'analyzer --help'."),
        (["flows", "show"], "missing argument 'ID'. Try 'analyzer flows show --help'."),
        (["read", "--from", "+1x", "y"], "invalid value for '--from': '+1x' is no time: write 2026-11-22T12:00:00Z, or "
         "+10s after the first packet. Try 'analyzer read --help'."),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line(captures, arguments, said):
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    # Older versions of click write "no such option: --nonsense".
    assert result.stderr.replace("option: --nonsense", "option '--nonsense'") == f"analyzer: {said}\n"


@pytest.mark.parametrize(
    "text",
    [
        "CLIENT_RANDOM " + 32 * "a0" + " " + 48 * "0F" + "\n",
        "# comment\r\n\r\nSERVER_TRAFFIC_SECRET_0 00ff 11\r\n",
        "Bag Attributes\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n",
    ],
)
def test_keys_reach_the_pipeline(captures, text):
    Path("keys").write_text(text, newline="")
    Path("ca.pem").touch()
    result = run("read", "--keys", "keys", "--keys", "keys", "--ca", "ca.pem", "web.pcap", env={"SSLKEYLOGFILE": ""})
    assert (result.exit_code, result.stderr) == (0, "")
    (options,) = captures.asked
    assert (options.keys, options.authorities) == (("keys", "keys"), "ca.pem")


def test_the_key_log_that_the_environment_names_is_used_where_it_exists(captures):
    Path("keys.log").touch()
    run("read", "web.pcap", env={"SSLKEYLOGFILE": "keys.log"})
    run("read", "web.pcap", env={"SSLKEYLOGFILE": "missing.log"})
    assert [options.keys for options in captures.asked] == [("keys.log",), ()]


@pytest.mark.parametrize("more", [["--headers", "-v"], ["--keys", "keys"], ["--ca", "keys"], ["--filter", "tls=none"]])
def test_what_needs_more_than_tcp(captures, more):
    Path("keys").write_text("CLIENT_RANDOM " + 32 * "a0" + " " + 48 * "0F" + "\n")
    result = run("read", "--tcp-only", *more, "web.pcap")
    assert result.exit_code == 2
    assert "--tcp-only does not look into connections" in result.stderr


@pytest.mark.parametrize("content", [b"", b"hello\n", b"CLIENT_RANDOM 00ff\n", b"\xd4\xc3\xb2\xa1" + bytes(9999)])
def test_files_without_keys_are_refused(captures, content):
    Path("keys").write_bytes(content)
    result = run("read", "--keys", "keys", "web.pcap")
    assert result.exit_code == 2
    assert result.stderr.startswith("analyzer: --keys keys: no keys in it: ")


def test_a_file_is_written_whole(captures, tmp_path):
    result = run("read", "-o", "out.jsonl", "--format", "jsonl", "web.pcap")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "analyzer: 6 connections written to out.jsonl\n"
    assert len(Path("out.jsonl").read_text().splitlines()) == 6
    umask = os.umask(0)
    os.umask(umask)
    assert Path("out.jsonl").stat().st_mode & 0o777 == 0o666 & ~umask


def test_or_not_at_all(captures, tmp_path):
    Path("out.txt").write_text("before")
    for failure in (KeyboardInterrupt(), UsageError("stop")):
        captures["web.pcap"] = Analysis([connection(), failure])
        assert run("read", "-o", "out.txt", "web.pcap").exit_code in (2, 130)
        assert Path("out.txt").read_text() == "before"
    assert os.listdir() == ["out.txt"]


def test_the_capture_itself_is_not_overwritten(captures):
    Path("web.pcap").write_bytes(b"precious")
    assert run("read", "-o", "./web.pcap", "web.pcap").exit_code == 2
    assert Path("web.pcap").read_bytes() == b"precious"


def test_interrupted(captures):
    captures["web.pcap"] = Analysis([connection(), KeyboardInterrupt(), refused()])
    result = run("read", "web.pcap")
    assert result.exit_code == 130
    assert "10.0.0.1:50112" in result.stdout
    assert "1 of 2 connections: " in result.stdout
    assert "interrupted" in result.stderr
    assert captures.analyses["web.pcap"].closed


@pytest.mark.parametrize(
    ("when", "coloured"), [(["--color", "always"], True), (["--color", "never"], False), ([], False)]
)
def test_color(captures, when, coloured):
    result = run("read", *when, "web.pcap", color=True)
    assert ("\x1b[" in result.stdout) is coloured


def test_a_terminal_that_is_not_utf8_gets_ascii(captures, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    from analyzer.commands.terminal import open_output

    with open_output(None) as output:
        output.text("✓ 10.0.0.1 → 10.0.0.2 ──▶ 東\n")
    assert raw.getvalue() == b"+ 10.0.0.1 > 10.0.0.2 --> ?\n"


def test_schema(captures):
    assert json.loads(run("schema").stdout)["$defs"]["Connection"]["properties"]["type"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(captures, shell):
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_ANALYZER_COMPLETE" in result.stdout


@pytest.mark.parametrize("command", [[], ["read"], ["flows"], ["flows", "show"], ["schema"], ["completion"]])
def test_every_command_has_help_with_examples(captures, command):
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_the_filters_in_the_help_are_right(captures):
    shown = run("read", "--help").stdout.partition("(kB MB GB).")[2].partition("Exit codes:")[0]
    shown, _, fields = shown.partition("The fields:")
    assert tuple(fields.replace(",", " ").split()) == FIELDS
    expressions = re.findall(r"^ +(\w.*=.*|\w.*[<>].*)$", shown, re.MULTILINE)
    assert len(expressions) >= 4
    for line in expressions:
        parse_filter(line)(diverged())


def test_the_model_is_what_the_builders_build():
    assert all(isinstance(one, Connection) for one in showcase())


def test_the_fake_pipeline_is_like_the_real_one():
    from analyzer.reporter.outputs import summary

    real = set(analyzer.pipeline.Options.__struct_fields__)
    assert {field.name for field in dataclasses.fields(builders.Options)} == real
    assert set(summary.Totals.__annotations__) <= set(analyzer.pipeline.Totals.__struct_fields__)
