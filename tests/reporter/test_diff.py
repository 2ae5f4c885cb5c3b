"""Two recordings compared: which connections belong together, and what counts as different."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import model
from analyzer.reporter.diff import matching
from analyzer.reporter.diff.comparing import Settings, compare
from analyzer.reporter.diff.matching import match
from analyzer.reporter.diff.summaries import Fact, Summary, summarize
from tests.cases import CASES, analysed


def one(number, client=50000, *requests, server=("10.0.0.2", 443), name=None, **facts):
    """A connection: `one(0, 50000, "GET /a", close="four-way")`."""
    said = {key: Fact(value, 1) for key, value in facts.items()}
    if name:
        said["tls.server_name"] = Fact(name, 1)
    exchanges = {f"http.exchanges.{request}": {"response.status": Fact(200, 1)} for request in requests}
    return Summary("x", number, ("10.0.0.1", client), server, 1, 9, said, exchanges, {}, {})


def matched(old, new):
    """`{(0, 1): "content"}`: old #0 is new #1."""
    return {(pair.old.id, pair.new.id): pair.by for pair in match(old, new)[0]}


# Which belong together.


def test_the_same_endpoints():
    assert matched([one(0, 1), one(1, 2)], [one(0, 2), one(1, 1)]) == {(1, 0): "endpoints", (0, 1): "endpoints"}


def test_a_port_used_again_is_matched_in_order():
    assert matched([one(0, 1), one(1, 1)], [one(0, 1), one(1, 1)]) == {(0, 0): "endpoints", (1, 1): "endpoints"}


def test_recorded_anew_with_other_ports():
    old = [one(0, 1, "GET /a"), one(1, 2, "GET /b")]
    new = [one(0, 11, "GET /b"), one(1, 12, "GET /a")]
    assert matched(old, new) == {(1, 0): "content", (0, 1): "content"}


def test_the_most_similar_of_the_rest():
    old = [one(0, 1, "GET /", "GET /a"), one(1, 2, "GET /x", "GET /y", "GET /z")]
    new = [one(0, 11, "GET /x", "GET /y"), one(1, 12, "GET /")]
    assert matched(old, new) == {(1, 0): "similarity", (0, 1): "similarity"}


def test_nothing_but_their_order():
    old, new = [one(0, 1), one(1, 2), one(2, 3)], [one(0, 11), one(1, 12)]
    assert matched(old, new) == {(0, 0): "order", (1, 1): "order"}
    assert [left.id for left in match(old, new)[1]] == [2]


def test_another_server_at_the_same_port():
    old = [one(0, 1, name="a.test"), one(1, 2, name="b.test")]
    new = [one(0, 3, server=("10.9.9.9", 443), name="b.test"), one(1, 4, server=("10.9.9.9", 443), name="a.test")]
    assert matched(old, new) == {(1, 0): "content", (0, 1): "content"}


def test_never_another_port():
    pairs, gone, added = match([one(0, 1)], [one(0, 1, server=("10.0.0.2", 80))])
    assert (pairs, len(gone), len(added)) == ([], 1, 1)


def test_large_groups_are_matched_by_order(monkeypatch):
    monkeypatch.setattr(matching, "MOST_COMPARED", 1)
    old, new = (
        [one(0, 1, "GET /a", "GET /b"), one(1, 2, "GET /c", "GET /d")],
        [one(0, 3, "GET /c"), one(1, 4, "GET /a")],
    )
    assert matched(old, new) == {(0, 0): "order", (1, 1): "order"}


SUMMARIES = st.lists(
    st.builds(
        lambda client, requests, server: (client, requests, server),
        st.integers(1, 4),
        st.lists(st.sampled_from(["GET /a", "GET /b", "GET /c"]), max_size=3, unique=True),
        st.sampled_from([("10.0.0.2", 443), ("10.0.0.3", 443), ("10.0.0.2", 80)]),
    ),
    max_size=8,
).map(
    lambda several: [one(n, client, *requests, server=server) for n, (client, requests, server) in enumerate(several)]
)


@given(SUMMARIES, SUMMARIES)
def test_each_connection_is_matched_once_or_left(old, new):
    pairs, gone, added = match(old, new)
    assert sorted([pair.old.id for pair in pairs] + [left.id for left in gone]) == [each.id for each in old]
    assert sorted([pair.new.id for pair in pairs] + [left.id for left in added]) == [each.id for each in new]
    assert all(pair.old.server[1] == pair.new.server[1] for pair in pairs)
    left = {each.server[1] for each in gone} & {each.server[1] for each in added}
    assert not left, "what could belong together is left"


@given(SUMMARIES)
def test_a_recording_is_like_itself(several):
    comparison = compare(("old", several), ("new", several), Settings(threshold=0.0, floor_ns=0))
    assert comparison.same


# What is different.


def differences(old, new, **settings):
    comparison = compare(("old", [old]), ("new", [new]), Settings(**settings))
    (pair,) = comparison.pairs
    return {found.name: (found.old, found.new) for found in pair.differences}


def test_values():
    found = differences(one(0, 1, close="four-way", gone="yes"), one(0, 1, close="reset", added=True))
    assert found == {"close": ("four-way", "reset"), "gone": ("yes", "absent"), "added": ("absent", "true")}


def test_what_is_absent_is_null():
    assert differences(one(0, 1, cause=None, names=""), one(0, 1)) == {}


def test_exchanges_come_in_any_order():
    assert differences(one(0, 1, "GET /a", "GET /b"), one(0, 1, "GET /b", "GET /a")) == {}


def test_an_exchange_that_only_one_has_is_one_difference():
    found = differences(one(0, 1, "GET /a"), one(0, 1, "GET /a", "GET /b"))
    assert found == {"http.exchanges.GET /b": ("absent", "200")}


@pytest.mark.parametrize(("glob", "left"), [("close", 1), ("*", 0), ("http.*", 1), ("http.exchanges.GET /?", 1)])
def test_ignored(glob, left):
    found = differences(one(0, 1, "GET /a", close="x"), one(0, 1, close="y"), ignore=(glob,))
    assert len(found) == left


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (10_000_000, 30_000_000, "+200%"),
        (30_000_000, 10_000_000, "-67%"),
        (10_000_000, 11_900_000, None),  # less than the share
        (1_000, 900_000, None),  # less than the floor
        (0, 5_000_000, ""),
    ],
)
def test_times(before, after, told):
    def with_time(ns):
        return dataclasses.replace(one(0, 1), times={"timing.tls_ns": (ns, 3)})

    found = differences(with_time(before), with_time(after), threshold=0.2)
    if told is None:
        assert found == {}
    else:
        assert told in found["timing.tls_ns"][1]
    assert differences(with_time(before), with_time(after)) == {}


# Of recorded connections.


@pytest.mark.parametrize("case", CASES)
def test_ports_times_and_packet_numbers_do_not_count(case):
    """As if it had been recorded anew: an hour later, from other ports, after other packets."""

    def again(connection):
        client = model.Endpoint(connection.client.address, connection.client.port ^ 1)
        return msgspec.structs.replace(
            connection, client=client, start="2027-01-01T00:00:00.000000000Z",
            first_packet=connection.first_packet + 1000, last_packet=connection.last_packet + 1000,
        )  # fmt: skip

    old = [summarize(connection) for connection in analysed(case)[0]]
    new = [summarize(again(connection)) for connection in analysed(case)[0]]
    assert compare(("old", old), ("new", new), Settings()).same


def test_the_kind_of_a_fault_counts_and_not_its_numbers():
    (connection,) = analysed("tcp/four-way-client")[0]
    first = msgspec.structs.replace(connection, faults=[model.Fault(3, "tls", "295 bytes skipped")])
    second = msgspec.structs.replace(connection, faults=[model.Fault(7, "tls", "12 bytes skipped")] * 2)
    assert differences(summarize(first), summarize(second)) == {}
    assert differences(summarize(first), summarize(connection)) == {"faults.0": ("tls: N bytes skipped", "absent")}
