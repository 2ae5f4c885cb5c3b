"""The nearest flow and the fewest edits, as a person would say it."""

from conversation import automaton_of, event, page, play
from hypothesis import given
from hypothesis import strategies as st
from reference import fits, words
from test_matcher import blocks

from analyzer.flows.explain import Explainer, Seen


def explain(automaton, *texts, first_packet=1, diverged_at=None):
    seen = [Seen(automaton.symbol_of(event(text)), packet) for packet, text in enumerate(texts, first_packet)]
    return Explainer(automaton).nearest(seen, diverged_at)


def test_a_missing_step_is_named_with_the_packet_before_it():
    played = play("C FIN", "S ACK", "C ACK", scope="tcp-close")
    assert (played.outcome, played.nearest) == ("diverged", "tcp-close/four-way")
    assert played.edits == ("server FIN missing after packet 2",)
    assert "server FIN" in played.expected


def test_a_step_too_many_is_named_with_its_packet():
    automaton = automaton_of(page("Client->>Server: A\nServer->>Client: B, C"))
    assert explain(automaton, "C A", "S A", "S B", "S C").edits == ["server A at packet 2 is not in this flow"]


def test_a_missing_first_step():
    automaton = automaton_of(page("Client->>Server: A\nServer->>Client: B, C"))
    assert explain(automaton, "S B", "S C", first_packet=7).edits == ["client A missing before packet 7"]


def test_one_instead_of_another_is_two_edits():
    automaton = automaton_of(page("Client->>Server: A, B, C"))
    assert explain(automaton, "C A", "S B", "C C").edits == [
        "server B at packet 2 is not in this flow",
        "client B missing after packet 2",
    ]


def test_sides_are_those_of_the_capture_when_the_page_is_swapped():
    played = play("S FIN", "C ACK", "S ACK", scope="tcp-close")
    assert (played.nearest, played.edits) == ("tcp-close/four-way", ("client FIN missing after packet 2",))


def test_the_page_with_the_fewest_edits_is_chosen_then_the_one_drawn():
    one = page("Client->>Server: A, B, C", name="one", order=1)
    two = page("Client->>Server: A, B, D", name="two", order=2, drawn="F1")
    assert explain(automaton_of(one, two), "C A", "C B", "C A").page.title == "two"
    assert explain(automaton_of(one, two), "C A", "C B", "C A", "C C").page.title == "one"


def test_a_page_that_ends_by_silence_is_the_last_resort():
    quiet = page("Client->>Server: A", name="quiet", silence=True, order=1, drawn="F1")
    loud = page("Client->>Server: A, C", name="loud", order=2)
    assert explain(automaton_of(quiet, loud), "C A", "C B").page.title == "quiet"
    assert explain(automaton_of(quiet, loud), "C A", "C A").page.title == "quiet"
    assert explain(automaton_of(quiet, page("Client->>Server: B", name="loud")), "C A", "C B").page.title == "loud"


def test_retransmissions_that_a_page_does_not_name_are_read_over():
    text = "Client->>Server: A\nloop\nClient->>Server: A [retransmission]\nend\nServer->>Client: D"
    automaton = automaton_of(page("Client->>Server: A, B, C", name="plain"), page(text, name="loop"))
    assert explain(automaton, "C A", "C A again", "C C").edits == ["client B missing after packet 2"]


def test_nothing_to_edit_where_nothing_diverged():
    automaton = automaton_of(page("Client->>Server: A, B"))
    assert explain(automaton, "C A", "C B").edits == []
    assert explain(automaton).edits == ["client A missing", "client B missing"]
    assert Explainer(automaton_of()).nearest([]) is None


def test_in_a_long_run_only_the_events_around_the_divergence_are_compared():
    automaton = automaton_of(page("loop\nClient->>Server: A\nServer->>Client: B\nend\nClient->>Server: C"))
    good = ["C A", "S B"] * 5000
    found = explain(automaton, *good, "C A", "C A", "S B", *good, "C C")
    assert found.edits == ["client A at packet 10002 is not in this flow"]
    assert explain(automaton, *good, "S B", "C C").edits == ["server B at packet 10001 is not in this flow"]


def test_the_same_divergence_is_explained_once():
    automaton = automaton_of(page("Client->>Server: A, B"), page("Server->>Client: C, C, C, C", name="other"))
    explainer = Explainer(automaton)
    a, c = (automaton.symbol_of(event(text)) for text in ("C A", "C C"))
    for first, second in ((1, 2), (5, 9)):
        assert explainer.nearest([Seen(a, first), Seen(c, second)]).edits == [
            f"client C at packet {second} is not in this flow",
            f"client B missing after packet {second}",
        ]
    assert len(explainer._memo) == 1


MESSAGES = st.builds(
    "{}: {}".format,
    st.sampled_from(["Client->>Server", "Server->>Client"]),
    st.sampled_from(["A", "B", "C [payload=0]"]),
)
DIAGRAMS = st.lists(st.recursive(MESSAGES, blocks, max_leaves=4), min_size=1, max_size=2).map("\n".join)
LONGEST = 6


@given(DIAGRAMS, st.lists(st.builds("{} {}".format, st.sampled_from("CS"), st.sampled_from("ABC")), max_size=3))
def test_no_fewer_edits_would_do(text, texts):
    one = page(text)
    names = page("Client->>Server: D, D, D, D, D, D, D, D, A, B, C", name="names", silence=True)
    automaton = automaton_of(one, names)
    explanation = explain(automaton, *texts)
    distances = [
        len(texts) + len(steps) - 2 * longest_common(steps, texts) for steps, _ in words(one.expression, LONGEST)
    ]
    # A longer way through the page needs at least LONGEST + 1 - len(texts) edits.
    fewest = min([*distances, LONGEST + 1 - len(texts)])
    if fewest < LONGEST + 1 - len(texts) and explanation.page.title == "one":
        assert len(explanation.edits) == fewest


def longest_common(steps, texts):
    """Length of the longest common subsequence."""
    row = [0] * (len(texts) + 1)
    for step in steps:
        above = row
        row = [0]
        for at, text in enumerate(texts):
            same = fits(step, "CS".index(text[0]), text[2:], {"payload": 0})
            row.append(max(above[at] + 1 if same else 0, above[at + 1], row[at]))
    return row[-1]
