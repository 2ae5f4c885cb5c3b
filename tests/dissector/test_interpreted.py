"""Compiled and interpreted, the packet stage gives the same answers to the bit."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.capture.source import open_capture
from analyzer.dissector.http1.connection import Dissector
from analyzer.dissector.http2.connection import Dissector as Http2
from analyzer.dissector.layout import KEY_HASH
from analyzer.dissector.tracker import Tracker
from analyzer.flows import load_library
from tests.cases import CASES, capture_of
from tests.conversations import Conversation
from tests.dissector import test_http2_any as http2
from tests.dissector import twins
from tests.dissector.frames import frames
from tests.dissector.test_headers import ANYTHING
from tests.dissector.test_http1_any import everything, play, turns
from tests.dissector.test_orientation import DATA

pytestmark = pytest.mark.skipif(not twins.is_compiled(), reason="nothing is compiled here: there is no twin")

INTERPRETED = twins.interpreted("analyzer.dissector.tracker")
INTERPRETED_HTTP = twins.interpreted("analyzer.dissector.http1.connection")
INTERPRETED_HTTP2 = twins.interpreted("analyzer.dissector.http2.connection")


def tracker(kind: type, **options) -> Tracker:
    library = load_library()
    return kind(library.automaton("tcp-open"), library.automaton("tcp-close"), **options)


def run(one: Tracker, chunks) -> list[tuple]:
    """Everything the packet stage says about these chunks: the table's columns, and what has finished."""
    said: list[tuple] = []
    for chunk in chunks:
        table = one.feed(chunk)
        told = np.isin(table.kind[: table.count], (1, 5))  # the other columns mean something for these only
        said += [(name, column[told].tolist()) for name, column in table.columns().items()]
        said.append(("kind", table.kind[: table.count].tolist()))
        said += zip(("rows", "keys", "events", "ends"), (array.tolist() for array in one.take_finished()), strict=True)
    one.finish()
    said += zip(("rows", "keys", "events", "ends"), (array.tolist() for array in one.take_finished()), strict=True)
    return said


def without_hash(said: list[tuple]) -> list[tuple]:
    """The hash of a key is random per process."""
    return [(name, [key[:KEY_HASH] for key in values] if name == "keys" else values) for name, values in said]


def assert_twins(chunks, **options) -> None:
    compiled = without_hash(run(tracker(Tracker, **options), chunks))
    interpreted = without_hash(run(tracker(INTERPRETED.Tracker, **options), chunks))
    for one, other in zip(compiled, interpreted, strict=True):
        assert one == other


def test_the_twin_is_interpreted():
    methods = [INTERPRETED.ConnectionTable.track, INTERPRETED.PacketReader.read]
    methods += [INTERPRETED_HTTP.Dissector.feed, INTERPRETED_HTTP2.Dissector.feed]
    assert [method.__globals__["COMPILED"] for method in methods] == [False] * 4


@pytest.mark.parametrize("case", CASES)
def test_on_recorded_captures(case):
    with open_capture(capture_of(case), chunk_bytes=1024) as capture:
        chunks = [
            msgspec.structs.replace(
                chunk,
                data=memoryview(bytearray(chunk.data)),
                **{
                    name: getattr(chunk, name).copy()
                    for name in chunk.__struct_fields__
                    if isinstance(getattr(chunk, name), np.ndarray)
                },
            )
            for chunk in capture
        ]
    assert_twins(chunks)


KINDS = [
    "SYN",
    "SYN-ACK",
    "ACK",
    "DATA 1",
    "DATA 100",
    "FIN",
    "FIN 7",
    "RST",
    "RST-ACK",
    "ICMP",
    "SYN-FIN",
    "SYN 20",
    "DATA get",
    "DATA ok",
    "DATA hello",
]
WORDS = ["", "", "", "again", "lost", "seq=-1", "seq=+100", "seq=4294967295", "seq=+2147483648", "ack=-1", "ack=+9",
         "ack=2147483648", "isn=4294967290", "isn=0", "win=0", "win=5", "wscale=14", "mss=536", "vlan=7", "cut=0",
         "size0", "at=100", "at=0", "code=4", "quote=8"]  # fmt: skip
LINES = st.tuples(st.sampled_from("CS"), st.sampled_from(KINDS), st.sampled_from(WORDS), st.sampled_from(WORDS))


def said(lines: list[tuple[str, ...]]) -> Conversation:
    """Random lines; what cannot be said again yet is said for the first time."""
    conversation = Conversation(data=DATA)
    for side, kind, *words in lines:
        if kind.split()[0] not in conversation.sides[side].last:
            words = [word for word in words if word != "again"]
        conversation.say(" ".join([side, kind, *dict.fromkeys(words)]))
    return conversation


@settings(max_examples=150)
@given(st.lists(LINES, max_size=40), st.integers(1, 50), st.booleans(), st.sampled_from([2, 1000]))
def test_on_any_conversation(lines, chunk, vlan_key, most):
    packets = said(lines).packets
    chunks = [
        frames(
            [packet.data for packet in packets[at : at + chunk]],
            originals=[packet.on_wire for packet in packets[at : at + chunk]],
            times=[packet.at_ns for packet in packets[at : at + chunk]],
            first_number=at + 1,
        )
        for at in range(0, len(packets), chunk)
    ]
    assert_twins(chunks, vlan_key=vlan_key, most_connections=most)


@settings(max_examples=150)
@given(
    st.lists(LINES, min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=8)), max_size=12),
    st.sampled_from([0, 1, 101, 113, 276]),
)
def test_on_damaged_packets(lines, damage, link_type):
    packets = [bytearray(packet.data[14 if link_type == 101 else 0 :]) for packet in said(lines).packets]
    for at, change in damage:
        for packet in packets[at % 7 :: 3]:
            packet[at % len(packet) : at % len(packet) + len(change)] = change
    assert_twins([frames([bytes(packet) for packet in packets], link_type)])


def test_on_headers_of_every_shape():
    for link_type, packet in ANYTHING.values():
        assert_twins([frames([packet[:length] for length in range(len(packet) + 1)], link_type)])


@settings(max_examples=300)
@given(turns, st.lists(st.integers(1, 9), max_size=60))
def test_on_any_http(script, cuts):
    compiled, interpreted = (
        everything(play(script, cuts, kind=kind)) for kind in (Dissector, INTERPRETED_HTTP.Dissector)
    )
    assert repr(compiled) == repr(interpreted)


@settings(max_examples=300)
@given(http2.begins, http2.turns, st.lists(st.integers(1, 9), max_size=60), http2.options)
def test_on_any_http2(begin, script, cuts, chosen):
    script = [(http2.CLIENT, begin), *script]
    compiled, interpreted = (
        http2.everything(http2.play(script, cuts, kind=kind, **chosen)) for kind in (Http2, INTERPRETED_HTTP2.Dissector)
    )
    assert repr(compiled) == repr(interpreted)
