"""Markdown and Mermaid: what is in a report, what is left out, and that nothing from a capture is taken for markup."""

from __future__ import annotations

import re

import msgspec
import pytest

from analyzer import model
from analyzer.reporter.outputs import markdown, mermaid
from analyzer.reporter.outputs.markdown import Markdown
from analyzer.reporter.outputs.mermaid import Mermaid, drawn
from tests.cases import CASES, capture_of, keys_of, report_of
from tests.reporter.builders import connection, diverged, exchange, http, refused, showcase, tls, web_showcase

# A message or a note as Mermaid's grammar has them: what follows the colon may have neither `;` nor a bare `#`.
LINE = re.compile(
    r"sequenceDiagram|    participant (?:Client|Server) as (?:[^;#<>&]|#\d+;)+|"
    r"    (?:Client->>Server|Server->>Client|Note over Client,Server): (?:[^;#<>&]|#\d+;)+"
)
HOSTILE = "\x1b[2J</td>|`x`;end\nparticipant Z<script>alert(1)</script>[a](javascript:b)\u202e``` %%{init}%%"


def written(kind, *connections, **given) -> str:
    pieces: list[str] = []
    report = kind(pieces.append, **given)
    for one in connections:
        report.add(one)
    report.finish()
    return "".join(pieces)


@pytest.mark.parametrize("case", CASES)
def test_every_connection_is_drawn_with_its_steps(case):
    connections, _, _ = report_of(str(capture_of(case)), keys=keys_of(case))
    for one in connections:
        lines = drawn(one)
        assert [line for line in lines if not LINE.fullmatch(line)] == []
        assert len(lines) <= mermaid.MOST_LINES + 1
        if len(lines) <= mermaid.MOST_LINES:
            for step in (*one.open.steps, *one.close.steps):
                assert any(f": {step.step}" in line and f"{step.packet}" in line for line in lines)


def test_the_text_of_a_connection():
    (one, *_), _, _ = report_of(str(capture_of("tcp/web-page")))
    assert drawn(one) == [
        "sequenceDiagram",
        "    participant Client as Client 10.0.0.1:56230",
        "    participant Server as Server 10.0.0.2:80",
        "    Client->>Server: SYN (packet 1)",
        "    Server->>Client: SYN-ACK (packet 2)",
        "    Client->>Server: ACK (packet 3)",
        "    Note over Client,Server: tcp-open/three-way-handshake, documented",
        "    Client->>Server: HTTP Request GET / (packet 4)",
        "    Server->>Client: HTTP Response 200 (packet 6)",
        "    Note over Client,Server: http1/single-exchange, documented",
        "    Client->>Server: FIN (packet 8)",
        "    Server->>Client: FIN-ACK (packet 9)",
        "    Client->>Server: ACK (packet 10)",
        "    Note over Client,Server: tcp-close/three-segment, variant",
    ]


def test_long_diagrams_are_cut_and_say_so(monkeypatch):
    monkeypatch.setattr(mermaid, "MOST_LINES", 8)
    (one, *_), _, _ = report_of(str(capture_of("tcp/web-page")))
    assert drawn(one)[8:] == ["    Note over Client,Server: … and 6 further lines, which -v shows"]


def test_a_diagram_for_each_connection():
    text = written(Mermaid, *showcase())
    assert text.count("```mermaid\n") == text.count("### Connection ") == len(showcase())


def hostile() -> model.Connection:
    one = exchange("GET /", 200)
    request = msgspec.structs.replace(one.request, method=HOSTILE, target=HOSTILE)
    step = model.Step("client", HOSTILE, 1, 1, 0)
    divergence = model.Divergence(1, "client", HOSTILE, [HOSTILE], HOSTILE, [HOSTILE])
    opening = model.Verdict(flow=None, outcome="diverged", steps=[step], divergence=divergence, standard=HOSTILE)
    return connection(
        capture=HOSTILE, client=(HOSTILE, 1), open=opening, http=http(msgspec.structs.replace(one, request=request)),
        tls=tls(server_name=HOSTILE, cipher_suite=HOSTILE), faults=[model.Fault(1, "tcp", HOSTILE)],
    )  # fmt: skip


@pytest.mark.parametrize("kind", [Mermaid, Markdown])
def test_nothing_from_a_capture_is_markup(kind):
    text = written(kind, hostile(), **({"captures": [HOSTILE]} if kind is Markdown else {"several": True}))
    assert "\x1b" not in text
    assert "\u202e" not in text
    outside = re.sub(r"^(`{3,})(?:text|mermaid)\n.*?^\1\n", "", text, flags=re.DOTALL | re.MULTILINE)
    assert "```" not in outside.replace("\\`", "")
    for markup in ("<script", "[a]", "</td"):
        assert not re.search(r"(?<!\\)" + re.escape(markup), outside), markup
    for row in re.findall(r"^\| .* \|$", outside, re.MULTILINE):
        assert len(re.findall(r"(?<!\\)\|", row)) == 10
    for block in re.findall(r"```mermaid\n(.*?)\n```\n", text, re.DOTALL):
        assert [line for line in block.splitlines() if not LINE.fullmatch(line)] == []


def test_what_is_as_documented_is_in_the_table_only():
    text = written(Markdown, *web_showcase()[:1], diverged(id=8), refused(id=9), captures=["a.pcap"])
    table, sections = text.split("## What deviates")
    assert table.count("\n| ") == 2 + 3
    assert re.findall(r"### Connection (\d+)", sections) == ["8"]


def test_a_report_is_bounded_and_says_so(monkeypatch):
    monkeypatch.setattr(markdown, "MOST_ROWS", 2)
    monkeypatch.setattr(markdown, "MOST_DRAWN", 1)
    text = written(Markdown, *[diverged(id=number) for number in range(5)], captures=["a.pcap", "b.pcap"])
    assert "\n3 further connections: `--filter` chooses.\n" in text
    assert "\n4 further connections not drawn: `--filter` chooses.\n" in text
