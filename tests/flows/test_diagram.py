"""The Mermaid subset: what is understood, what is refused, and where."""

from functools import partial

import pytest
from conversation import LETTERS, diagram
from hypothesis import given
from hypothesis import strategies as st

from analyzer.errors import FlowPageError
from analyzer.flows.diagram import parse
from analyzer.flows.expression import (
    ABSENT,
    CLIENT,
    EITHER,
    SERVER,
    AttributeTest,
    Choice,
    Interleave,
    Loop,
    Option,
    Reference,
    Sequence,
    Shaded,
    Step,
    matches_glob,
    steps_of,
)


def read(text):
    return parse(diagram(text), steps=LETTERS.steps, attributes=LETTERS.attributes)


def only_test(text):
    return next(iter(steps_of(read(f"Client->>Server: A [{text}]")))).tests[0]


def test_a_message_is_a_step():
    assert read("Client->>Server: A") == Step(CLIENT, "A", (), 1)


def test_several_names_are_several_steps_by_one_side():
    assert read("Server->>Client: A, B") == Sequence((Step(SERVER, "A", (), 1), Step(SERVER, "B", (), 2)))


@pytest.mark.parametrize("arrow", ["->>", "-->>", "->", "-->", "-x", "--x", " ->> ", "->>+", "-->>-"])
def test_every_arrow_means_the_same(arrow):
    assert read(f"Client{arrow}Server: A") == Step(CLIENT, "A", (), 1)


def test_participants_may_have_short_names_and_stand_in_any_order():
    text = "sequenceDiagram\nparticipant S as Server\nactor C as Client\nS->>C: A\nC->>S: B"
    assert [(step.side, step.name) for step in steps_of(parse(text))] == [(SERVER, "A"), (CLIENT, "B")]


def test_participants_need_no_declaration():
    assert [step.side for step in steps_of(parse("sequenceDiagram\nServer->>Client: A"))] == [SERVER]


def test_what_only_a_person_looks_at_is_ignored():
    text = """
        autonumber
        %% a comment
        Note over Client: thinks
        Note left of Client: ref is a word like any other
        note right of Server: waits
        activate Client
        Client->>Server: A
        deactivate Client
    """
    assert [step.name for step in steps_of(read(text))] == ["A"]


def test_blocks():
    text = """
        opt maybe
            Client->>Server: A
        end
        alt this
            Client->>Server: A
        else that
            Client->>Server: B
        else
            Client->>Server: C
        end
        loop
            Client->>Server: A
        end
        par here
            Client->>Server: A
        and there
            Server->>Client: B
        end
        rect rgb(232, 238, 248)
            Client->>Server: A
        end
    """
    option, choice, loop, mix, shaded = read(text).items
    assert isinstance(option, Option)
    assert option.title == "maybe"
    assert isinstance(choice, Choice)
    assert [branch.title for branch in choice.branches] == ["this", "that", ""]
    assert isinstance(loop, Loop)
    assert isinstance(mix, Interleave)
    assert isinstance(shaded, Shaded)
    assert len({option.place, loop.place, *(branch.place for branch in choice.branches)}) == 5


def test_blocks_nest():
    loop = read("loop a\nopt b\nClient->>Server: A\nend\nServer->>Client: B\nend")
    assert isinstance(loop, Loop)
    assert isinstance(loop.body, Sequence)
    assert isinstance(loop.body.items[0], Option)


def test_a_note_over_both_sides_refers_to_another_scope():
    text = diagram("Note over Client,Server: ref tls\nClient->>Server: A")
    assert parse(text, steps=("A", "ref tls")) == Sequence((Reference("tls", 1), Step(CLIENT, "A", (), 2)))


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ("retransmission", AttributeTest("retransmission")),
        ("payload>0", AttributeTest("payload", ">", "0")),
        ("payload<1460", AttributeTest("payload", "<", "1460")),
        ("payload=0", AttributeTest("payload", "=", "0")),
        ("payload!=-1", AttributeTest("payload", "!=", "-1")),
        ("payload", AttributeTest("payload", "!=", "0")),
        ("sni", AttributeTest("sni")),
        ("sni=*.example.test", AttributeTest("sni", "=", "*.example.test")),
        ('sni="a b]"', AttributeTest("sni", "=", "a b]")),
        ('sni!="a#35;b#59;,c"', AttributeTest("sni", "!=", "a#b;,c")),
        ('sni=""', AttributeTest("sni", "=", "")),
        ("payload=300..399", AttributeTest("payload", "=", "300..399")),
        ("payload=2xx|404", AttributeTest("payload", "=", "2xx", ("404",))),
        ("payload>=1", AttributeTest("payload", ">=", "1")),
        ('sni=a|"b|c"|*.d', AttributeTest("sni", "=", "a", ("b|c", "*.d"))),
        ("!retransmission_or_not", None),
        ("!payload", AttributeTest("payload", "=", "0")),
    ],
)
def test_attribute_tests(text, test):
    if test is None:
        with pytest.raises(FlowPageError, match="unknown attribute"):
            only_test(text)
    else:
        assert only_test(text) == test


def test_header_fields_are_named_without_case():
    attributes = {"header.*": "text"}
    first, second = (
        next(steps_of(parse(diagram(f"Client->>Server: A [{text}]"), attributes=attributes))).tests[0]
        for text in ("header.Set-Cookie=a*", "!Header.X-Y")
    )
    assert (first, second) == (AttributeTest("header.set-cookie", "=", "a*"), AttributeTest("header.x-y", "!"))


def test_compiled_stages_compare_one_number_with_another():
    def tests(text):
        found = parse(diagram(f"Client->>Server: A [{text}]"), attributes=LETTERS.attributes, single_numbers=True)
        return [str(test) for step in steps_of(found) for test in step.tests]

    assert tests("payload>=1 payload<=9") == ["payload>0", "payload<10"]
    for text in ("payload=1..9", "payload=1|2", "payload=1xx"):
        with pytest.raises(FlowPageError, match="is one number: use two tests"):
            tests(text)


def test_references_may_name_flows():
    read_reference = partial(parse, steps=("ref tls",), attributes={"flow": "text", "sni": "text"})
    (step,) = steps_of(read_reference(diagram('Note over Client,Server: ref tls/1.3-full|1.3-psk [sni="a b"]')))
    assert (step.side, step.name) == (EITHER, "ref tls")
    assert step.tests == (
        AttributeTest("flow", "=", "tls/1.3-full", ("tls/1.3-psk",)),
        AttributeTest("sni", "=", "a b"),
    )
    for wrong, reason in (("ref tls [sni=a", "never closed"), ("ref tls [sni=a] b", "stands alone"),
                          ("ref http1/keep-alive", "unknown step `ref http1`")):  # fmt: skip
        with pytest.raises(FlowPageError, match=reason):
            read_reference(diagram(f"Note over Client,Server: {wrong}"))


def test_several_attribute_tests_and_several_steps():
    first, second = steps_of(read("Client->>Server: A [payload>0  retransmission sni=*.example.test] , B"))
    assert [str(test) for test in first.tests] == ["payload>0", "retransmission", "sni=*.example.test"]
    assert (second.name, second.tests) == ("B", ())


@pytest.mark.parametrize(
    ("test", "passes", "fails"),
    [
        (AttributeTest("x"), [True, 1, "no"], [False, 0, "", None]),
        (AttributeTest("x", ">", "0"), [1, 1 << 40], [0, -1, "1", None]),
        (AttributeTest("x", "<", "0"), [-1], [0, 1, None]),
        (AttributeTest("x", "=", "5"), [5, "5"], [6, "55", None]),
        (AttributeTest("x", "!=", "5"), [6, "55"], [5, "5", None]),
        (AttributeTest("x", "=", "2*"), [204, "2", "2x"], [404, "x2", None]),
        (AttributeTest("x", "!=", "*.test"), ["test"], ["a.test", None]),
        (AttributeTest("x", "=", "true"), [True], [False]),
        (AttributeTest("x", "=", "2xx", ("404",)), [200, 299, 404], [199, 300, 2, "200", None, ABSENT]),
        (AttributeTest("x", "=", "300..399"), [300, 399], [299, 400, None]),
        (AttributeTest("x", "!=", "1", ("3..5",)), [0, 2, 6], [1, 3, 5, None, ABSENT]),
        (AttributeTest("x", ">=", "5"), [5, 6], [4, True, "6", None]),
        (AttributeTest("x", "<=", "5"), [5, -6], [6, None]),
        (AttributeTest("x", "=", "a*", ("b",)), ["abc", "b", ("c", "b")], ["bc", ("c", "d"), None, ABSENT]),
        (AttributeTest("x", "!=", "a*"), ["b", ("b", "c")], ["abc", ("b", "a"), None, ABSENT]),
        (AttributeTest("x", "!"), [ABSENT, 0, ""], ["a", ("a", "b"), 1, None]),
        (AttributeTest("x"), [("a", "b"), "a"], [ABSENT, None]),
    ],
)
def test_what_passes(test, passes, fails):
    assert [value for value in passes if not test.holds(value)] == []
    assert [value for value in fails if test.holds(value)] == []


@given(st.text("ab*?", max_size=6), st.text("ab", max_size=8))
def test_globs_are_what_shells_mean(pattern, text):
    from fnmatch import fnmatchcase

    assert matches_glob(text, pattern) == fnmatchcase(text, pattern)


# Each: statements (the first one stands in line 4 of the diagram), line, part of the reason.
MALFORMED = [
    ("opt a\n  Client->>Server: A", 4, "this `opt` is never closed"),
    ("loop a\nopt b\nClient->>Server: A\nend", 4, "this `loop` is never closed"),
    ("Client->>Server: A\nend", 5, "no block is open"),
    ("Client->>Server: A\nelse b", 5, "`else` outside `alt`"),
    ("alt a\nClient->>Server: A\nopt b\nelse c", 7, "`else` outside `alt`"),
    ("opt a\nClient->>Server: A\nand b", 6, "`and` outside `par`"),
    ("opt a\nend", 4, "this `opt` has no message"),
    ("alt a\nClient->>Server: A\nelse b\nend", 6, "this `else` has no message"),
    ("par a\nand b\nend", 4, "this `par` has no message"),
    ("rect rgb(1,2,3)\nNote over Client: hm\nend", 4, "this `rect` has no message"),
    ("par\n" + "Client->>Server: A\nand\n" * 4 + "Client->>Server: A\nend", 12, "at most 4 branches"),
    ("opt\n" * 17 + "Client->>Server: A\n" + "end\n" * 17, 20, "nested more than 16 deep"),
    ("opt a\nClient->>Server: A\nend of it", 6, "`end` stands alone"),
    ("Client->>Server:", 4, "empty message"),
    ("Client->>Server", 4, "empty message"),
    ("Client->>Server: A, , B", 4, "empty step"),
    ("Client->>Server: A,", 4, "empty step"),
    ("Client->>Client: A", 4, "from one side to the other"),
    ("Client->>Router: A", 4, "unknown participant `Router`"),
    ("Client->>Server: A\nNote over Router: hm", 5, "unknown participant `Router`"),
    ("activate Router", 4, "unknown participant `Router`"),
    ("participant R as Router", 4, "unknown participant `Router`"),
    ("participant C as Client", 4, "declared twice"),
    ("Client-)Server: A", 4, "cannot read"),
    ("Client<<->>Server: A", 4, "cannot read"),
    ("critical section", 4, "cannot read"),
    ("Note about Client: hm", 4, "cannot read"),
    ("Client->>Server: AA", 4, "unknown step `AA`: did you mean `A`?"),
    ("Client->>Server: QQQQ", 4, "unknown step `QQQQ`: known are A, B"),
    ("Note over Client,Server: ref http9", 4, "unknown step `ref http9`"),
    ("Client->>Server: A [payload>0", 4, "never closed"),
    ('Client->>Server: A [sni="x]', 4, "never closed"),
    ("Client->>Server: A []", 4, "empty brackets"),
    ("Client->>Server: A [payload > 0]", 4, "bad attribute test"),
    ("Client->>Server: A [payload>]", 4, "bad attribute test"),
    ("Client->>Server: A [payload>=x]", 4, "is not a whole number"),
    ("Client->>Server: A [payload=9..1]", 4, "the range `9..1` is empty"),
    ("Client->>Server: A [payload=1|]", 4, "bad attribute test"),
    ("Client->>Server: A [!payload=1]", 4, "bad attribute test"),
    ("Client->>Server: A [!sni]", 4, "can be told of header fields only"),
    ("Client->>Server: A [sni>=1|2]", 4, "`1|2` is not a whole number"),
    ("Client->>Server: A [payload=many]", 4, "`many` is not a whole number"),
    ("Client->>Server: A [payload=1*]", 4, "`1*` is not a whole number"),
    ("Client->>Server: A [sni>m]", 4, "`m` is not a whole number"),
    ("Client->>Server: A [retransmission=no]", 4, "`retransmission` is true or not"),
    ("Client->>Server: A [colour=red]", 4, "unknown attribute `colour`"),
    ("Client->>Server: A [sni=a#b]", 4, "bad attribute test"),
    ('Client->>Server: A [sni="a;b"]', 4, "`;` means something else in Mermaid"),
    ('Client->>Server: A [sni="a#36;b"]', 4, "`#` means something else in Mermaid"),
    ("Client->>Server: A; B", 4, "unexpected `;`"),
    ("Client->>Server: A [payload>0] B", 4, "unexpected `B`"),
    ("opt a; b\nClient->>Server: A\nend", 4, "`;` means something else in Mermaid"),
    ("", 1, "no message"),
]


@pytest.mark.parametrize(("text", "line", "reason"), MALFORMED)
def test_malformed_diagrams_are_refused_with_line_and_reason(text, line, reason):
    whole = "sequenceDiagram\n    participant Client\n    participant Server\n" + text
    with pytest.raises(FlowPageError) as refused:
        parse(whole, path="my.md", line=101, steps=LETTERS.steps, attributes=LETTERS.attributes)
    assert (refused.value.path, refused.value.line) == ("my.md", 100 + line)
    assert reason in refused.value.reason
    assert str(refused.value).startswith(f"my.md:{100 + line}: ")


@pytest.mark.parametrize(("text", "reason"), [("", "empty"), ("%% only this", "empty"), ("graph TD", "first line")])
def test_what_is_no_sequence_diagram(text, reason):
    with pytest.raises(FlowPageError, match=reason):
        parse(text)


def test_an_alias_replaces_the_name():
    with pytest.raises(FlowPageError, match="unknown participant `Client`"):
        parse("sequenceDiagram\nparticipant C as Client\nClient->>Server: A")


FRAGMENTS = st.sampled_from(
    """
    sequenceDiagram
    participant C as Client
    Client->>Server: A
    S-xC: A, B
    opt x
    alt
    else
    loop
    par
    and
    rect rgb(1,2,3)
    end
    end end
    Note over Client,Server: ref x
    Client->>Server: A [x>0 y=*]
    Client->>Server: A [x="#35;"]
    Client->>Server: ,
    A [
    autonumber 1
    %%
    activate C
    """.splitlines()
)


def accepts_or_refuses(text):
    lines = range(10, 11 + text.count("\n"))
    try:
        parse(text, line=10)
    except FlowPageError as refused:
        line = refused.line
    else:
        line = 10
    assert line in lines


@given(st.text())
def test_any_text_is_understood_or_refused(text):
    accepts_or_refuses(text)
    accepts_or_refuses("sequenceDiagram\n" + text)
    accepts_or_refuses("sequenceDiagram\nClient->>Server: A" + text)
    accepts_or_refuses("sequenceDiagram\nClient->>Server: A [" + text)


@given(st.lists(FRAGMENTS | st.text(max_size=10), max_size=12).map("\n".join))
def test_any_lines_are_understood_or_refused(text):
    accepts_or_refuses(text)
    accepts_or_refuses("sequenceDiagram\n" + text)
