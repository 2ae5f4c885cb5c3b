"""Is this a protocol that may go over to TLS? Told by content, never by port."""

from __future__ import annotations

import re
from typing import Final

from analyzer.dissector.probing import Probe
from analyzer.dissector.starttls.binary import POSTGRES_GSS, POSTGRES_SSL, ber_length
from analyzer.dissector.starttls.dialogue import CLIENT
from analyzer.dissector.starttls.lines import greeting_of

_LOOKED_AT: Final = 4096  # bytes; servers that have said so much have said what they are

# Commands that only one protocol has, at the beginning of a connection.
_CERTAIN: Final = frozenset({b"EHLO", b"HELO", b"LHLO", b"STARTTLS", b"STLS", b"CAPA"})
# And those that several have, or protocols that go over to TLS too rarely to be followed before they do.
_POSSIBLE: Final = frozenset(
    {
        b"USER", b"AUTH", b"FEAT", b"SYST", b"OPTS", b"HOST", b"CLNT", b"LANG",  # FTP, POP3
        b"CAP", b"NICK", b"CAPABILITIES", b"MODE", b"CAPABILITY", b"NOOP", b"HELP", b"LIST",  # IRC, NNTP, ManageSieve
    }
)  # fmt: skip
_IMAP: Final = (b"STARTTLS", b"CAPABILITY", b"LOGIN", b"ID", b"NOOP", b"AUTHENTICATE", b"LOGOUT")
_FTP_TLS: Final = re.compile(rb"AUTH[ \t]+(TLS|SSL|TLS-C|TLS-P)[ \t]*\Z", re.IGNORECASE)
_TAG: Final = re.compile(rb"[A-Za-z0-9.$_-]{1,16}\Z")
# Answers of FTP and NNTP servers that leave it open whether TLS will come.
_POSSIBLE_CODES: Final = re.compile(rb"(?:1[01]\d|20[0-3]|21[0145]|220|250|421|4[0-9]{2}|50\d)[ -]")
_AGREEING_CODES: Final = re.compile(rb"(?:234|334|382) ")

_LDAP_OPERATIONS: Final = frozenset({0x60, 0x63, 0x66, 0x68, 0x4A, 0x6C, 0x6E, 0x77, 0x42})  # RFC 4511 §4.2-§4.12
_XMPP: Final = b"http://etherx.jabber.org/streams"  # RFC 6120 §4.8.1


def probe(side: int, data: bytes | memoryview, *, anywhere: bool = False) -> Probe:
    """Whether a side's first bytes are of such a protocol. NEED_MORE also where it is one of them but does not go over
    to TLS as far as can be seen: the greeting "220" is FTP's, too."""
    first = bytes(data[:_LOOKED_AT])
    if not first:
        return Probe.NEED_MORE
    if first[0] == ord("<"):
        return _probe_xmpp(first)
    if side == CLIENT:
        if first[0] == 0:
            return _fixed(first, POSTGRES_SSL, POSTGRES_GSS)
        if first[0] == 3:
            return _probe_rdp(first)
        if first[0] == 0x30:
            answer = _probe_ldap(first)
            if answer is not Probe.NO_MATCH:
                return answer
        return _probe_commands(first)
    if len(first) == 1:
        return Probe.NEED_MORE  # any byte may be the length of MySQL's greeting
    if first[1] == 0:
        return _probe_mysql(first)
    return _probe_answers(first)


def _fixed(first: bytes, *wanted: bytes) -> Probe:
    if any(first.startswith(each) for each in wanted):
        return Probe.MATCH
    return Probe.NEED_MORE if any(each.startswith(first) for each in wanted) else Probe.NO_MATCH


def _probe_xmpp(first: bytes) -> Probe:
    if _XMPP in first[:1024]:
        return Probe.MATCH
    begins = (b"<?xml ", b"<stream:stream ")
    possible = any(first.startswith(begin) or begin.startswith(first) for begin in begins)
    return Probe.NEED_MORE if possible and len(first) < 1024 else Probe.NO_MATCH


def _probe_rdp(first: bytes) -> Probe:
    """TPKT (RFC 1006 §6) with an X.224 connection request that RDP's negotiation or cookie follows: others use the
    same, and S7comm on the same bytes."""
    if len(first) < 6:
        return Probe.NEED_MORE if first[1:2] in (b"", b"\0") else Probe.NO_MATCH
    length = int.from_bytes(first[2:4], "big")
    if first[1] or first[5] & 0xF0 != 0xE0 or first[4] + 5 != length or not 11 <= length <= 512:
        return Probe.NO_MATCH
    if len(first) < length:
        return Probe.NEED_MORE
    return Probe.MATCH if first[11:length].startswith((b"\x01\x00\x08\x00", b"Cookie: ")) else Probe.NO_MATCH


def _probe_ldap(first: bytes) -> Probe:
    """RFC 4511 §4.1.1: a sequence, a message id, and an operation a client may begin with."""
    length = ber_length(first, 1)
    if length is None:
        return Probe.NEED_MORE
    body = first[length[1] : length[1] + 7]
    if length[0] < 5 or (body and body[0] != 2) or (len(body) > 1 and not 1 <= body[1] <= 4):
        return Probe.NO_MATCH
    if len(body) < 2 or len(body) < 3 + body[1]:
        return Probe.NEED_MORE
    return Probe.MATCH if body[2 + body[1]] in _LDAP_OPERATIONS else Probe.NO_MATCH


def _probe_mysql(first: bytes) -> Probe:
    """A packet of its first sequence number and protocol 10, with a version that ends in a zero."""
    if len(first) < 6:
        return Probe.NEED_MORE if first[2:5] in (b"", b"\0", b"\0\0", b"\0\0\x0a") else Probe.NO_MATCH
    length = int.from_bytes(first[:3], "little")
    version, zero, _ = first[5:85].partition(b"\0")
    if first[3] or first[4] != 10 or length < 40 or not re.fullmatch(rb"[0-9][ -~]*", version):
        return Probe.NO_MATCH
    return Probe.MATCH if zero else Probe.NEED_MORE if len(first) < 85 else Probe.NO_MATCH


def _probe_commands(first: bytes) -> Probe:
    """What a client says: lines, of which the first that is certain counts."""
    *lines, rest = first.split(b"\n")
    for line in lines:
        answer = _probe_command(line.rstrip(b"\r"))
        if answer is not Probe.NEED_MORE:
            return answer
    if len(first) >= _LOOKED_AT or not rest.isascii():
        return Probe.NO_MATCH
    words = rest.upper().split(b" ")
    if len(words) == 1:
        # The beginning of a command, or of a tag.
        known = _CERTAIN | _POSSIBLE
        possible = any(each.startswith(words[0].rstrip(b"\r")) for each in known) or _TAG.match(rest) or not rest
        return Probe.NEED_MORE if possible else Probe.NO_MATCH
    if words[0] in _CERTAIN or words[0] in _POSSIBLE:
        return Probe.NEED_MORE
    imap = _TAG.match(words[0]) and any(each.startswith(words[1].rstrip(b"\r")) for each in _IMAP)
    return Probe.NEED_MORE if imap else Probe.NO_MATCH


def _probe_command(line: bytes) -> Probe:
    words = line.upper().split()
    if not words:
        return Probe.NEED_MORE
    if words[0] in (b"STARTTLS", b"STLS", b"CAPA"):
        return Probe.MATCH if len(words) == 1 else Probe.NO_MATCH
    if words[0] in _CERTAIN:
        return Probe.MATCH if len(words) <= 2 else Probe.NO_MATCH
    if _FTP_TLS.match(line):
        return Probe.MATCH
    if len(words) > 1 and words[1] in _IMAP and _TAG.match(words[0]) and words[0] not in _POSSIBLE:
        return Probe.MATCH
    return Probe.NEED_MORE if words[0] in _POSSIBLE else Probe.NO_MATCH


def _probe_answers(first: bytes) -> Probe:
    """What a server says: its greeting, and the answers after one that leaves several protocols open."""
    if first[0] not in b'+-*":NPE' and not first[:1].isdigit():
        return Probe.NO_MATCH
    line, end, rest = first.partition(b"\n")
    if not line.isascii():
        return Probe.NO_MATCH
    if not end:
        return Probe.NEED_MORE if len(first) < 512 else Probe.NO_MATCH
    line = line.rstrip(b"\r")
    protocol = greeting_of(line)
    if protocol is None or line == b"+OK" or line.startswith(b"-"):  # Redis answers so
        return Probe.NO_MATCH
    if protocol in ("smtp", "lmtp", "pop3", "imap", "sieve"):
        return Probe.MATCH
    if protocol == "irc":
        if re.search(rb"^(:\S+ )?670 ", first, re.MULTILINE):
            return Probe.MATCH
        return Probe.NO_MATCH if re.search(rb"^(:\S+ )?001 ", first, re.MULTILINE) or _full(first) else Probe.NEED_MORE
    for answer in rest.split(b"\n")[:-1]:
        if _AGREEING_CODES.match(answer):
            return Probe.MATCH
        if answer[:3].isdigit() and answer[3:4] in b" -" and not _POSSIBLE_CODES.match(answer):
            return Probe.NO_MATCH
    return Probe.NO_MATCH if _full(first) else Probe.NEED_MORE


def _full(first: bytes) -> bool:
    return len(first) >= _LOOKED_AT
