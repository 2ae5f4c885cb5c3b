"""The pytest plug-in, in projects of its own: what is collected, what tests get, and what a failure tells."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import analyzer
from analyzer import pytest_plugin
from analyzer.capture import recorder
from analyzer.capture.recorder import recording
from analyzer.commands.checking import EXPECTATIONS
from analyzer.errors import LiveError
from tests.cases import PYTHONPATH, ROOT, capture_of
from tests.dissector.authority import issue
from tests.refresh_docs import blocks, fits

pytest_plugins = "pytester"

RESET = capture_of("tcp/reset-server")
FITS = "connections: [{close: {flow: tcp-close/reset}}]"
FAILS = "connections:\n  - close: {flow: tcp-close/four-way}\n"


@pytest.fixture
def project(pytester, monkeypatch, request):
    """A project with this plug-in: `files` by name, and how its tests ran. Captures are named as in captures/."""
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    monkeypatch.setenv("COLUMNS", "120")
    # Where analyzer is installed, pytest finds the plug-in by itself.
    installed = request.config.pluginmanager.hasplugin("analyzer")

    def run(*options, **files):
        for name, text in files.items():
            path = pytester.path / name.replace("__", "/").replace("_py", ".py").replace("_yaml", ".yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        named = () if installed else ("-p", "analyzer.pytest_plugin")
        return pytester.runpytest(*named, "-p", "no:cacheprovider", *options)

    def add(case, to):
        target = pytester.path / to
        target.mkdir(parents=True, exist_ok=True)
        for path in [capture_of(case), capture_of(case).parent / "keys.log"]:
            if path.exists():
                shutil.copy(path, target)

    run.add = add
    return run


# What is collected.


def test_expectations_beside_a_capture_are_a_test(project):
    project.add("tcp/reset-server", "traffic/good")
    project.add("tcp/reset-server", "traffic/bad")
    done = project(traffic__good__expect_yaml=FITS, traffic__bad__expect_yaml=FAILS)
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines([
        "*traffic/bad/capture.pcapng: 1 difference from traffic/bad/expect.yaml",
        "*field * expected * seen * packets",
        "*connections[[]0[]].close.flow  tcp-close/four-way  tcp-close/reset  8 (#0)",
        "FAILED traffic/bad/expect.yaml::check*",
    ])  # fmt: skip
    assert "Traceback" not in done.stdout.str()


def test_keys_beside_the_capture_are_used(project):
    project.add("tls/1.3-full", "traffic")
    done = project(traffic__expect_yaml="connections: [{tls: {decrypted: true}}]")
    done.assert_outcomes(passed=1)


def test_somebody_elses_files_of_that_name_are_left_alone(project):
    """A capture beside it, or the project's settings, tell that a file is ours."""
    foreign = "- step: {expect: 200}\n"
    done = project(other__expect_yaml=foreign, test_one_py="def test_one():\n    pass\n")
    done.assert_outcomes(passed=1)
    done = project("-o", "analyzer_captures=other", other__expect_yaml=foreign)
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*expect.yaml:1: the file holds no expectations*"])


def test_a_capture_that_was_not_recorded_fails_where_the_settings_name_the_folder(project):
    done = project("-o", "analyzer_captures=traffic", traffic__login__expect_yaml=FITS)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*traffic/login: there is no capture beside expect.yaml*"])


def test_expectations_that_cannot_be_used_fail_in_one_line(project):
    project.add("tcp/reset-server", "traffic")
    done = project(traffic__expect_yaml="connections: [{close: {flwo: a}}]")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        ["traffic/expect.yaml:1: connections[[]0[]].close has no field 'flwo'; did you mean flow?*"]
    )


def test_a_setting_that_there_is_not_is_refused(project):
    done = project("-o", "analyzer_live=maybe")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*analyzer_live is skip or require, not maybe"])


def test_the_name_of_the_file_is_that_of_check():
    assert pytest_plugin._EXPECTATIONS == EXPECTATIONS


def test_other_test_runs_load_next_to_nothing(tmp_path):
    heavy = "{'numpy', 'yaml', 'msgspec', 'analyzer.model'}"
    (tmp_path / "test_one.py").write_text(f"import sys\n\ndef test_one():\n    assert not {heavy} & sys.modules.keys()")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "analyzer.pytest_plugin", "-p", "no:cacheprovider"]
    environment = os.environ | {"PYTHONPATH": PYTHONPATH, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# What tests get.


def test_connections_of_a_capture(project):
    project.add("compare/http2", "data")
    done = project(
        test_web_py="""
import analyzer
import pytest

def test_all_of_them(capture):
    web = capture("data/capture.pcapng")
    assert isinstance(web, analyzer.Connections)
    assert [connection.id for connection in web] == [0, 1]
    assert web.totals.connections == 2 and web.warnings == ()
    assert web[-1] is web[1] and web[:1].only() is web[0]

def test_decrypted_with_the_keys_beside_it_unless_told_otherwise(capture):
    assert capture("data/capture.pcapng").where("decrypted=yes")
    assert not capture("data/capture.pcapng", keys=()).where("decrypted=yes")

def test_read_once(capture):
    assert capture("data/capture.pcapng") is capture("./data/../data/capture.pcapng")

def test_and_again_when_it_has_changed(capture, tmp_path):
    file = tmp_path / "a.pcap"
    for case in "ab":
        file.write_bytes(open("data/capture.pcapng", "rb").read() * (1 + (case == "b")))
        assert capture(file).totals.packets

def test_errors_are_errors(capture):
    with pytest.raises(analyzer.UsageError):
        capture("data/capture.pcapng").where("nonsense=1")
    with pytest.raises(LookupError, match="one connection with server.port=1 was asked for; there are <0 connections"):
        capture("data/capture.pcapng").only("server.port=1")
"""
    )
    done.assert_outcomes(passed=5)


def test_paths_start_at_the_file_of_the_test(project):
    project.add("tcp/reset-server", "deep/data")
    done = project(deep__test_one_py="def test_one(capture):\n    capture('data/capture.pcapng').only()\n")
    done.assert_outcomes(passed=1)


def test_with_xdist(project):
    pytest.importorskip("xdist")
    for name in "abcd":
        project.add("tcp/reset-server", f"traffic/{name}")
        project(**{f"traffic__{name}__expect_yaml": FAILS if name == "c" else FITS})
    done = project("-n", "2", test_one_py=EXPLAINED)
    done.assert_outcomes(passed=3, failed=4)
    done.stdout.fnmatch_lines(["*closed by the server", "*- what was captured -*"])
    reports, _, _ = done.stdout.str().partition("short test summary")  # which repeats them whole in CI
    assert reports.count("tcp-close/four-way  tcp-close/reset  8 (#0)") == 1


# What a failure tells.

EXPLAINED = """
def test_chain(capture):
    connection = capture("traffic/a/capture.pcapng")[0]
    assert connection.close.flow == "tcp-close/four-way"

def test_verdict_alone(capture):
    verdict = capture("traffic/a/capture.pcapng").only().close
    assert verdict.outcome == "documented", "it must"

def test_how_many(capture):
    connections = capture("traffic/a/capture.pcapng")
    assert len(connections) == 2
"""


def sections(done):
    """What was captured, for each failure."""
    found = re.split(r"\n-+ what was captured -+\n", done.stdout.str())[1:]
    return [re.split(r"\n(?:_{3,}|={3,}) ", one)[0].rstrip().splitlines() for one in found]


def test_a_failed_assertion_shows_its_evidence(project):
    project.add("tcp/reset-server", "traffic/a")
    done = project(test_one_py=EXPLAINED)
    done.assert_outcomes(failed=3)
    chain, verdict, many = sections(done)
    assert chain[0].startswith("traffic/a/capture.pcapng #0  10.0.0.1:")
    assert [line.split()[0] for line in chain[-4:]] == ["close", "closed", "8", "more:"] or chain[-2].split()[0] == "8"
    assert "RST" in chain[-2]
    assert chain[-1] == "more: analyzer read -v --filter id=0 traffic/a/capture.pcapng"
    assert verdict[0].split()[:3] == ["tcp-close", "~", "tcp-close/reset"]
    assert many[0] == "traffic/a/capture.pcapng:"
    assert "✓ three-way-handshake" in many[-1]


def test_a_divergence_is_explained(project):
    """A flow that is None could tell nothing by itself."""
    project.add("tcp/syn-then-reset", "traffic/b")
    done = project(
        test_one_py="""
def test_one(capture):
    connection = capture("traffic/b/capture.pcapng")[0]
    assert connection.open.flow is not None
"""
    )
    (told,) = sections(done)
    assert any("which no flow allows here" in line for line in told)
    assert any(line.strip().startswith("nearest: tcp-open/") for line in told)


def test_what_else_an_assertion_may_be_about(project):
    project.add("compare/http2", "data")
    done = project(
        test_one_py="""
def test_connection(capture):
    connection = capture("data/capture.pcapng")[1]
    assert connection.tls is None

def test_exchange(capture):
    assert capture("data/capture.pcapng")[0].http.exchanges[0].response.status == 404

def helper(one):
    assert not one.http.exchanges

def test_in_a_helper(capture):
    helper(capture("data/capture.pcapng")[0])

def test_none_of_them(capture):
    capture("data/capture.pcapng").only("server.port=1")

def test_nothing_of_ours(capture):
    capture("data/capture.pcapng")
    assert 1 == 2

def test_missing(capture):
    capture("missing.pcap")
"""
    )
    done.assert_outcomes(failed=6)
    connection, exchange, helped, none = sections(done)
    assert any(line.strip().startswith("tls") for line in connection)
    assert "→ 200" in exchange[0] + exchange[3]
    assert len(helped) == 82
    assert helped[-2].endswith("more lines")
    assert none[0] == "data/capture.pcapng:"
    assert "InputError" not in done.stdout.str()
    done.stdout.fnmatch_lines(["*Failed: missing.pcap: no such file*"])


def test_what_is_hostile_is_escaped(project):
    done = project(
        test_one_py="""
import analyzer, io
from tests.conversations import HANDSHAKE, Conversation, capture_of

def test_one(tmp_path, capture):
    data = {"ask": b"GET /\\x1b[31m HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n"}
    (tmp_path / "evil.pcap").write_bytes(capture_of(Conversation(data=data).say(*HANDSHAKE, "C DATA ask")))
    connection = capture(tmp_path / "evil.pcap").only()
    assert connection.http is None
"""
    )
    assert "what was captured" in done.stdout.str()
    assert "\x1b[31m HTTP" not in done.stdout.str()
    assert "\x1b" not in "".join(sections(done)[0])


def test_junit_has_the_evidence(project, pytester):
    project.add("tcp/reset-server", "traffic/a")
    project("--junitxml=out.xml", test_one_py=EXPLAINED, traffic__a__expect_yaml=FAILS)
    failures = [one.text for one in ET.parse(pytester.path / "out.xml").iter("failure")]
    assert len(failures) == 4
    assert sum("more: analyzer read -v" in text for text in failures) == 1
    assert sum("tcp-close/four-way  tcp-close/reset" in text for text in failures) == 1


# Live.

LIVE = """
import socket
import pytest

def talk(traffic=None):
    with socket.create_connection(talk.to) as client:
        client.sendall(b"GET /live HTTP/1.0\\r\\n\\r\\n")
        with talk.server.accept()[0] as peer:
            peer.recv(100)
            peer.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")

@pytest.fixture(autouse=True)
def server():
    with socket.create_server(("127.0.0.1", 0)) as talk.server:
        talk.to = talk.server.getsockname()
        yield

def test_live(live_capture):
    with live_capture(f"tcp port {talk.to[1]}") as traffic:
        talk()
        with pytest.raises(RuntimeError, match="after the with block"):
            traffic.connections
    connection = traffic.connections.only()
    assert connection.open.flow == "tcp-open/three-way-handshake"
    assert connection.http.exchanges[0].request.target == "/live"
    assert connection.close.outcome in ("documented", "variant")

def test_twice(live_capture):
    for number in (1, 2):
        with live_capture(f"tcp port {talk.to[1]}") as traffic:
            for _ in range(number):
                talk()
        assert len(traffic.connections) == number

def test_what_fails_inside_is_not_hidden(live_capture):
    with pytest.raises(ZeroDivisionError), live_capture("tcp port 9"):
        1 / 0
"""


@pytest.fixture
def permitted(tmp_path):
    try:
        with recording(str(tmp_path / "tried.pcap"), "lo", "tcp port 9", settle_s=0):
            pass
    except LiveError as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("permitted")
def test_live_traffic(project):
    project("-o", "analyzer_live=require", test_live_py=LIVE).assert_outcomes(passed=3)


TLS = """
import socket, ssl, threading
import analyzer

def test_tls(live_capture, tmp_path):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain("cert.pem")
    client = ssl.create_default_context(cafile="cert.pem")

    def serve(listening):
        with listening.accept()[0] as raw, server.wrap_socket(raw, server_side=True) as peer:
            peer.recv(100)
            peer.sendall(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")

    listening = socket.create_server(("127.0.0.1", 0))
    with listening, live_capture(f"tcp port {listening.getsockname()[1]}") as traffic:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        with socket.create_connection(listening.getsockname()) as raw:
            context = ssl.create_default_context(cafile="cert.pem")  # reads SSLKEYLOGFILE
            with context.wrap_socket(raw, server_hostname="localhost") as one:
                one.sendall(b"GET / HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
                one.recv(100)
        thread.join()
    assert traffic.connections.only().http.exchanges[0].response.status == 204
"""


@pytest.mark.usefixtures("permitted")
def test_a_machine_too_busy_to_run_it_for_a_moment_loses_nothing(tmp_path, monkeypatch):
    processes = []
    started = recorder._started
    monkeypatch.setattr(recorder, "_started", lambda *args: processes.append(started(*args)) or processes[-1])
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with recording(str(tmp_path / "busy.pcap"), "lo", f"tcp port {address[1]}"):
            processes[0].send_signal(signal.SIGSTOP)
            for _ in range(12):
                with socket.create_connection(address), server.accept()[0]:
                    pass
            threading.Timer(0.5, processes[0].send_signal, [signal.SIGCONT]).start()
    assert len(analyzer.read(str(tmp_path / "busy.pcap"))) == 12


@pytest.mark.usefixtures("permitted")
def test_live_tls_is_decrypted(project, pytester):
    made = issue("localhost", names=["localhost"], ca=True, end=dt.datetime(2099, 1, 1, tzinfo=dt.UTC))
    key = made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (pytester.path / "cert.pem").write_bytes(key + made.pem)
    project("-o", "analyzer_live=require", test_tls_py=TLS).assert_outcomes(passed=1)


def test_where_nobody_may_capture(project, tmp_path, monkeypatch):
    for name in ("tcpdump", "dumpcap"):
        refuser = tmp_path / "bin" / name
        refuser.parent.mkdir(exist_ok=True)
        refuser.write_text("#!/bin/sh\necho 'You do not have permission to capture on that device' >&2\nexit 1\n")
        refuser.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    done = project("-rs", test_live_py=LIVE)
    done.assert_outcomes(skipped=3)
    done.stdout.fnmatch_lines(["SKIPPED*cannot capture on lo: dumpcap: You do not have permission*tcpdump: You do*"])
    done = project("-o", "analyzer_live=require", "-k", "twice")
    done.assert_outcomes(failed=1)


# Documented.

PAGE = ROOT / "docs" / "pytest.md"
SERVER = """
import types, http.client, http.server, threading
import pytest

@pytest.fixture
def server():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(302)
            self.end_headers()

    def log_in():
        client = http.client.HTTPConnection(*running.server_address)
        client.request("GET", "/login")
        client.getresponse().read()
        client.close()

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield types.SimpleNamespace(port=running.server_port, log_in=log_in)
        running.shutdown()
"""


def documented(language):
    return ["\n".join(block.lines) for block in blocks(PAGE) if block.language == language]


def test_what_the_page_shows_is_what_happens(project, pytester, monkeypatch):
    shutil.copy(capture_of("tcp/web-page"), pytester.path / "login.pcapng")
    first, _ = documented("py")
    monkeypatch.setenv("COLUMNS", "80")
    done = project(test_documented_py=first)
    begin, end = (done.stdout.lines.index(line) for line in ("    def test_login(capture):", MORE))
    (shown,) = documented("text")
    assert fits(shown.splitlines(), done.stdout.lines[begin : end + 1])


MORE = "more: analyzer read -v --filter id=4 login.pcapng"


@pytest.mark.usefixtures("permitted")
def test_the_live_test_of_the_page_passes(project):
    _, second = documented("py")
    project("-o", "analyzer_live=require", test_live_py=second, conftest_py=SERVER).assert_outcomes(passed=1)


def test_the_settings_of_the_page_are_those_there_are(project):
    (settings,) = documented("toml")
    done = project(
        "--help",
    )
    for name in ("analyzer_captures", "analyzer_live"):
        assert name in settings
        done.stdout.fnmatch_lines([f"  {name} (*"])
