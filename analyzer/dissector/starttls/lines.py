"""Dialogues in lines, and XMPP's."""

from __future__ import annotations

import re
from typing import Final

from analyzer.dissector.starttls.dialogue import CLIENT, MOST_HEAD, Dialogue, Word, shown

_CODE: Final = re.compile(rb"([1-9][0-9][0-9])([ -]|\Z)")
_IRC: Final = re.compile(rb"(?::\S+ )?(\d{3}) ")
_NO_XML: Final = re.compile(rb"[\x15\x16]")
_LINE_LIMIT: Final = 2048  # bytes after which the rest of a line is no longer kept

# Server codes that say yes: no other command of the protocol than the one for TLS has them as an answer.
_AGREEING: Final = {
    (b"220", "smtp"), (b"220", "lmtp"), (b"234", "ftp"), (b"334", "ftp"), (b"382", "nntp"),
    (b"220", None), (b"234", None), (b"382", None),
}  # fmt: skip
_FTP_MECHANISMS: Final = (b"TLS", b"SSL", b"TLS-C", b"TLS-P")  # RFC 4217 §17, and its predecessors
# Responses of NNTP that are followed by a block of lines up to a single dot, RFC 3977 §3.1.1.
_NNTP_BLOCKS: Final = (b"100", b"101", b"215", b"220", b"221", b"222", b"224", b"225", b"230", b"231", b"282")
# After these a password has been sent or a mail has begun.
_TOO_LATE: Final = frozenset({b"DATA", b"BDAT", b"PASS", b"APOP", b"QUIT", b"AUTHINFO", b"AUTHENTICATE"})
_TOO_LATE_IMAP: Final = frozenset({b"LOGIN", b"AUTHENTICATE", b"LOGOUT", b"SELECT", b"EXAMINE"})


def greeting_of(line: bytes) -> str | None:
    """The protocol that a server's first line tells; "220" where it is SMTP or FTP."""
    upper = line.upper()
    if line[:3] == b"220":
        return "smtp" if b"SMTP" in upper else "lmtp" if b"LMTP" in upper else "ftp" if b"FTP" in upper else "220"
    if line[:3] in (b"200", b"201"):
        return "nntp"
    if upper.startswith((b"+OK", b"-ERR")):
        return "pop3"
    if upper.startswith((b"* OK", b"* PREAUTH", b"* BYE")):
        return "imap"
    if upper.startswith(b'"IMPLEMENTATION"'):
        return "sieve"
    return "irc" if upper.startswith((b":", b"NOTICE ", b"PING ", b"ERROR ")) else None


class Lines(Dialogue):
    """SMTP, LMTP, IMAP, POP3, FTP, NNTP, ManageSieve and IRC.

    Answers are counted, for a client may send several commands at once; when bytes are lost the count is, too, and
    only answers that name their command are understood.
    """

    text = True

    def __init__(self) -> None:
        super().__init__()
        self._greeting: str | None = None
        self._begun = False  # the server has said something
        self._commands = 0
        self._answers = 0
        self._counted = True
        self._due: int | None = None  # which answer is the one to the request for TLS
        self._tag: bytes | None = None  # of IMAP's
        self._code: bytes | None = None  # of a reply with several lines
        self._block = False  # lines up to a single dot
        self._heads: list[bytes | None] = [None, None]  # of lines that are too long to be kept
        self._broken = [False, False]  # the line lacks its beginning

    def read(self, side: int, data: bytearray) -> tuple[int, Word | None]:
        end = data.find(b"\n")
        if end < 0:
            if len(data) > _LINE_LIMIT:
                if self._heads[side] is None:
                    self._heads[side] = bytes(data[:MOST_HEAD])
                return len(data), None
            return 0, None
        head = self._heads[side]
        line = (bytes(data[:end]) if head is None else head)[:MOST_HEAD].rstrip(b"\r")
        broken = self._broken[side]
        self._heads[side], self._broken[side] = None, False
        if broken or not line:
            return end + 1, None
        return end + 1, self._command(line) if side == CLIENT else self._answer(line)

    def lost(self, side: int) -> bool:
        self._counted = False
        self._heads[side] = None
        self._broken[side] = True
        return True

    def inside(self, side: int) -> bool:
        """Whether the next byte belongs to a line that has begun."""
        return self._heads[side] is not None

    def _command(self, line: bytes) -> Word | None:
        words = line.upper().split(None, 3)
        if not words:
            return None
        self._commands += 1
        verb = words[0]
        if verb in (b"EHLO", b"HELO", b"LHLO"):
            self.protocol = "lmtp" if verb == b"LHLO" else "smtp"
        elif verb == b"STARTTLS" and len(words) == 1:
            known = self._greeting if self._greeting != "220" else None
            self.protocol = self.protocol or known or ("smtp" if self._greeting == "220" else None)
            return self._ask()
        elif verb == b"STLS" and len(words) == 1:
            self.protocol = "pop3"
            return self._ask()
        elif verb == b"AUTH" and len(words) == 2 and words[1] in _FTP_MECHANISMS and self.protocol != "smtp":
            self.protocol = "ftp"
            return self._ask()
        elif len(words) > 1 and words[1] == b"STARTTLS" and len(words) == 2:
            self.protocol = "imap"
            self._tag = line.split(None, 1)[0]
            return self._ask()
        elif verb in _TOO_LATE or (len(words) > 1 and self._greeting == "imap" and words[1] in _TOO_LATE_IMAP):
            return Word.OVER
        return None

    def _ask(self) -> Word:
        self._due = self._commands + 1  # the greeting is an answer, too
        return Word.ASK

    def _answer(self, line: bytes) -> Word | None:
        if self._block:
            self._block = line != b"."
            return None
        if not self._begun:
            self._begun = True
            self._greeting = greeting_of(line)
            if self._greeting != "220":
                self.protocol = self.protocol or self._greeting
        code = _CODE.match(line)
        if self._tag is not None:
            return self._answer_imap(line)
        if self.protocol == "irc" or (code is None and line[:1] == b":"):
            return self._answer_irc(line)
        if code is not None:
            return self._answer_code(code[1], code[2] == b"-", line)
        status = line.split(None, 1)[0].upper() if line[:1] not in b" \t" else b""
        if status in (b"+OK", b"-ERR", b"OK", b"NO", b"BYE"):
            self._answers += 1
            if self._due is not None and self._counted and self._answers == self._due:
                return self._judge(status in (b"+OK", b"OK"), line)
        return None

    def _answer_code(self, code: bytes, more: bool, line: bytes) -> Word | None:
        """RFC 5321 §4.2.1, RFC 959 §4.2, RFC 3977 §3.2."""
        if more:
            self._code = self._code or code
            return None
        if self._code is not None and code != self._code:
            return None  # FTP: a line inside a reply that looks like its end
        self._code = None
        if self.protocol == "nntp" and code in _NNTP_BLOCKS and self._answers:
            self._block = True
        elif code[:1] == b"1":
            return None  # preliminary, RFC 959 §4.2.1
        self._answers += 1
        if self._due is None:
            return Word.OVER if self._answers == 1 and code[:1] in b"45" else None
        if (code, self.protocol) in _AGREEING and (self._answers > 1 or not self._counted):
            return Word.YES
        if code == b"421" or (self._counted and self._answers == self._due):
            return self._judge(False, line)
        return None

    def _answer_imap(self, line: bytes) -> Word | None:
        """RFC 9051 §7.1: a response names the command by its tag."""
        words = line.split(None, 2)
        if len(words) > 1 and words[0] == self._tag:
            return self._judge(words[1].upper() == b"OK", line)
        return None

    def _answer_irc(self, line: bytes) -> Word | None:
        self.protocol = "irc"
        numeric = _IRC.match(line)
        if numeric is None:
            return None
        if numeric[1] == b"001":  # welcome: registered without TLS
            return Word.OVER if self._due is None else self._judge(False, line)
        if self._due is None:
            return None
        if numeric[1] in (b"670", b"691", b"421", b"451"):
            return self._judge(numeric[1] == b"670", line)
        return None

    def _judge(self, agreed: bool, line: bytes) -> Word:
        if agreed:
            return Word.YES
        self.why = shown(line)
        return Word.NO


class Xmpp(Dialogue):
    """RFC 6120 §5.4.2: elements inside the two streams."""

    text = True

    def __init__(self) -> None:
        super().__init__()
        self.protocol = "xmpp"

    def read(self, side: int, data: bytearray) -> tuple[int, Word | None]:
        # XML has no such bytes (XML 1.0 §2.2), and TLS begins with them.
        other = _NO_XML.search(data)
        if other is None:
            return self._element(side, data)
        if not other.start():
            return 1, None
        used, word = self._element(side, data[: other.start()])
        return (used, word) if word is not None else (other.start(), None)

    def _element(self, side: int, data: bytearray) -> tuple[int, Word | None]:
        names = (b"starttls", b"auth") if side == CLIENT else (b"proceed", b"failure", b"success")
        found = re.search(rb"<(" + b"|".join(names) + rb")[\s/>]", bytes(data))
        if found is None:
            # The beginning of a name may be the end of what there is.
            keep = max(0, len(data) - 16)
            last = data.rfind(b"<", keep)
            return (len(data) if last < 0 else last), None
        end = data.find(b">", found.end() - 1)
        if end >= 0 and data[end - 1] != ord("/"):
            closing = b"</" + found[1] + b">"
            end = data.find(closing, end)
            end = end + len(closing) - 1 if end >= 0 else end
        if end < 0:
            # An element that does not end is no reason to keep all of it.
            return (0, None) if len(data) - found.start() < _LINE_LIMIT else (len(data), Word.OVER)
        if found[1] == b"starttls":
            return end + 1, Word.ASK
        if found[1] == b"proceed":
            return end + 1, Word.YES
        if found[1] == b"failure":
            self.why = shown(data[found.start() : end + 1])
            return end + 1, Word.NO
        return end + 1, Word.OVER  # authentication without TLS

    def lost(self, side: int) -> bool:
        return True
