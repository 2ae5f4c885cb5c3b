"""What a diagram says, as values: equal ones are one key, whoever made them."""

from __future__ import annotations

import copy
import pickle

import pytest

from analyzer.flows import load_library
from analyzer.flows.expression import AttributeTest, Branch, Expression, Loop, Option, Step, linear, walk

PAGES = load_library().pages


def test_of_equal_expressions_the_hash_is_the_same():
    for page in PAGES:
        made_again = copy.deepcopy(page.expression)
        assert made_again == page.expression
        assert made_again is not page.expression
        assert hash(made_again) == hash(page.expression)


def test_what_is_left_to_do_is_found_again_by_its_content():
    found: dict[Expression, str] = {}
    for page in PAGES:
        for _, rest, _ in linear(page.expression):
            found[rest] = repr(rest)
    for page in PAGES:
        for _, rest, _ in linear(copy.deepcopy(page.expression)):
            assert found[rest] == repr(rest)


def test_a_hash_that_was_worked_out_does_not_travel():
    step = Step(0, "ClientHello", (AttributeTest("psk"),), 3)
    hash(step)
    assert not hasattr(pickle.loads(pickle.dumps(step)), "_hash")  # of texts, hashes differ per process


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Step(0, "FIN"), Step(1, "FIN")),
        (Step(0, "FIN"), Step(0, "RST")),
        (Step(0, "FIN"), Step(0, "FIN", (AttributeTest("payload"),))),
        (Step(0, "FIN"), Step(0, "FIN", place=1)),
        (AttributeTest("payload", ">", "0"), AttributeTest("payload", ">", "1")),
        (Option(Step(0, "FIN"), "late"), Option(Step(0, "FIN"), "early")),
        (Branch(Step(0, "FIN")), Branch(Step(0, "RST"))),
    ],
)
def test_every_field_is_part_of_the_hash(one, other):
    assert hash(one) != hash(other)
    assert one != other


def test_a_loop_is_no_option_though_they_hold_the_same():
    assert Loop(Step(0, "FIN"), "late", 1) != Option(Step(0, "FIN"), "late", 1)
    assert len({Loop(Step(0, "FIN")), Option(Step(0, "FIN"))}) == 2


def test_every_node_of_every_page_can_be_a_key():
    assert all(isinstance(hash(node), int) for page in PAGES for node in walk(page.expression))
