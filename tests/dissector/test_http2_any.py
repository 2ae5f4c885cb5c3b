"""Any bytes on any side, cut anyhow: no exception, nothing unbounded, and the same exchanges."""

from __future__ import annotations

import hpack
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector.http2.connection import CLIENT, SERVER, Dissector, Upgraded, probe
from analyzer.dissector.http2.header_blocks import HeaderDecoder
from analyzer.dissector.probing import Probe
from tests.capture.strategies import patiently
from tests.dissector.http2_talk import (
    END,
    END_HEADERS,
    PADDED,
    PREFACE,
    SETTINGS_ACK,
    Piece,
    data,
    frame,
    get,
    goaway,
    headers,
    number,
    ok,
    ping,
    post,
    promise,
    rst,
    settings,
    update,
)

# Not as encoded after each other: whatever they do to a dynamic table is part of the test.
STREAMS = st.sampled_from([0, 1, 1, 1, 2, 3, 3, 5, 4, 0x7FFFFFFF])
CONTENTS = [b"", b"abc", b"\0\0\0\0\2ab", b"\0\0\0\0\1x\0\0"]
FLAGS = st.sampled_from([0, 1, END_HEADERS, PADDED, 45, 255])
GRPC = ("content-type", "application/grpc")


def encoded(piece: Piece) -> bytes:
    return piece if isinstance(piece, bytes) else piece(hpack.Encoder())


frames = st.one_of(
    st.builds(get, STREAMS, st.sampled_from(["/", "/a"]), flags=st.sampled_from([0, END])),
    st.builds(post, STREAMS, st.just("/g"), st.just(GRPC)),
    st.builds(ok, STREAMS, st.sampled_from([GRPC, ("content-length", "3")]), status=st.sampled_from(["200", "103"])),
    st.builds(headers, STREAMS, st.just(("grpc-status", "0")), flags=st.just(END), parts=st.integers(1, 3)),
    st.builds(promise, STREAMS, STREAMS, st.just("/p")),
    st.builds(data, STREAMS, st.sampled_from(CONTENTS), st.sampled_from([0, END])),
    st.builds(data, STREAMS, st.binary(max_size=3), padding=st.integers(0, 4)),
    st.builds(rst, STREAMS, st.integers(0, 20)),
    st.builds(update, STREAMS, st.sampled_from([0, 1, 70_000, 0x7FFFFFFF])),
    st.builds(settings, st.dictionaries(st.integers(0, 9), st.sampled_from([0, 1, 100, 1 << 14, 1 << 31]), max_size=3)),
    st.builds(goaway, STREAMS, st.integers(0, 3)),
    st.sampled_from([SETTINGS_ACK, ping(), ping(1), frame(16, 0, 0, number(1) + b"u=1"), frame(0xBE, 3, 1, b"grease")]),
    st.builds(frame, st.integers(0, 17), FLAGS, STREAMS, st.binary(max_size=12)),
)  # fmt: skip
talk = st.lists(frames.map(encoded) | st.binary(max_size=12), max_size=8).map(b"".join)
turns = st.lists(
    st.tuples(
        st.sampled_from([CLIENT, SERVER]),
        st.one_of(talk, talk, talk, talk, st.integers(1, 40), st.sampled_from(["fin", "rst"])),
    ),
    max_size=10,
)
begins = st.sampled_from([b"", PREFACE, PREFACE + settings({4: 10, 1: 0})])
UPGRADED = Upgraded("GET", "/", "a.test", 90, 1, 1, settings="AAMAAABkAAQAAP__")
options = st.sampled_from([{}, {"midstream": True}, {"upgraded": UPGRADED}])


def play(script, cuts=None, *, views=False, kind=Dissector, **options):
    """Feeds a script; `cuts`: sizes of the pieces, used one after the other."""
    dissector, sizes = kind(keep_fields=True, **options), iter(cuts or ())
    for packet, (side, what) in enumerate(script, 1):
        if isinstance(what, bytes):
            at = 0
            while at < len(what):
                size = next(sizes, 1) if cuts is not None else len(what)
                piece = what[at : at + size]
                dissector.feed(side, memoryview(piece) if views else piece, packet, packet)
                at += size
        elif isinstance(what, int):
            dissector.gap(side, what, "lost-in-capture", packet)
        else:
            dissector.close(side, what, packet, packet)
        assert dissector.skippable(side) >= 0
    for side in (CLIENT, SERVER):
        dissector.close(side, "end", 99, 99)
    return dissector


def everything(dissector):
    """Whatever must not depend on segments: they all have the packet number and time of their turn."""
    return (
        dissector.exchanges,
        dissector.events,
        dissector.faults,
        dissector.lost,
        dissector.fields_lost,
        dissector.frame_counts,
        dissector.settings,
        dissector.goaways,
        dissector.stalls,
        dissector.max_concurrent,
        dissector.frame_switches,
    )


@patiently
@given(begins, turns, st.lists(st.integers(1, 9), max_size=60), options)
def test_segments_do_not_matter(begin, script, cuts, chosen):
    script = [(CLIENT, begin), *script]
    whole = everything(play(script, **chosen))
    assert everything(play(script, cuts, **chosen)) == whole
    assert everything(play(script, views=True, **chosen)) == whole


@patiently
@given(begins, turns, options)
def test_skipping_what_may_be_skipped_does_not_matter(begin, script, chosen):
    script = [(CLIENT, begin), *script]
    skipping = Dissector(keep_fields=True, **chosen)
    for packet, (side, what) in enumerate(script, 1):
        if isinstance(what, bytes):
            at = 0
            while at < len(what):
                count = min(skipping.skippable(side), len(what) - at)
                if count:
                    skipping.skip(side, count, packet, packet)
                else:
                    count = 1
                    skipping.feed(side, what[at : at + 1], packet, packet)
                at += count
        elif isinstance(what, int):
            skipping.gap(side, what, "lost-in-capture", packet)
        else:
            skipping.close(side, what, packet, packet)
    for side in (CLIENT, SERVER):
        skipping.close(side, "end", 99, 99)
    assert everything(skipping) == everything(play(script, **chosen))


@patiently
@given(begins, turns, options)
def test_what_is_promised_of_exchanges(begin, script, chosen):
    dissector = play([(CLIENT, begin), *script], **chosen)
    listed = {exchange.stream: exchange for exchange in dissector.exchanges}
    for exchange in dissector.exchanges:
        for message in (exchange.request, exchange.response):
            if message is not None:
                assert 0 <= message.body_lost <= message.body_bytes
                assert message.packet <= message.head_packet <= message.last_packet
                assert message.complete or message.cut is not None
        assert exchange.multiplexed == len(exchange.multiplexed_with)
        assert exchange.stream not in exchange.multiplexed_with
        assert not exchange.interleaved or exchange.multiplexed
        for other in exchange.multiplexed_with:
            assert exchange.stream in listed[other].multiplexed_with
    assert dissector.max_concurrent <= len(dissector.exchanges)
    for fault in dissector.faults:
        assert fault.message.isprintable()
        assert len(fault.message) < 300


@patiently
@given(st.lists(st.binary(max_size=40), max_size=4), st.booleans())
def test_any_header_block(blocks, known):
    decoder = HeaderDecoder(known=known)
    for block in blocks:
        found = decoder.decode(block)
        assert found.error is None or found.error[1].isprintable()
        assert found.size >= 0


# Sizes of tables, names and values of the tables, Huffman or not, and bytes that are anything.
BLOCKS = st.lists(
    st.one_of(
        st.tuples(
            st.lists(
                st.tuples(st.sampled_from(["a", ":path", "date", "x" * 40]), st.text(max_size=20) | st.just("v" * 200)),
                max_size=5,
            ),
            st.sampled_from([None, 0, 60, 4096, 70_000]),
            st.booleans(),
        ),
        st.binary(max_size=12),
        st.lists(st.sampled_from([0, 0x0F, 0x20, 0x3F, 0x40, 0x7F, 0x80, 0xBE, 0xC0, 0xFF, 1]), max_size=12).map(bytes),
    ),
    max_size=8,
)


@patiently
@given(BLOCKS)
def test_field_blocks_are_read_as_hpack_reads_them(blocks):
    """Fields and table, until the first block that hpack does not read."""
    encoder, decoder, library = hpack.Encoder(), HeaderDecoder(), hpack.Decoder(max_header_list_size=1 << 20)
    decoder.allowed = library.max_allowed_table_size = 1 << 20
    for one in blocks:
        block = one
        if isinstance(one, tuple):
            fields, size, huffman = one
            if size is not None:
                encoder.header_table_size = size
            block = encoder.encode(fields, huffman=huffman)
        found = decoder.decode(block)
        try:
            expected = [tuple(field) for field in library.decode(block, raw=True)]
        except hpack.HPACKError:
            assert found.error is not None
            assert not found.fields
            assert not decoder.known
            return
        assert found.error is None
        assert found.fields == expected


@patiently
@given(
    st.lists(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=4), max_size=6), st.integers(0, 5)
)
def test_nothing_is_invented_after_a_loss(sections, lost):
    """What is said of a block of which earlier ones were missed is right, or is not said."""
    encoder, decoder = hpack.Encoder(), HeaderDecoder()
    for index, section in enumerate(sections):
        block = encoder.encode(section)
        if index == lost:
            decoder.forget()
            continue
        fields = decoder.decode(block).fields
        assert len(fields) == len(section)
        for (name, value), (true_name, true_value) in zip(fields, section, strict=True):
            assert name in (None, true_name.encode())
            assert value in (None, true_value.encode())
            assert index > lost or name is not None


@patiently
@given(st.sampled_from([CLIENT, SERVER]), talk | st.binary(max_size=60) | begins)
def test_probe_gives_up_only_on_what_can_never_become_http2(side, first):
    answers = [probe(side, first[:length]) for length in range(len(first) + 1)]
    if Probe.NO_MATCH in answers:
        assert Probe.MATCH not in answers[answers.index(Probe.NO_MATCH) :]
