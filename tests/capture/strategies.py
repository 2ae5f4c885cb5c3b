"""What Hypothesis invents: captures, also damaged ones."""

from __future__ import annotations

import struct

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.capture import builders
from tests.capture.builders import Packet

# Interpreted, measured for coverage and on a busy machine an example may take its time.
patiently = settings(suppress_health_check=[HealthCheck.too_slow])

orders = st.sampled_from("<>")
payloads = st.binary(max_size=200)
packets = st.builds(Packet, payloads, st.integers(0, 2**32 * 10**9 - 1), st.none() | st.integers(0, 2**32 - 1))


@st.composite
def pcaps(draw: st.DrawFn) -> bytes:
    magic = draw(st.sampled_from([builders.MICRO, builders.NANO, builders.PATCHED]))
    return builders.pcap(*draw(st.lists(packets, max_size=8)), order=draw(orders), magic=magic)


ticks = st.integers(0, 2**64 - 1) | st.integers(0, 2**52)
resolutions = st.none() | st.integers(0, 12) | st.integers(0, 255)
offsets_s = st.none() | st.integers(-(10**6), 10**6) | st.integers(-(2**63), 2**63 - 1)


@st.composite
def sections(draw: st.DrawFn) -> bytes:
    """One section with two interfaces and blocks of every kind."""
    order = draw(orders)
    owners = st.integers(0, 1)
    interfaces = st.builds(
        builders.interface, st.just(order), st.integers(0, 300), st.sampled_from([0, 40]),
        st.none() | st.text(max_size=9), resolutions, offsets_s,
    )  # fmt: skip
    lengths = st.none() | st.integers(0, 2**32 - 1)
    blocks = st.one_of(
        st.builds(builders.enhanced, payloads, ticks, owners, lengths, st.just(order)),
        st.builds(builders.enhanced, payloads, ticks, owners, lengths, st.just(order)),
        st.builds(builders.obsolete, payloads, ticks, owners, lengths, st.just(order)),
        st.builds(builders.simple, payloads, order=st.just(order)),
        st.builds(builders.statistics, owners, st.just(order), ifrecv=st.integers(0, 2**64 - 1)),
        st.builds(builders.secrets, payloads, order=st.just(order)),
        st.builds(builders.block, st.sampled_from([4, 9, 0xBAD, 0x204, 0x7777]), payloads, st.just(order)),
    )
    described = [draw(interfaces), draw(interfaces)]
    return builders.section(order) + b"".join(described + draw(st.lists(blocks, max_size=8)))


pcapngs = st.lists(sections(), min_size=1, max_size=3).map(b"".join)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A capture with some words overwritten, and perhaps cut off."""
    data = bytearray(draw(pcaps() | pcapngs))
    words = st.integers(0, 2**32 - 1) | st.sampled_from([0, 1, 4, 12, 2**31 - 1, 2**31, 2**32 - 4, 2**32 - 1])
    for _ in range(draw(st.integers(0, 3))):
        struct.pack_into(draw(orders) + "I", data, 4 * draw(st.integers(0, len(data) // 4 - 1)), draw(words))
    for _ in range(draw(st.integers(0, 3))):
        data[draw(st.integers(0, len(data) - 1))] ^= 1 << draw(st.integers(0, 7))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)
