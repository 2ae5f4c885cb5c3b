"""What is said to a SOCKS proxy, and where the next protocol begins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector.layer import EVERYTHING
from analyzer.dissector.probing import Probe
from analyzer.dissector.socks import CLIENT, HELD_LIMIT, SERVER, Dissector, probe
from tests.capture.strategies import patiently

NAME = b"\x03\x0cexample.test\x01\xbb"
V4 = b"\x01\xc0\x00\x02\x01\x00\x50"
V6 = b"\x04" + bytes(15) + b"\x01\x00\x50"
GREETING, NO_METHOD = b"\x05\x01\x00", b"\x05\x00"
CONNECT, GRANTED = b"\x05\x01\x00" + NAME, b"\x05\x00\x00" + V4
OLD, OLD_GRANTED = b"\x04\x01\x00\x50\xc0\x00\x02\x01me\0", b"\0\x5a" + bytes(6)
OLD_NAME = b"\x04\x01\x01\xbb\0\0\0\x01me\0example.test\0"

C, S = CLIENT, SERVER


def play(*turns: tuple[int, bytes | int | str], chunk: int = 0) -> Dissector:
    """Turns are packets from 1 on, at ten times that many ns; a number is a gap, a word how a side closed."""
    dissector = Dissector()
    for packet, (side, what) in enumerate(turns, 1):
        if isinstance(what, bytes):
            for at in range(0, len(what), chunk or max(1, len(what))):
                dissector.feed(side, what[at : at + (chunk or len(what))], packet * 10, packet)
        elif isinstance(what, int):
            dissector.gap(side, what, "lost-in-capture", packet)
        else:
            dissector.close(side, what, packet * 10, packet)
    return dissector


def inside(dissector: Dissector) -> tuple[bytes, bytes]:
    return dissector.handover.pending(C), dissector.handover.pending(S)


@pytest.mark.parametrize("chunk", [0, 1, 3])
@pytest.mark.parametrize(
    ("request_", "target"),
    [
        (NAME, "example.test:443"),
        (V4, "192.0.2.1:80"),
        (V6, "[::1]:80"),
    ],
)
def test_socks_5(request_, target, chunk):
    found = play(
        (C, GREETING), (S, NO_METHOD), (C, b"\x05\x01\x00" + request_), (S, GRANTED), (C, b"hello"), (S, b"world"),
        chunk=chunk,
    )  # fmt: skip
    assert (found.version, found.command, found.target, found.faults) == (5, "CONNECT", target, [])
    assert (found.handover.protocol, found.handover.target) == ("socks", f"SOCKS5 {target}")
    assert (found.handover.packet, found.handover.at_ns) == (4, 40)
    assert inside(found) == (b"hello", b"world")


@pytest.mark.parametrize("chunk", [0, 1])
@pytest.mark.parametrize(("request_", "target"), [(OLD, "192.0.2.1:80"), (OLD_NAME, "example.test:443")])
def test_socks_4(request_, target, chunk):
    found = play((C, request_), (S, OLD_GRANTED + b"banner"), (C, b"hello"), chunk=chunk)
    assert (found.version, found.handover.target, found.faults) == (4, f"SOCKS4 {target}", [])
    assert inside(found) == (b"hello", b"banner")


@pytest.mark.parametrize("chunk", [0, 1])
def test_a_username_and_a_password_that_is_not_kept(chunk):
    found = play(
        (C, b"\x05\x02\x00\x02"), (S, b"\x05\x02"), (C, b"\x01\x04name\x06secret"), (S, b"\x01\x00"),
        (C, CONNECT), (S, GRANTED), (C, b"x"), chunk=chunk,
    )  # fmt: skip
    assert (found.method, inside(found), found.faults) == (2, (b"x", b""), [])
    kept = [getattr(found, name) for name in vars(found)] + [side.buffer for side in found._sides]
    assert "secret" not in repr(kept)


@pytest.mark.parametrize("chunk", [0, 1])
def test_a_client_that_does_not_wait(chunk):
    everything = GREETING + CONNECT + b"GET / HTTP/1.1\r\n"
    found = play((C, everything), (S, NO_METHOD + GRANTED + b"HTTP"), (C, b"\r\n"), chunk=chunk)
    assert inside(found) == (b"GET / HTTP/1.1\r\n\r\n", b"HTTP")
    found = play((C, OLD + b"more"), (S, OLD_GRANTED), chunk=chunk)
    assert inside(found) == (b"more", b"")


def test_a_client_that_waits_for_nothing_at_all():
    found = play((C, GREETING), (C, bytes(HELD_LIMIT)))
    assert "without waiting" in found.faults[0].message
    assert found.skippable(C) == EVERYTHING


@pytest.mark.parametrize("chunk", [0, 1])
def test_answers_captured_before_their_questions(chunk):
    found = play((S, NO_METHOD + GRANTED + b"world"), (C, GREETING + CONNECT + b"hello"), chunk=chunk)
    assert (found.handover.target, inside(found)) == ("SOCKS5 example.test:443", (b"hello", b"world"))
    found = play((S, OLD_GRANTED + b"world"), (C, OLD + b"hello"), chunk=chunk)
    assert (found.handover.target, inside(found)) == ("SOCKS4 192.0.2.1:80", (b"hello", b"world"))
    found = play((S, b"\x05\x01"), (C, b"\x05\x01\x01token"), chunk=chunk)
    assert (found.handover, found.faults) == (None, [])
    assert "GSSAPI" in found.not_followed


@pytest.mark.parametrize(
    ("turns", "why"),
    [
        ([(C, GREETING), (S, b"\x05\xff")], "no acceptable method of authentication"),
        ([(C, GREETING), (S, NO_METHOD), (C, CONNECT), (S, b"\x05\x05\x00" + V4)], "connection refused"),
        ([(C, GREETING), (S, NO_METHOD), (C, CONNECT), (S, b"\x05\x04")], "host unreachable"),
        ([(C, GREETING), (S, NO_METHOD), (C, CONNECT), (S, b"\x05\x63")], "code 99"),
        (
            [(C, b"\x05\x01\x02"), (S, b"\x05\x02"), (C, b"\x01\x01a\x01b"), (S, b"\x01\x01")],
            "wrong username or password",
        ),
        ([(C, OLD), (S, b"\0\x5b" + bytes(6))], "rejected or failed"),
        ([(C, OLD), (S, b"\0\x5d" + bytes(6))], "another user id"),
    ],
)
def test_a_proxy_that_refuses(turns, why):
    found = play(*turns, (C, b"anything"), (C, "fin"), (S, "fin"))
    assert (found.refused, found.handover, found.faults) == (why, None, [])
    assert found.skippable(C) == found.skippable(S) == EVERYTHING


def test_bind_has_two_replies():
    turns = [(C, GREETING), (S, NO_METHOD), (C, b"\x05\x02\x00" + V4), (S, GRANTED)]
    assert play(*turns).handover is None
    found = play(*turns, (S, GRANTED + b"220 ftp"), (C, b"QUIT"))
    assert (found.handover.target, inside(found)) == ("SOCKS5 BIND 192.0.2.1:80", (b"QUIT", b"220 ftp"))
    assert found.handover.packet == 5


@pytest.mark.parametrize(("command", "name"), [(3, "UDP ASSOCIATE"), (0xF0, "RESOLVE"), (9, "command 9")])
def test_commands_that_carry_nothing(command, name):
    found = play((C, GREETING), (S, NO_METHOD), (C, bytes([5, command, 0]) + V4), (S, GRANTED))
    assert (found.command, found.handover, found.faults) == (name, None, [])
    assert found.skippable(S) == EVERYTHING


@pytest.mark.parametrize("method", [1, 3, 0x80])
def test_methods_that_cannot_be_followed(method):
    found = play((C, bytes([5, 1, method])), (S, bytes([5, method])), (C, b"\x01\x01\x00\x05token"))
    assert (found.handover, found.faults) == (None, [])
    assert "authentication by" in found.not_followed
    assert found.skippable(C) == EVERYTHING


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        ([(C, b"\x05\x01\x02"), (S, NO_METHOD)], "a method that was not offered (RFC 1928 §3)"),
        ([(C, GREETING), (S, b"\x04\x00")], "an answer of version 4 (RFC 1928 §3)"),
        ([(C, GREETING), (S, NO_METHOD), (C, b"\x04\x01\x00" + V4)], "a request of version 4 (RFC 1928 §4)"),
        ([(C, GREETING), (S, NO_METHOD), (C, b"\x05\x01\x07" + V4)], "a reserved byte that is not zero (RFC 1928 §4)"),
        ([(C, GREETING), (S, NO_METHOD), (C, b"\x05\x01\x00\x02" + V4)], "address type 2 (RFC 1928 §5)"),
        ([(C, GREETING), (S, NO_METHOD), (C, CONNECT), (S, b"\x00\x5a" + V4)], "a reply of version 0 (RFC 1928 §6)"),
        ([(C, b"\x05\x01\x02"), (S, b"\x05\x02"), (C, b"\x05\x01a\x01b")], "version 5 of the username/password"),
        ([(C, b"\x04\x01\x00\x50\xc0\x00\x02\x01" + b"x" * 1100)], "a user id or a name of more than 512 bytes"),
        ([(C, b"\x06\x01\x00")], "version 6 instead of 4 or 5"),
        ([(C, OLD), (S, b"\x07\x5a" + bytes(6))], "a reply of version 7 instead of 0"),
        ([(C, GREETING), (S, NO_METHOD), (C, CONNECT[:7]), (C, "fin")], "ended inside a message"),
        ([(C, GREETING), (S, NO_METHOD), (C, CONNECT[:7]), (S, "rst")], "ended inside a message"),
        ([(C, GREETING), (S, 2)], "2 bytes of the negotiation are missing: lost-in-capture"),
    ],
)
@pytest.mark.parametrize("chunk", [0, 1])
def test_faults(turns, words, chunk):
    found = play(*turns, chunk=chunk)
    assert len(found.faults) == 1
    assert words in found.faults[0].message
    assert (found.faults[0].layer, found.faults[0].packet) == ("socks", len(turns))


def test_what_is_lost_behind_the_negotiation_is_the_next_protocols_loss():
    found = play((C, OLD), (C, 7), (S, OLD_GRANTED), (S, 9), (C, "fin"), (S, "end"))
    assert (found.handover.bytes, found.faults) == ([7, 9], [])
    found.handover.drop()
    assert found.skippable(C) == EVERYTHING


def test_what_the_next_protocol_does_not_want_is_skipped():
    found = play((C, OLD), (S, OLD_GRANTED))
    found.handover.drop()
    found.skip(S, 1000, 1, 3)
    assert found.handover.bytes == [0, 1000]


@pytest.mark.parametrize("first", [GREETING, b"\x05\x03\x00\x01\x02", GREETING + CONNECT, OLD, OLD_NAME])
def test_every_beginning_needs_more_until_it_is_certain(first):
    answers = [probe(C, memoryview(first)[:length]) for length in range(len(first) + 1)]
    assert answers[-1] is Probe.MATCH
    assert answers == sorted(answers, key=lambda answer: answer is Probe.MATCH)
    assert set(answers) == {Probe.NEED_MORE, Probe.MATCH}


@pytest.mark.parametrize("answer", [NO_METHOD, b"\x05\xff", OLD_GRANTED, NO_METHOD + GRANTED])
def test_an_answer_alone_is_never_certain(answer):
    assert probe(S, answer) is Probe.NEED_MORE


@pytest.mark.parametrize(
    ("side", "first"),
    [
        (C, b"\x05\x00\x0b\x03\x10"),  # DCE/RPC
        (C, b"\x05\x02\x00\x00"),
        (C, b"\x05\x01\x00GET"),
        (C, b"\x05\x01\xff"),
        (C, b"\x04\x01\x00\x00\xc0\x00\x02\x01\0"),
        (C, b"\x04\x01\x00\x50\0\0\0\0\0"),
        (C, b"\x04\x03\x00\x50\xc0\x00\x02\x01\0"),
        (C, b"\x04\x01\x00\x50\xc0\x00\x02\x01\xff\0"),
        (C, b"\x04\x01\x00\x50\0\0\0\x01me\0\0"),
        (C, b"GET / HTTP/1.1"),
        (C, b"\x16\x03\x01"),
        (S, b"\x05\x10"),
        (S, b"\x00\x10"),
        (S, b"HTTP/1.1"),
    ],
)
def test_what_is_not_socks(side, first):
    assert probe(side, first) is Probe.NO_MATCH


PIECES = [
    GREETING, NO_METHOD, CONNECT, GRANTED, OLD, OLD_NAME, OLD_GRANTED, V4, V6, NAME, b"\x05", b"\x04\x01", b"\x05\xff",
    b"\x05\x02\x00\x02", b"\x05\x02", b"\x01\x01a\x01b", b"\x01\x00", b"\x05\x02\x00", b"\x05\x01\x00", b"\0", b"hello",
]  # fmt: skip
data = st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=4).map(b"".join)
turns = st.lists(st.tuples(st.sampled_from([C, S]), data | data | st.integers(1, 9) | st.just("fin")), max_size=9)


def everything(dissector: Dissector):
    handover = dissector.handover
    return (
        dissector.version, dissector.command, dissector.target, dissector.refused, dissector.not_followed,
        dissector.faults, handover and (handover.target, handover.packet, handover.bytes, inside(dissector)),
    )  # fmt: skip


@patiently
@given(turns, st.integers(1, 5))
def test_segments_do_not_matter(script, chunk):
    whole = play(*script)
    assert everything(play(*script, chunk=chunk)) == everything(whole)
    assert len(whole.faults) < 5


@patiently
@given(st.sampled_from([C, S]), st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=4).map(b"".join))
def test_probe_never_changes_its_mind(side, first):
    answers = [probe(side, first[:length]) for length in range(len(first) + 1)]
    if Probe.NO_MATCH in answers:
        assert Probe.MATCH not in answers[answers.index(Probe.NO_MATCH) :]
