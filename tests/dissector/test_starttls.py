"""Dialogues that begin in plaintext, and where TLS begins in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector.layer import EVERYTHING, Layer
from analyzer.dissector.probing import Probe
from analyzer.dissector.starttls.connection import CLIENT, DIALOGUE_LIMIT, SERVER, Dissector, probe
from tests.capture.strategies import patiently

C, S = CLIENT, SERVER
HELLO = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"
ANSWER = b"\x16\x03\x03\x00\x05\x02\x00\x00\x01\x00"
SSL2_HELLO = b"\x80\x2e\x01\x03\x01"

LDAP_ASK = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + b"1.3.6.1.4.1.1466.20037"
LDAP_YES = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"
LDAP_NO = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\x00\x04\x00"
LDAP_SEARCH = b"\x30\x0c\x02\x01\x07\x63\x07\x04\x00\x0a\x01\x00\x0a\x01"
PG_SSL, PG_GSS = b"\0\0\0\x08\x04\xd2\x16\x2f", b"\0\0\0\x08\x04\xd2\x16\x30"
MYSQL_GREETING = (74).to_bytes(3, "little") + b"\0\x0a8.0.32\0" + bytes(66)
MYSQL_SSL = b"\x20\0\0\x01" + (0x0800 | 0x200).to_bytes(4, "little") + bytes(28)
RDP_ASK = b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0"
RDP_COOKIE = b"\x03\0\0\x2b\x26\xe0\0\0\0\0\0Cookie: mstshash=user\r\n" + b"\x01\0\x08\0\x0b\0\0\0\0"
RDP_YES = b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\x1f\x08\0\x02\0\0\0"
RDP_NO = b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x03\0\x08\0\x02\0\0\0"

SMTP = [(S, b"220 mail.example.test ESMTP\r\n"), (C, b"EHLO me\r\n"), (S, b"250-mail\r\n250 STARTTLS\r\n")]
XMPP = [
    (C, b"<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams'>"),
    (S, b"<stream:stream><stream:features><starttls xmlns='x'><required/></starttls></stream:features>"),
]
AGREED = {
    "smtp": [*SMTP, (C, b"STARTTLS\r\n"), (S, b"220 go ahead\r\n")],
    "lmtp": [(S, b"220 LMTP\r\n"), (C, b"LHLO me\r\n"), (S, b"250 ok\r\n"), (C, b"starttls\r\n"),
             (S, b"220-go\r\n220 on\r\n")],
    "imap": [(S, b"* OK ready\r\n"), (C, b"a1 CAPABILITY\r\n"), (S, b"* CAPABILITY STARTTLS\r\na1 OK\r\n"),
             (C, b"a2 STARTTLS\r\n"), (S, b"* a2 NO\r\na2 OK begin\r\n")],
    "pop3": [(S, b"+OK ready\r\n"), (C, b"CAPA\r\n"), (S, b"+OK\r\nSTLS\r\n.\r\n"), (C, b"STLS\r\n"),
             (S, b"+OK begin\r\n")],
    "ftp": [(S, b"220-Hello\r\n 220 not yet\r\n220 there\r\n"), (C, b"FEAT\r\n"),
            (S, b"211-F:\r\n AUTH TLS\r\n211 End\r\n"), (C, b"AUTH TLS\r\n"), (S, b"234 go\r\n")],
    "nntp": [(S, b"200 news\r\n"), (C, b"CAPABILITIES\r\n"), (S, b"101 list\r\nVERSION 2\r\n382 x\r\n.\r\n"),
             (C, b"STARTTLS\r\n"), (S, b"382 go\r\n")],
    "sieve": [(S, b'"IMPLEMENTATION" "x"\r\n"STARTTLS"\r\nOK "ready"\r\n'),
              (C, b"STARTTLS\r\n"), (S, b'OK "begin"\r\n')],
    "irc": [(S, b":irc NOTICE AUTH :***\r\n"), (C, b"STARTTLS\r\n"), (S, b":irc 670 * :go ahead\r\n")],
    "xmpp": [*XMPP, (C, b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"), (S, b"<proceed xmlns='x'></proceed>")],
    "ldap": [(C, LDAP_ASK), (S, LDAP_YES)],
    "postgresql": [(C, PG_SSL), (S, b"S")],
    "mysql": [(S, MYSQL_GREETING), (C, MYSQL_SSL)],
    "rdp": [(C, RDP_ASK), (S, RDP_YES)],
}  # fmt: skip
TEXT = [name for name in AGREED if name not in ("ldap", "postgresql", "mysql", "rdp")]


def play(*turns: tuple[int, bytes | int | str], chunk: int = 0, recorded: bool = False) -> Dissector:
    """Turns are packets from 1 on, at ten times that many ns; a number is a gap, a word how a side closed.

    `recorded`: TLS is taken over as soon as it begins."""
    dissector = Dissector()
    for packet, (side, what) in enumerate(turns, 1):
        if isinstance(what, bytes):
            for at in range(0, len(what), chunk or max(1, len(what))):
                dissector.feed(side, what[at : at + (chunk or len(what))], packet * 10, packet)
                if recorded:
                    record(dissector)
        elif isinstance(what, int):
            dissector.gap(side, what, "lost-in-capture", packet)
        else:
            dissector.close(side, what, packet * 10, packet)
    return dissector


def inside(dissector: Dissector) -> tuple[bytes, bytes]:
    assert dissector.handover is not None
    return dissector.handover.pending(C), dissector.handover.pending(S)


class Recorder(Layer):
    """What takes TLS over: it remembers all it was told, and wants everything."""

    def __init__(self) -> None:
        self.heard: list[list[object]] = [[b""], [b""]]

    def feed(self, side, data, at_ns, packet):
        heard = self.heard[side]
        heard[-1:] = [heard[-1] + bytes(data)] if isinstance(heard[-1], bytes) else [heard[-1], bytes(data)]

    def skippable(self, side):
        return 0

    def skip(self, side, length, at_ns, packet):
        raise AssertionError("nothing is skippable")

    def gap(self, side, length, cause, packet):
        self.heard[side].append(length)

    def close(self, side, how, at_ns, packet):
        self.heard[side].append(how)


def record(dissector: Dissector) -> None:
    if dissector.handover is not None and dissector.handover.open:
        dissector.handover.take(Recorder())


@pytest.mark.parametrize("chunk", [0, 1, 3])
@pytest.mark.parametrize("protocol", AGREED)
def test_tls_begins_where_both_have_agreed(protocol, chunk):
    dialogue = AGREED[protocol]
    assert play(*dialogue[:-1]).handover is None
    found = play(*dialogue, (C, HELLO + b"more"), (S, ANSWER), chunk=chunk)
    assert (found.protocol, found.faults, found.refused) == (protocol, [], None)
    assert (found.handover.protocol, found.handover.target) == ("starttls", protocol)
    assert found.handover.packet == len(dialogue)
    assert inside(found) == (HELLO + b"more", ANSWER)
    assert found.handover.bytes == [len(HELLO) + 4, len(ANSWER)]


@pytest.mark.parametrize("protocol", AGREED)
def test_every_dialogue_is_recognised_before_tls_begins(protocol):
    """By one side at least, when it has asked at the latest."""
    said = [b"".join(what for side, what in AGREED[protocol] if side == of) for of in (C, S)]
    answers = [[probe(of, said[of][:length]) for length in range(len(said[of]) + 1)] for of in (C, S)]
    certain = [each for each in answers if Probe.MATCH in each]
    assert certain
    assert all(Probe.NO_MATCH not in each for each in certain)


REFUSED = [
    ([*SMTP, (C, b"STARTTLS\r\n"), (S, b"454 not now\r\n")], "454 not now"),
    ([*SMTP, (C, b"STARTTLS\r\n"), (S, b"502-no\r\n502 really\r\n")], "502 really"),
    ([(S, b"* OK\r\n"), (C, b"a STARTTLS\r\n"), (S, b"* BYE x\r\na BAD what\r\n")], "a BAD what"),
    ([(S, b"+OK hi\r\n"), (C, b"STLS\r\n"), (S, b"-ERR no\r\n")], "-ERR no"),
    ([(S, b"220 FTP\r\n"), (C, b"AUTH SSL\r\n"), (S, b"530 no\r\n")], "530 no"),
    ([(S, b"200 news\r\n"), (C, b"STARTTLS\r\n"), (S, b"580 no\r\n")], "580 no"),
    ([(S, b'"IMPLEMENTATION" "x"\r\nOK\r\n'), (C, b"STARTTLS\r\n"), (S, b"NO\r\n")], "NO"),
    ([(C, b"STARTTLS\r\n"), (S, b":irc 691 * :no\r\n")], ":irc 691 * :no"),
    ([*XMPP, (C, b"<starttls/>"), (S, b"<failure xmlns='x'/>")], "<failure xmlns='x'/>"),
    ([(C, LDAP_ASK), (S, LDAP_NO)], "result code 52"),
    ([(C, PG_SSL), (S, b"N")], "N"),
    ([(C, RDP_ASK), (S, RDP_NO)], "failure code 2"),
    ([(C, RDP_ASK), (S, b"\x03\0\0\x0b\x06\xd0\0\0\x12\x34\0")], "standard RDP security"),
]


@pytest.mark.parametrize("chunk", [0, 1])
@pytest.mark.parametrize(("turns", "why"), REFUSED)
def test_a_server_that_declines(turns, why, chunk):
    found = play(*turns, chunk=chunk)
    assert (found.refused, found.handover, found.faults) == (why, None, [])
    assert found.asked
    assert found.skippable(C) == found.skippable(S) == EVERYTHING
    found.feed(C, b"MAIL FROM:<a@b>\r\n", 1, 99)
    found.skip(S, 10**9, 1, 99)
    assert found.handover is None


@pytest.mark.parametrize(
    "turns",
    [
        [*SMTP, (C, b"DATA\r\n")],
        [(S, b"554 go away\r\n")],
        [(S, b"* OK\r\n"), (C, b"a LOGIN me secret\r\n")],
        [(S, b"+OK\r\n"), (C, b"USER me\r\nPASS secret\r\n")],
        [(S, b"220 FTP\r\n"), (C, b"USER me\r\n"), (S, b"331 x\r\n"), (C, b"PASS secret\r\n")],
        [(C, b"NICK me\r\n"), (S, b":irc 001 me :Welcome\r\n")],
        [*XMPP, (C, b"<auth xmlns='x' mechanism='PLAIN'>c2VjcmV0</auth>")],
        [(C, b"\0\0\0\x20\0\3\0\0user\0me\0")],
        [(C, PG_GSS), (S, b"G")],
        [(S, MYSQL_GREETING), (C, b"\x40\0\0\x01" + bytes(64))],
        [(S, b"\x10\0\0\0\xff\x15\4denied")],
        [(C, b"\x03\0\0\x0b\x06\xe0\0\0\0\0\0")],
    ],
)
def test_dialogues_in_which_tls_will_not_begin(turns):
    found = play(*turns)
    assert (found.handover, found.faults, found.refused) == (None, [], None)
    assert found.skippable(C) == found.skippable(S) == EVERYTHING
    assert "secret" not in repr([(side.buffer, side.state) for side in found._sides])


def test_a_dialogue_that_never_asks_is_given_up():
    line = b"NOOP " + b"x" * 1000 + b"\r\n"
    found = play(*SMTP, *[(C, line)] * (DIALOGUE_LIMIT // len(line) + 1))
    assert found.skippable(S) == EVERYTHING
    found = play((C, LDAP_SEARCH), (S, b"\x30\x84\x00\x10\x00\x00\x02\x01\x07\x64" + bytes(600)))
    assert 1 << 19 < found.skippable(S) < 1 << 20, "a long message is passed over"


def test_commands_sent_together():
    """RFC 2920: STARTTLS is the last of a group; its answer is the third."""
    turns = [(S, b"220 x ESMTP\r\n"), (C, b"EHLO me\r\nSTARTTLS\r\n"), (S, b"250 x\r\n")]
    assert play(*turns).handover is None
    assert play(*turns, (S, b"220 go\r\n"), (C, HELLO)).handover.packet == 4
    assert play(*turns, (S, b"500 what\r\n")).refused == "500 what"
    turns = [(S, b"+OK hi\r\n"), (C, b"CAPA\r\nSTLS\r\n"), (S, b"+OK\r\nx\r\n.\r\n")]
    assert play(*turns).handover is None
    assert play(*turns, (S, b"+OK go\r\n"), (C, HELLO)).handover is not None


def test_postgresql_asks_for_gssapi_first():
    found = play((C, PG_GSS), (S, b"N"), (C, PG_SSL), (S, b"S"), (C, HELLO))
    assert (found.protocol, inside(found)) == ("postgresql", (HELLO, b""))


def test_rdp_with_a_cookie():
    request = RDP_COOKIE[:2] + len(RDP_COOKIE[:-1]).to_bytes(2, "big") + bytes([len(RDP_COOKIE) - 6]) + RDP_COOKIE[5:-1]
    assert probe(C, request) is Probe.MATCH
    assert inside(play((C, request), (S, RDP_YES), (C, HELLO))) == (HELLO, b"")


def test_ldap_after_other_messages():
    done = b"\x30\x0c\x02\x01\x07\x65\x07\x0a\x01\x00\x04\x00\x04\x00"
    found = play((C, LDAP_SEARCH), (S, done), (C, LDAP_ASK), (S, LDAP_YES), (C, HELLO))
    assert (found.protocol, inside(found)) == ("ldap", (HELLO, b""))


@pytest.mark.parametrize("chunk", [0, 1])
def test_a_hello_in_the_form_of_ssl_2(chunk):
    assert inside(play(*AGREED["ftp"], (C, SSL2_HELLO), chunk=chunk)) == (SSL2_HELLO, b"")


@pytest.mark.parametrize("chunk", [0, 1])
@pytest.mark.parametrize("protocol", [name for name in AGREED if name != "mysql"])
def test_a_client_that_does_not_wait_for_the_answer(protocol, chunk):
    found = play(*AGREED[protocol][:-1], (C, HELLO), AGREED[protocol][-1], (S, ANSWER), chunk=chunk)
    assert (inside(found), found.faults) == ((HELLO, ANSWER), [])


# Injections


@pytest.mark.parametrize("chunk", [0, 1])
@pytest.mark.parametrize("protocol", TEXT)
def test_plaintext_behind_the_clients_question(protocol, chunk):
    *before, (_, question), answer = AGREED[protocol]
    found = play(*before, (C, question + b"RSET\r\nNOOP\r\n"), answer, (C, HELLO), (S, ANSWER), chunk=chunk)
    assert inside(found) == (HELLO, ANSWER)
    assert [(fault.layer, fault.packet) for fault in found.faults] == [("starttls", len(before) + 1)]
    assert "the client sent plaintext after it had asked for TLS" in found.faults[0].message


@pytest.mark.parametrize("chunk", [0, 1])
@pytest.mark.parametrize("protocol", TEXT)
def test_plaintext_behind_the_servers_answer(protocol, chunk):
    *before, (_, answer) = AGREED[protocol]
    found = play(*before, (S, answer + b"* OK owned\r\n"), (C, HELLO), (S, ANSWER), chunk=chunk)
    assert inside(found) == (HELLO, ANSWER)
    assert [(fault.layer, fault.packet) for fault in found.faults] == [("starttls", len(before) + 1)]
    assert "the server sent plaintext after it had agreed to TLS" in found.faults[0].message


def test_plaintext_where_tls_should_be():
    found = play(*AGREED["smtp"], (C, b"MAIL FROM:<a@b>\r\n"))
    assert "(RFC 3207 §4.2)" in found.faults[0].message
    assert found.handover.bytes == [0, 0]


def test_plaintext_behind_a_question_that_is_declined_is_no_injection():
    assert play(*SMTP, (C, b"STARTTLS\r\nRSET\r\n"), (S, b"502 no\r\n")).faults == []


def test_empty_lines_are_nothing():
    found = play(*AGREED["pop3"], (C, b"\r\n" + HELLO), (S, b"\r\n" + ANSWER))
    assert (inside(found), found.faults) == ((HELLO, ANSWER), [])


# Loss


@pytest.mark.parametrize("chunk", [0, 1])
@pytest.mark.parametrize(
    "turns",
    [
        [*SMTP, (C, 10), (S, b"220 go ahead\r\n"), (C, HELLO), (S, ANSWER)],
        [*SMTP, (C, b"STARTTLS\r\n"), (S, 14), (C, HELLO), (S, ANSWER)],
        [*SMTP[:2], (S, 20), (C, b"STARTTLS\r\n"), (S, b"220 go ahead\r\n"), (C, HELLO), (S, ANSWER)],
        [*SMTP, (C, b"START"), (C, 5), (S, b"220 go\r\n"), (C, HELLO), (S, ANSWER)],
        [*SMTP, (C, 3), (C, b"TTLS\r\n"), (S, b"220 go\r\n"), (C, HELLO), (S, ANSWER)],
        [*XMPP, (C, 30), (S, b"<proceed/>"), (C, HELLO), (S, ANSWER)],
        [(C, 8), (S, b"S"), (C, HELLO), (S, ANSWER)],
        [(C, PG_SSL), (S, 1), (C, HELLO), (S, ANSWER)],
        [(C, LDAP_ASK[:9]), (C, len(LDAP_ASK) - 9), (S, LDAP_YES), (C, HELLO), (S, ANSWER)],
        [(C, RDP_ASK), (S, 19), (C, HELLO), (S, ANSWER)],
    ],
)
def test_tls_is_found_by_content_after_a_loss(turns, chunk):
    found = play(*turns, chunk=chunk)
    assert (inside(found), found.faults) == ((HELLO, ANSWER), [])


def test_what_is_lost_after_the_agreement_is_lost_of_tls():
    found = play(*AGREED["imap"], (C, 100), (C, b"rest"), (S, ANSWER), (C, "fin"), (S, "rst"))
    assert (found.handover.bytes, found.faults) == ([104, len(ANSWER)], [])


def test_only_the_clients_side_was_captured():
    found = play((C, b"EHLO me\r\n"), (C, b"STARTTLS\r\n"), (C, HELLO), (C, "fin"))
    assert (found.protocol, inside(found)) == ("smtp", (HELLO, b""))


def test_only_the_servers_side_was_captured():
    found = play((S, b"220 x ESMTP\r\n"), (S, b"250 x\r\n"), (S, b"220 go\r\n"), (S, ANSWER))
    assert (found.protocol, inside(found)) == ("smtp", (b"", ANSWER))


# Recognition


@pytest.mark.parametrize(
    ("side", "first"),
    [
        (C, b"GET / HTTP/1.1\r\n"),
        (C, b"GET /"),
        (C, HELLO),
        (C, b"SSH-2.0-x\r\n"),
        (C, b"USER me\r\nPASS secret\r\n"),
        (C, b"NICK me\r\nJOIN #x\r\n"),
        (C, b"\0\0\0\x20\0\3\0\0"),
        (C, b"\x03\0\0\x16\x11\xe0\0\0\0\1\0\xc1\2\1\0\xc2\2\1\2\xc0\1\x0a"),  # S7comm
        (C, b"\x03\1"),
        (C, b"\x30\x82\x01\x0a\x30"),
        (C, b"<html>"),
        (C, b"\xff\xfd\x18"),
        (C, b"EHLO a b c\r\n"),
        (S, b"HTTP/1.1 200 OK\r\n"),
        (S, b"SSH-2.0-x\r\n"),
        (S, ANSWER),
        (S, b"+OK\r\n"),  # Redis
        (S, b"-ERR unknown command\r\n"),
        (S, b"220 ftp\r\n331 password\r\n230 in\r\n"),
        (S, b"200 news\r\n211 group\r\n381 more\r\n"),
        (S, b":irc 001 me :Welcome\r\n"),
        (S, b"220 " + b"x" * 600),
        (S, b"\x0a\0\0\0\x0a8.0\0"),
        (S, b"\x4a\0\0\x01\x0a8.0\0"),
        (S, b"<html>"),
    ],
)
def test_what_is_none_of_them(side, first):
    assert probe(side, memoryview(first)) is Probe.NO_MATCH


@pytest.mark.parametrize(
    ("side", "first"),
    [
        (S, b"220 ftp.example.test ready\r\n"),
        (S, b"220 x\r\n211-Features\r\n AUTH TLS\r\n211 End\r\n"),
        (S, b"200 news\r\n"),
        (S, b":irc NOTICE * :hello\r\n"),
        (C, b"USER me\r\n"),
        (C, b"NICK me\r\n"),
        (C, b"CAP LS 302\r\n"),
        (C, b"a1 STAR"),
        (C, b"EH"),
        (C, b"<stream"),
        (C, b"\0\0\0\x08\x04"),
        (C, b"\x30"),
        (S, b"2"),
    ],
)
def test_what_may_become_one_of_them(side, first):
    assert probe(side, first) is Probe.NEED_MORE


# Any bytes

PIECES = [
    b"220 x ESMTP\r\n", b"220 x\r\n", b"250-a\r\n", b"250 b\r\n", b"EHLO me\r\n", b"STARTTLS\r\n", b"a STARTTLS\r\n",
    b"a OK\r\n", b"* OK\r\n", b"+OK x\r\n", b"STLS\r\n", b"AUTH TLS\r\n", b"234 go\r\n", b"382 go\r\n",
    b":i 670 x\r\n", b"454 no\r\n", b".\r\n", b"101 x\r\n", b"200 n\r\n", b"<stream:stream>", b"<starttls/>",
    b"<proceed/>", b"<starttls>", b"</starttls>", b"<fail", LDAP_ASK, LDAP_YES, LDAP_SEARCH, PG_SSL, PG_GSS, b"S", b"N",
    MYSQL_GREETING, MYSQL_SSL, RDP_ASK, RDP_YES, HELLO, ANSWER, SSL2_HELLO, b"\x16\x03",
    b"\x15\x03\x03\x00\x02\x02\x28", b"\r\n", b"\n", b"x" * 3000, b"\0", b"\x16",
]  # fmt: skip
data = st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=4).map(b"".join)
turns = st.lists(
    st.tuples(st.sampled_from([C, S]), data | data | data | st.integers(1, 9) | st.sampled_from(["fin", "rst"])),
    max_size=9,
)


def everything(dissector: Dissector):
    handover = dissector.handover
    return (
        dissector.protocol, dissector.asked, dissector.agreed, dissector.refused, dissector.faults,
        handover and (handover.target, handover.packet, handover.bytes, handover.inner and handover.inner.heard),
    )  # fmt: skip


@patiently
@given(turns, st.integers(1, 9))
def test_segments_do_not_matter(script, chunk):
    whole = play(*script, recorded=True)
    assert everything(play(*script, chunk=chunk, recorded=True)) == everything(whole)
    assert len(whole.faults) <= 2
    assert all(len(side.buffer) < 16_384 for side in whole._sides)


@patiently
@given(turns)
def test_skipping_what_may_be_skipped_does_not_matter(script):
    skipping = Dissector()
    for packet, (side, what) in enumerate(script, 1):
        if isinstance(what, bytes):
            at = 0
            while at < len(what):
                count = min(skipping.skippable(side), len(what) - at)
                if count:
                    skipping.skip(side, count, packet * 10, packet)
                else:
                    count = 1
                    skipping.feed(side, what[at : at + 1], packet * 10, packet)
                    record(skipping)
                at += count
        elif isinstance(what, int):
            skipping.gap(side, what, "lost-in-capture", packet)
        else:
            skipping.close(side, what, packet * 10, packet)
    assert everything(skipping) == everything(play(*script, recorded=True))


@patiently
@given(st.sampled_from([C, S]), data)
def test_probe_never_changes_its_mind(side, first):
    answers = [probe(side, first[:length]) for length in range(len(first) + 1)]
    if Probe.NO_MATCH in answers:
        assert Probe.MATCH not in answers[answers.index(Probe.NO_MATCH) :]
    if Probe.MATCH in answers:
        assert Probe.NO_MATCH not in answers[answers.index(Probe.MATCH) :]
