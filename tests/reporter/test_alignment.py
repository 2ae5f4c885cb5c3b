"""Verdicts beside the pages they are held against, and the ladders drawn of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import model
from analyzer.flows import load_library
from analyzer.reporter import words
from analyzer.reporter.alignment import Aligner
from analyzer.reporter.outputs.ladder import ladder
from tests.cases import CASES, analysed
from tests.reporter.builders import closed, opened, steps, unknown

ALIGNER = Aligner(load_library())
LETTERS = {"matched": " ", "again": "=", "unexpected": "!", "missing": "-", "to-come": "~", "not-compared": "?"}


def aligned(verdict):
    """`C SYN, S SYN-ACK, -C ACK`: sides, names, and a letter for what is not matched."""
    said = []
    for rung in ALIGNER.align(verdict):
        side = {"client": "C", "server": "S", None: "ref"}[rung.side]
        said.append(f"{LETTERS[rung.mark]}{side} {rung.name}".strip())
    return ", ".join(said)


def without_flow(script, at, saw, edits, nearest):
    """A verdict that diverged: `at` is the packet, `saw` as "server RST"."""
    side, name = saw.split(" ", 1)
    divergence = model.Divergence(at, side, name, [], nearest, edits)
    return opened(script, divergence=divergence, **unknown("diverged", None))


def drawn(verdict, width=80):
    lines = ladder(verdict, ALIGNER.align(verdict), width=width, numbers=4, styled=lambda text, colour: text)
    return [line.rstrip() for line in lines]


def test_what_follows_a_page_is_matched():
    assert aligned(opened()) == "C SYN, S SYN-ACK, C ACK"
    assert [rung.drawn for rung in ALIGNER.align(opened())] == ["SYN [payload=0]", "SYN-ACK", "ACK"]


def test_a_page_for_either_side_is_turned_round():
    verdict = closed("S FIN 4 1, C ACK 5 2, C FIN 6 3, S ACK 7 4", begun_by="server", closed_by="server")
    assert aligned(verdict) == "S FIN, C ACK, C FIN, S ACK"
    assert all(rung.drawn for rung in ALIGNER.align(verdict))


def test_a_step_in_a_block_says_which():
    verdict = closed(
        "C FIN 8 1, S ACK 9 2, S DATA 10 3, C RST 11 4", flow="tcp-close/reset-after-fin", outcome="variant"
    )
    assert [rung.block for rung in ALIGNER.align(verdict)][1:3] == [
        "the close went on · the FIN was acknowledged",
        "the server still sent data",
    ]


def test_missing_steps_stand_where_they_belong():
    verdict = without_flow("C SYN 1 0, C ACK 3 2", 3, "client ACK", ["server SYN-ACK missing after packet 1"],
                           "tcp-open/three-way-handshake")  # fmt: skip
    assert aligned(verdict) == "C SYN, -S SYN-ACK, C ACK"


def test_steps_that_are_too_many_are_marked_and_the_rest_goes_on():
    verdict = without_flow("C SYN 1 0, S RST 2 1, S SYN-ACK 3 2, C ACK 4 3", 2, "server RST",
                           ["server RST at packet 2 is not in this flow"], "tcp-open/three-way-handshake")  # fmt: skip
    assert aligned(verdict) == "C SYN, !S RST, S SYN-ACK, C ACK"


def test_missing_before_everything():
    verdict = without_flow("S SYN-ACK 1 0, C ACK 2 1", 1, "server SYN-ACK", ["client SYN missing before packet 1"],
                           "tcp-open/three-way-handshake")  # fmt: skip
    assert aligned(verdict) == "-C SYN, S SYN-ACK, C ACK"


def test_what_had_not_come_is_told_from_what_is_missing():
    fields = {"outcome": "incomplete", "cause": "open-at-end"}
    assert aligned(opened("C SYN 1 0, S SYN-ACK 2 1", **fields)) == "C SYN, S SYN-ACK, ~C ACK"
    fields["cause"] = "connection-ended"
    assert aligned(opened("C SYN 1 0, S SYN-ACK 2 1", **fields)) == "C SYN, S SYN-ACK, -C ACK"


def test_without_a_flow_nothing_is_compared():
    assert aligned(opened("C ACK 3 2", **unknown())) == "?C ACK"
    verdict = without_flow("C SYN 1 0, S RST 2 1, C RST 3 1", 2, "server RST", [], None)
    assert aligned(verdict) == "?C SYN, !S RST, ?C RST"


def test_records_that_could_not_be_read_keep_their_place():
    verdict = model.Verdict(
        flow="tls/1.3-full", outcome="variant", begun_by="client",
        steps=steps("C ClientHello 4 0, S ServerHello 6 1, S ChangeCipherSpec 6 1, S Encrypted! 7 1, "
                    "C ChangeCipherSpec 8 2, C Finished? 8 2"),
    )  # fmt: skip
    assert all(rung.drawn for rung in ALIGNER.align(verdict))
    assert "Encrypted ─────│  ✓ hidden" in "\n".join(drawn(verdict, 120))


def test_a_flow_of_pages_that_are_not_there_is_only_listed():
    assert aligned(opened(flow="tcp-open/of-somebody-else")) == "C SYN, S SYN-ACK, C ACK"
    assert aligned(opened(flow="nonsense")) == "C SYN, S SYN-ACK, C ACK"


def test_a_ladder():
    verdict = without_flow("C SYN 1 0, S RST 2 1, S SYN-ACK 33 2.5", 2, "server RST",
                           ["server RST at packet 2 is not in this flow", "client ACK missing after packet 33"],
                           "tcp-open/three-way-handshake")  # fmt: skip
    assert drawn(verdict) == [
        "                 client         server  as three-way-handshake",
        "   1  +0.000 ms  │───── SYN ──────▶│  ✓ SYN [payload=0]",
        "   2  +1.000 ms  │◀───── RST ──────│  ✗ here",
        "  33  +2.500 ms  │◀─── SYN-ACK ────│  ✓",
        "                 │┄┄┄┄┄ ACK ┄┄┄┄┄┄▶│  ✗ missing",
    ]


def test_a_narrow_ladder_keeps_the_marks():
    lines = drawn(closed(), 40)
    assert max(map(words.cells, lines)) <= 40
    assert all(line.endswith("✓") for line in lines[1:])


def test_what_was_seen_is_escaped():
    verdict = opened("C SYN 1 0", steps=[model.Step("client", "\x1b[2J\u202e", 1, 1, 0)])
    assert "\\x1b[2J" in "\n".join(drawn(verdict, 120))
    assert "\x1b" not in "".join(drawn(verdict))


NAMES = st.sampled_from(["SYN", "SYN-ACK", "ACK", "FIN", "FIN-ACK", "RST", "DATA", "ICMP Unreachable", "\x07 odd"])
STEPS = st.lists(
    st.builds(
        model.Step, st.sampled_from(["client", "server"]), NAMES, st.integers(1, 30), st.integers(1, 10**9),
        st.integers(0, 10**12), st.integers(1, 10**6), st.sampled_from(["observed", "hidden"]), st.booleans(),
    ),
    max_size=12,
)  # fmt: skip
PAGES = st.sampled_from([None, "x", *(page.id for page in load_library().pages if page.scope.startswith("tcp"))])
EDITS = st.lists(
    st.builds(
        "{} {}".format,
        st.sampled_from(["client SYN", "server FIN", "ref tls", "odd"]),
        st.sampled_from(
            ["missing", "missing after packet 3", "missing before packet 1", "at packet 2 is not in this flow"]
        ),
    ),
    max_size=4,
)


@given(STEPS, PAGES, EDITS, st.sampled_from(["variant", "incomplete", "diverged", "unseen"]), st.integers(20, 200))
@settings(max_examples=150, deadline=None)
def test_every_step_is_drawn_once_whatever_the_verdict_says(seen, page, edits, outcome, width):
    divergence = model.Divergence(2, "client", "SYN", [], page, edits) if outcome == "diverged" else None
    flow = None if outcome in ("diverged", "unseen") else page
    verdict = model.Verdict(flow=flow, outcome=outcome, steps=seen, divergence=divergence)
    rungs = ALIGNER.align(verdict)
    assert [rung.step for rung in rungs if rung.step is not None] == list(range(len(seen)))
    assert all(rung.mark in ("missing", "to-come") for rung in rungs if rung.step is None)
    if seen:
        assert len(drawn(verdict, width)) == len(rungs) + 1


@pytest.mark.parametrize("case", CASES)
def test_what_follows_a_flow_is_found_in_its_page(case):
    """The pages and the labeler agree: nothing that was matched is left without its place in the drawing."""
    for one in analysed(case)[0]:
        verdicts = words.verdicts(one)
        for verdict in [verdict for scope, verdict in verdicts if scope != "lifecycle" and verdict.flow]:
            rungs = ALIGNER.align(verdict)
            lost = [rung.name for rung in rungs if rung.mark == "matched" and rung.drawn is None]
            assert not lost, (verdict.flow, lost, verdict.steps)


def test_what_is_sent_again_changes_nothing():
    again = [*steps("C SYN 1 0"), model.Step("client", "SYN", 2, 2, 10, retransmission=True), *steps("S SYN-ACK 3 1")]
    verdict = opened(steps=[*again, *steps("C ACK 4 1")])
    assert aligned(verdict) == "C SYN, =C SYN, S SYN-ACK, C ACK"
    assert drawn(verdict)[2].endswith("│  ↺ sent again")
