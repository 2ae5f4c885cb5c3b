"""`analyzer check --flows` and `analyzer draw`, as somebody uses them with pages of their own."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
from click.testing import CliRunner

from analyzer.cli import program
from tests.cases import CAPTURES, ROOT, capture_of
from tests.conversations import HANDSHAKE, Conversation
from tests.conversations import capture_of as capture

PAGES = ROOT / "docs" / "own-flows" / "flows"
LOGIN, BROKEN = capture_of("flows/login"), capture_of("flows/login-no-cookie")
ASKED = "Client->>Server: HTTP Request\nServer->>Client: HTTP Response [status=2xx]"


def run(*words: object, **options):
    return CliRunner().invoke(program, [str(word) for word in words], prog_name="analyzer", **options)


@pytest.fixture
def page(tmp_path):
    """Writes a page into `flows/`, and returns that folder."""

    def write(identifier, diagram, front=""):
        scope, name = identifier.split("/")
        path = tmp_path / "flows" / scope / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        head = f"---\nid: {identifier}\nscope: {scope}\ntitle: {name}\n{front}---\n"
        path.write_text(f"{head}\n```mermaid\nsequenceDiagram\n{diagram}\n```\n", encoding="utf-8")
        return tmp_path / "flows"

    return write


def outcomes(*words):
    """Of each page in the JSON: its outcome, its followers, and who departs."""
    done = run("check", "--format", "json", "--flows", *words)
    assert done.exit_code in (0, 1), done.stderr
    (one,) = json.loads(done.stdout)["captures"]
    assert (done.exit_code == 0) == (one["outcome"] == "passed")
    return {
        held["flow"]: (held["outcome"], held["followed_by"], [departed["connections"] for departed in held["departed"]])
        for held in one["pages"]
    }


def departures(*words):
    done = run("check", "--format", "json", "--flows", *words)
    (one,) = json.loads(done.stdout)["captures"]
    return [departed for held in one["pages"] for departed in held["departed"]]


# The tour


def test_the_good_run_follows_the_page():
    done = run("check", "--flows", PAGES, LOGIN)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "✓ conversation/login" in done.stdout


def test_the_broken_service_is_told_with_the_page_s_line_and_the_packet():
    (departed,) = departures(PAGES, BROKEN)
    assert departed["packet"] == 6
    assert departed["seen"] == "server HTTP Response [status=302 header.location=/account no header.set-cookie]"
    text = (PAGES / "conversation" / "login.md").read_text().split("\n")
    assert departed["expected"].removeprefix("server ") in text[departed["line"] - 1]


def test_the_page_in_the_tour_is_the_page():
    text = (PAGES / "conversation" / "login.md").read_text()
    assert text in (ROOT / "docs" / "own-flows.md").read_text()


def test_what_was_drawn_can_be_checked(tmp_path):
    (tmp_path / "conversation").mkdir()
    drawn = run("draw", "--as-flow", "-o", tmp_path / "conversation" / "mine.md", LOGIN)
    assert (drawn.exit_code, drawn.stdout, drawn.stderr) == (0, "", "")
    assert outcomes(tmp_path, LOGIN) == {"conversation/mine": ("followed", [[0, 1]], [])}
    assert outcomes(tmp_path, BROKEN) == {"conversation/mine": ("failed", [], [[0, 1]])}


# Who must follow what


def test_one_of_the_pages_of_a_scope_is_enough_unless_one_is_required(page):
    page("connection/post", "Client->>Server: HTTP Request [method=POST]\nServer->>Client: HTTP Response")
    folder = page("connection/get", "Client->>Server: HTTP Request [method=GET]\nServer->>Client: HTTP Response")
    assert outcomes(folder, LOGIN) == {
        "connection/get": ("followed", [[1]], []),
        "connection/post": ("followed", [[0]], []),
    }
    page("connection/get", ASKED.replace("Request", "Request [method=GET]"), "required: true\n")
    assert outcomes(folder, LOGIN)["connection/get"] == ("failed", [[1]], [[0]])


def test_where_says_which_connections_a_page_is_about(page):
    folder = page(
        "connection/get", "Client->>Server: HTTP Request\nServer->>Client: HTTP Response", "where: status=200\n"
    )
    assert outcomes(folder, LOGIN) == {"connection/get": ("followed", [[1]], [])}
    page("connection/get", "Client->>Server: HTTP Request [method=PUT]", "where: id=1\n")
    assert outcomes(folder, LOGIN) == {"connection/get": ("failed", [], [[1]])}


@pytest.mark.parametrize(
    ("times", "passes"), [("2", True), ('">=2"', True), ("1..3", True), ('">2"', False), ("0", False)]
)
def test_times(page, times, passes):
    diagram = "Client->>Server: HTTP Request\nServer->>Client: HTTP Response"
    folder = page("connection/any", diagram, f"times: {times}\n")
    assert (run("check", "--flows", folder, LOGIN).exit_code == 0) is passes


def test_a_capture_that_no_page_is_about_fails(page):
    folder = page("connection/tls", "Note over Client,Server: ref tls")
    done = run("check", "--flows", folder, LOGIN)
    assert (done.exit_code, "nothing in this capture is about any of the pages" in done.stdout) == (1, True)


def test_noise_can_be_ignored(page):
    diagram = "Client->>Server: HTTP Request [target=/login]\nServer->>Client: HTTP Response"
    assert outcomes(page("conversation/a", diagram), LOGIN)["conversation/a"][0] == "failed"
    ignores = "ignores: HTTP Request [target=/acc*], HTTP Response [target=/acc*]\n"
    assert outcomes(page("conversation/a", diagram, ignores), LOGIN)["conversation/a"][0] == "followed"


def test_a_conversation_knows_its_connections(page):
    diagram = """Client->>Server: HTTP Request [connection={} port=8080]
        Server->>Client: HTTP Response
        Client->>Server: HTTP Request [connection>1]
        Server->>Client: HTTP Response"""
    assert outcomes(page("conversation/a", diagram.format(1)), LOGIN)["conversation/a"][0] == "followed"
    assert outcomes(page("conversation/a", diagram.format(2)), LOGIN)["conversation/a"][0] == "failed"


def test_conversations_are_told_apart_by_addresses(page, tmp_path):
    data = {"ask": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "answer": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}
    talks = [
        Conversation(client=f"10.0.0.{end}", client_port=port, data=data).say(
            *HANDSHAKE, "C DATA ask", "S DATA answer", "C FIN", "S FIN", "C ACK"
        )
        for end, port in ((1, 4001), (1, 4002), (3, 4003))
    ]
    path = tmp_path / "three.pcap"
    path.write_bytes(capture(*talks))
    assert outcomes(page("conversation/a", f"{ASKED}\n{ASKED}", "either_side: false\n"), path)["conversation/a"] == (
        "failed", [], [[0, 1], [2]],
    )  # fmt: skip
    many = f"loop\npar\n{ASKED}\nand\nopt\n{ASKED}\nend\nend\nend"
    assert outcomes(page("conversation/a", many), path)["conversation/a"] == ("followed", [[0, 1], [2]], [])


@pytest.mark.parametrize(("tests", "outcome"), [("alpn=h2", "unseen"), ("sni=other.test alpn=h2", "diverged")])
def test_a_field_that_encryption_hides_is_no_divergence(page, tests, outcome):
    folder = page("connection/a", f"Note over Client,Server: ref tls [{tests}]")
    (departed,) = departures(folder, CAPTURES / "tls" / "no-keys")
    assert departed["outcome"] == outcome, departed
    assert (departed["cause"] == "no-keys") == (outcome == "unseen")


def test_a_capture_from_the_middle_is_followed_by_nobody(page):
    folder = page("connection/a", f"loop\n{ASKED}\nend")
    (departed,) = departures(folder, CAPTURES / "http1" / "mid-stream")
    assert (departed["outcome"], departed["cause"]) == ("unseen", "mid-stream")


def test_http1_and_http2_are_one_to_a_page(page):
    folder = page("connection/a", f"loop\npar\n{ASKED}\nand\nopt\n{ASKED}\nend\nend\nend")
    for case in ("http1", "http2"):
        (found,) = outcomes(folder, capture_of(f"{case}/post")).values()
        assert found[0] == "followed", departures(folder, capture_of(f"{case}/post"))


# Pages of scopes that have built-in ones


def test_only_the_users_pages_of_a_scope_are_known(page):
    folder = page("tcp-close/ours", "Client->>Server: FIN\nServer->>Client: FIN-ACK\nClient->>Server: ACK")
    assert outcomes(folder, CAPTURES / "http1" / "post")["tcp-close/ours"] == ("followed", [[0]], [])
    assert outcomes(folder, CAPTURES / "tcp" / "four-way-client")["tcp-close/ours"] == ("failed", [], [[0]])
    assert outcomes(folder, CAPTURES / "tcp" / "reset-server")["tcp-close/ours"] == ("failed", [], [[0]])


def test_what_it_does_not_name_must_be_consumed_all_the_same(page):
    folder = page("tls/ours", "Client->>Server: ClientHello\nServer->>Client: ServerHello")
    (departed,) = departures(folder, CAPTURES / "tls" / "1.2-ecdhe")
    assert (departed["outcome"], departed["expected"]) == ("diverged", "nothing more")
    assert departed["seen"] == "server Certificate: as a whole it is tls/1.2-ecdhe"


def test_a_beginning_is_not_the_flow(page):
    folder = page("http1/ours", ASKED)
    assert outcomes(folder, CAPTURES / "http1" / "single-exchange")["http1/ours"][0] == "followed"
    (departed,) = departures(folder, CAPTURES / "http1" / "post")
    assert departed["expected"] == "nothing more"
    assert departed["seen"].endswith("as a whole it is http1/keep-alive")


def test_the_fields_that_were_tested_are_shown(page):
    folder = page("tls/ours", 'Client->>Server: ClientHello [sni=*.example.net version="TLS 1.2"]')
    (departed,) = departures(folder, CAPTURES / "tls" / "1.3-full")
    assert departed["expected"] == "client ClientHello [sni=*.example.net version=TLS 1.2]"
    assert departed["seen"] == "client ClientHello [sni=example.test version=TLS 1.3]"
    assert departed["line"] == 9


def test_every_stream_must_follow(page):
    diagram = """par
        Client->>Server: HEADERS [target=*], END_STREAM
        and
        Server->>Client: HEADERS [status={}]
        loop
            Server->>Client: DATA
        end
        Server->>Client: END_STREAM
        end"""
    folder = page("http2-stream/ours", diagram.format("2xx|404"))
    found = outcomes(folder, CAPTURES / "http2" / "parallel")
    assert found["http2-stream/ours"][0] == "followed", departures(folder, CAPTURES / "http2" / "parallel")
    folder = page("http2-stream/ours", diagram.format("300..399"))
    assert outcomes(folder, CAPTURES / "http2" / "parallel")["http2-stream/ours"][1:] == ([], [[0]])


def test_a_whole_life(page):
    refs = "\n".join(f"Note over Client,Server: ref {scope}" for scope in ("tcp-open", "tls", "http1", "tcp-close"))
    folder = page("lifecycle/ours", refs)
    assert outcomes(folder, CAPTURES / "tls" / "1.3-full")["lifecycle/ours"][0] == "followed"
    assert outcomes(folder, LOGIN)["lifecycle/ours"] == ("failed", [], [[0], [1]])


# Outputs


def test_junit():
    done = run("check", "--format", "junit", "--flows", PAGES, LOGIN, BROKEN)
    suite = ET.fromstring(done.stdout).find("testsuite")
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    (failed,) = (case for case in suite if case.find("failure") is not None)
    assert "look at packet 6 of connection #0" in failed.find("failure").text


def test_annotations_stand_at_the_pages_line():
    line = run("check", "--format", "github", "--flows", PAGES, BROKEN).stdout.splitlines()[0]
    assert line.startswith(f"::error file={PAGES}/conversation/login.md,line=17,")


def test_secrets_are_not_printed(page):
    diagram = ASKED.replace("HTTP Request", "HTTP Request [header.cookie=nobody]")
    departed = departures(page("connection/a", diagram, "where: id=1\n"), LOGIN)[0]
    assert departed["seen"] == "client HTTP Request [header.cookie=(not shown)]"


def test_exit_codes(page, tmp_path):
    folder = page("connection/a", ASKED)
    assert run("check", "--flows", folder, tmp_path / "none.pcap").exit_code == 3
    (tmp_path / "text").write_text("no capture")
    done = run("check", "--flows", folder, tmp_path / "text")
    assert (done.exit_code, "1 unreadable" in done.stdout) == (3, True)
    assert run("check", "--flows", folder, "-").exit_code == 2
    assert run("check", "--keys", capture_of("tls/1.3-full").parent / "keys.log", CAPTURES / "tls").exit_code == 2
    assert run("check", "--flows", tmp_path / "nowhere", LOGIN).exit_code == 2


# Mistakes in a page


@pytest.mark.parametrize(
    ("diagram", "front", "line", "reason"),
    [
        ("Client->>Server: HTTP Reqest", "", 9, "unknown step `HTTP Reqest`: did you mean `HTTP Request`?"),
        ("Client->>Server: HTTP Request [methd=GET]", "", 9, "unknown attribute `methd`"),
        ("Server->>Client: HTTP Response [status=2x-]", "", 9, "is not a whole number, nor a range"),
        ("Note over Client,Server: ref tls/1.3-fulll", "", 9, "did you mean `tls/1.3-full`?"),
        (ASKED, "where: server.prt=80\n", 5, "`where` cannot be used: filter 'server.prt=80': there is no field"),
        (ASKED, "times: many\n", 5, "`times` is a number such as 1, >=1 or 1..3, not `many`"),
        (ASKED, "wher: id=0\n", 5, "unknown key `wher`"),
    ],
)
def test_mistakes_are_told_with_file_and_line(page, diagram, front, line, reason):
    folder = page("connection/a", diagram, front)
    done = run("check", "--flows", folder, LOGIN)
    assert done.exit_code == 2
    assert f"{folder}/connection/a.md:{line}: " in done.stderr
    assert reason in done.stderr


def test_too_many_tests_are_refused_before_the_capture_is_read(page):
    alternatives = "\n".join(f"opt\nClient->>Server: HTTP Request [target=*{one}*]\nend" for one in range(9))
    done = run("check", "--flows", page("http1/a", f"{alternatives}\nServer->>Client: HTTP Response"), LOGIN)
    assert (done.exit_code, "too many different attribute tests on `HTTP Request`" in done.stderr) == (2, True)


def test_read_says_what_it_does_not_use(page):
    folder = page("connection/a", ASKED)
    done = run("read", "--quiet", "--flows", folder, LOGIN)
    assert (done.exit_code, "not used" in done.stderr, "connection/a" in done.stderr) == (0, True, True)
    assert "connection/a" in run("flows", "--flows", folder, "--scope", "connection").stdout


# draw


def test_draw_needs_one_client_and_one_server():
    done = run("draw", CAPTURES / "tcp" / "icmp-unreachable" / "none.pcap")
    assert done.exit_code == 3
    done = run("draw", "--connection", 7, LOGIN)
    assert (done.exit_code, "there is no connection 7 like that" in done.stderr) == (2, True)
    done = run("draw", "--filter", "id=0", "--connection", 1, LOGIN)
    assert done.exit_code == 2


def test_draw_tells_which_other_connections_count(tmp_path):
    data = {"ask": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "answer": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}
    talks = [
        Conversation(client_port=port, data=data).say(*HANDSHAKE, "C DATA ask", "S DATA answer") for port in (1, 2, 3)
    ]
    path = tmp_path / "three.pcap"
    path.write_bytes(capture(*talks))
    done = run("draw", "--as-flow", "--connection", 0, "--connection", 2, path)
    assert (done.exit_code, "to the same port: 1" in done.stderr) == (0, True)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--id", "connection/x"], "add --as-flow"),
        (["--as-flow", "--connection", "0", "--id", "connection/My"], "the id of a page of this scope"),
        (["--as-flow", "--connection", "0", "-o", "conversation/x.md"], "write it to a folder of that name"),
    ],
)
def test_draw_used_wrongly(words, reason):
    done = run("draw", *words, LOGIN)
    assert (done.exit_code, reason in done.stderr) == (2, True), done.stderr
