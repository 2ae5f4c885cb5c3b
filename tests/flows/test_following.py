"""One page followed without an automaton: what it takes, what it leaves, and that it agrees with the naive matcher."""

from dataclasses import dataclass, field

import pytest
from conversation import page
from hypothesis import given
from hypothesis import strategies as st
from reference import fits, words
from test_matcher import DIAGRAMS

from analyzer.errors import FlowPageError
from analyzer.flows.expression import most_next, most_remainders
from analyzer.flows.following import Follower
from analyzer.flows.library import MAX_REMAINDERS, MAX_STEPS, parse_page


@dataclass
class Event:
    side: int
    name: str
    fields: dict = field(default_factory=dict)

    def value(self, name):
        return self.fields.get(name)


def events(text):
    """ "C SYN, S HTTP Response 200"."""
    found = []
    for one in text.split(", ") if text else []:
        side, _, rest = one.partition(" ")
        name, _, status = rest.rpartition(" ") if rest[-1].isdigit() else (rest, "", "")
        fields = {"status": int(status)} if status else {}
        if name.startswith("ref "):
            name, flow = name.split("/")
            fields = {"flow": f"{name.removeprefix('ref ')}/{flow}"}
        found.append(Event("CS".index(side), name, fields))
    return found


def follower(diagram, front=""):
    text = (
        f"---\nid: connection/x\nscope: connection\ntitle: x\n{front}---\n\n```mermaid\nsequenceDiagram\n{diagram}\n```"
    )
    return Follower(parse_page(text, "x.md"))


ASKED = "Client->>Server: HTTP Request\nServer->>Client: HTTP Response [status=2xx]"


def test_a_page_is_followed_from_the_first_step_to_the_last():
    assert follower(ASKED).follow(events("C HTTP Request, S HTTP Response 200")).follows
    longer = follower(ASKED).follow(events("C HTTP Request, S HTTP Response 200, C HTTP Request"))
    assert (longer.follows, longer.diverged_at, longer.complete, longer.expected) == (False, 2, True, ())
    shorter = follower(ASKED).follow(events("C HTTP Request"))
    assert (shorter.follows, shorter.diverged_at, shorter.complete) == (False, None, False)
    assert [str(step.tests[0]) for step in shorter.expected] == ["status=2xx"]
    wrong = follower(ASKED).follow(events("C HTTP Request, S HTTP Response 500"))
    assert (wrong.diverged_at, wrong.taken) == (1, 1)


def test_layers_it_says_nothing_about_do_not_matter():
    whole = "C SYN, S SYN-ACK, C ACK, C ClientHello, C HTTP Request, S GOAWAY, S HTTP Response 200, S FIN"
    assert follower(ASKED).follow(events(whole)).offered == (4, 6)
    assert follower(ASKED).follow(events(whole)).follows


def test_a_layer_it_names_a_step_of_must_be_taken_in_full():
    found = follower("Client->>Server: SYN").follow(events("C SYN, S SYN-ACK"))
    assert (found.diverged_at, found.complete) == (1, True)
    assert not follower(ASKED).follow(events("C HTTP Request, S Interim Response 103, S HTTP Response 200")).follows
    # What HTTP/2 says about the connection is not one layer: each frame for itself.
    pinged = follower("Client->>Server: PING").follow(events("C SETTINGS, C PING, S WINDOW_UPDATE"))
    assert pinged.follows


def test_what_is_ignored_is_not_offered():
    front = "ignores: HTTP Request [status=404], HTTP Response [status=404]\n"
    assert follower(ASKED, front).follow(events("C HTTP Request 404, S HTTP Response 404, C HTTP Request 1, "
                                                "S HTTP Response 200")).follows  # fmt: skip


def test_references_stand_for_flows_that_were_followed():
    ours = follower("Note over Client,Server: ref tls/1.3-*\nNote over Client,Server: ref tcp-close")
    assert ours.follow(events("C ref tls/1.3-full, S ref tcp-close/reset")).follows
    assert ours.follow(events("C ref tls/1.2-rsa")).diverged_at == 0
    diverged = events("C ref tls/1.3-full, S ref tcp-close/reset")
    diverged[1].fields["flow"] = None
    assert ours.follow(diverged).diverged_at == 1


def test_either_side_may_begin():
    found = follower("Client->>Server: FIN\nServer->>Client: FIN-ACK", "either_side: true\n")
    assert found.follow(events("S FIN, C FIN-ACK")).swapped
    assert found.follow(events("S FIN, C FIN-ACK")).follows
    assert not found.follow(events("S FIN, S FIN-ACK")).follows


EVENTS = st.lists(st.builds(Event, st.sampled_from([0, 1]), st.sampled_from("AB"),
                            st.fixed_dictionaries({"payload": st.sampled_from([0, 7])})), max_size=4)  # fmt: skip


@given(DIAGRAMS, EVENTS)
def test_it_agrees_with_the_naive_matcher(text, seen):
    one = page(text.replace(" [retransmission]", ""))
    ours = Follower(one)
    offered = [event for event in seen if event.name in ours.names]
    follows = any(
        len(steps) == len(offered)
        and all(fits(step, event.side, event.name, event.fields) for step, event in zip(steps, offered, strict=True))
        for steps, _ in words(one.expression, len(offered))
    )
    assert ours.follow(seen).follows == follows


@given(DIAGRAMS, EVENTS)
def test_what_can_be_left_to_do_is_bounded(text, seen):
    ours = Follower(page(text.replace(" [retransmission]", "")))
    ours.follow(seen * 4)
    assert len(ours._remainders._expressions) <= most_remainders(ours.page.expression) + 1
    widest = max(len(ours._remainders.after(number)) for number in range(len(ours._remainders._expressions)))
    assert widest <= most_next(ours.page.expression)


def test_pages_that_are_too_large_are_refused():
    branch = "\n".join(["Client->>Server: SYN"] * 9)
    par = "par\n" + "\nand\n".join([branch] * 4) + "\nend"
    follower(par)
    with pytest.raises(FlowPageError, match=rf"x.md:8: .*more than {MAX_REMAINDERS} states"):
        follower(par + "\n" + par)
    with pytest.raises(FlowPageError, match="left out or chosen from"):
        follower("opt\nClient->>Server: SYN\nend\n" * 400)
    with pytest.raises(FlowPageError, match=rf"{MAX_STEPS + 1} steps, more than {MAX_STEPS}"):
        follower("\n".join(["Client->>Server: SYN"] * (MAX_STEPS + 1)))


@pytest.mark.parametrize(
    ("diagram", "seen"),
    [
        # What makes a backtracking matcher, and a determinised one, exponential.
        ("loop\nloop\nloop\nClient->>Server: SYN\nend\nend\nend\nClient->>Server: RST", "C SYN, " * 2000 + "C FIN"),
        ("opt\nClient->>Server: SYN\nend\n" * 120 + "\nClient->>Server: SYN" * 120, "C SYN, " * 119 + "C SYN"),
        ("loop\nalt\nClient->>Server: SYN\nelse\nClient->>Server: FIN\nend\nend\nClient->>Server: SYN"
         + "\nalt\nClient->>Server: SYN\nelse\nClient->>Server: FIN\nend" * 60, "C SYN, C FIN, " * 500 + "C SYN"),
    ],
)  # fmt: skip
def test_hostile_pages_take_no_exponential_time(diagram, seen):
    ours = follower(diagram)
    assert ours.follow(events(seen)).taken > 100
    assert len(ours._remainders._expressions) <= most_remainders(ours.page.expression) + 1


@pytest.mark.parametrize(
    ("front", "diagram", "line", "reason"),
    [
        ("ends_by: silence\n", ASKED, 5, "`ends_by` is not for this scope"),
        ("", "Note over Client,Server: ref beginning\n" + ASKED, 8, "`ref beginning` stands for other flows"),
        ("ignores: HTTP Requests\n", ASKED, 5, "unknown step `HTTP Requests`: did you mean `HTTP Request`?"),
        ("required: yes\n", ASKED, 5, "`required` is true or false"),
        ("", "Client->>Server: HTTP Request [payload>0]", 9, "unknown attribute `payload`"),
        ("", "Client->>Server: HTTP Request [connection=1]", 9, "unknown attribute `connection`"),
    ],
)
def test_what_cannot_be_said_is_refused(front, diagram, line, reason):
    with pytest.raises(FlowPageError) as refused:
        follower(diagram, front)
    assert (refused.value.line, reason in refused.value.reason) == (line, True), refused.value
