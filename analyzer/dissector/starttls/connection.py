"""Finds where TLS begins in a connection that began in plaintext.

    dissector = Dissector()
    dissector.feed(SERVER, b"220 mail.example.test ESMTP\\r\\n", at_ns, packet)

The dialogue says who asked, who agreed and who declined; that TLS has begun is told by its own bytes wherever the
dialogue is not certain. Nothing of the dialogue is kept.
"""

from __future__ import annotations

import re
from typing import Final

from analyzer.dissector.handover import Handover
from analyzer.dissector.layer import EVERYTHING, Layer
from analyzer.dissector.starttls import ATTRIBUTES, STANDARDS, STEPS
from analyzer.dissector.starttls.binary import Ldap, MySql, Postgres, Rdp, ber_length
from analyzer.dissector.starttls.dialogue import CLIENT, SERVER, Dialogue, Word
from analyzer.dissector.starttls.lines import Lines, Xmpp
from analyzer.dissector.starttls.probe import probe
from analyzer.model import Fault

__all__ = ["ATTRIBUTES", "CLIENT", "SERVER", "STEPS", "Dissector", "probe"]

DIALOGUE_LIMIT: Final = 65_536  # bytes of both sides before TLS; beyond it nobody will ask any more
_PIECE: Final = 4096  # bytes looked at in one go
_LONGEST: Final = 8192  # bytes of an incomplete message

# A record with the beginning of a ClientHello, and of a ServerHello or an alert: RFC 8446 §5.1, §4.1, §6.
_HELLO: Final = (
    re.compile(rb"\x16\x03[\x00-\x04][\x00-\x48].\x01\x00", re.DOTALL),
    re.compile(rb"\x16\x03[\x00-\x04][\x00-\x48].\x02\x00|\x15\x03[\x00-\x04]\x00\x02[\x01\x02].", re.DOTALL),
)
_HELLO_BYTES: Final = 7
_RECORD: Final = re.compile(rb"[\x15\x16]\x03[\x00-\x04]")
_RECORD_BYTES: Final = 3

# What a side's next byte belongs to.
_TALK, _SEEK, _LOST, _HANDED = range(4)


class _Side:
    __slots__ = ("boundary", "buffer", "closed", "number", "state", "stray", "unwanted")

    def __init__(self, number: int):
        self.number = number
        self.state = _TALK
        self.buffer = bytearray()
        self.boundary = True  # the buffer begins where a message does
        self.unwanted = 0  # bytes of a message that do not matter
        self.stray = False  # plaintext came where TLS should have begun
        self.closed: tuple[str, int, int] | None = None


class Dissector(Layer):
    """One connection. `handover` is there once TLS begins, its target is `protocol`."""

    def __init__(self) -> None:
        self.handover: Handover | None = None
        self.asked = False
        self.agreed = False
        self.refused: str | None = None  # what the server said instead
        self.faults: list[Fault] = []
        self._sides = (_Side(CLIENT), _Side(SERVER))
        self._dialogue: Dialogue | None = None
        self._behind: Handover | None = None  # TLS, not certain yet
        self._left = DIALOGUE_LIMIT
        self._over = False
        self._stray_packet: int | None = None  # of a client that has not been answered yet
        self._now = (0, 0)  # time and packet

    @property
    def protocol(self) -> str | None:
        """What was spoken before TLS, in lower case; None as long as that is not known."""
        return self._dialogue.protocol if self._dialogue is not None else None

    # Input

    def feed(self, side: int, data: bytes | memoryview, at_ns: int, packet: int) -> None:
        s = self._sides[side]
        at, size = 0, len(data)
        self._now = at_ns, packet
        while at < size and not self._over and s.closed is None:
            if s.state == _HANDED and self._behind is not None:
                self._behind.feed(side, data[at:], at_ns, packet)
                return
            if s.unwanted:
                used = min(s.unwanted, size - at)
                s.unwanted -= used
                at += used
                continue
            piece = bytes(data[at : at + min(_PIECE, self._left)])
            if not piece:
                self._end()
                return
            at += len(piece)
            self._left -= len(piece)
            s.buffer += piece
            self._read(s)

    def skippable(self, side: int) -> int:
        s = self._sides[side]
        if s.closed is not None:
            return EVERYTHING
        if s.state == _HANDED and self._behind is not None:
            behind: int = self._behind.skippable(side)
            return behind
        return EVERYTHING if self._over else s.unwanted

    def skip(self, side: int, length: int, at_ns: int, packet: int) -> None:
        s = self._sides[side]
        if s.closed is not None or length <= 0:
            return
        if s.state == _HANDED and self._behind is not None:
            self._behind.skip(side, length, at_ns, packet)
            return
        used = min(length, s.unwanted)
        s.unwanted -= used
        if length > used:
            self.gap(side, length - used, "not looked at", packet)

    def gap(self, side: int, length: int, cause: str, packet: int) -> None:
        s = self._sides[side]
        if s.closed is not None or length <= 0:
            return
        if s.state == _HANDED and self._behind is not None:
            self._behind.gap(side, length, cause, packet)
            return
        if self._over:
            return
        used = min(length, s.unwanted)
        s.unwanted -= used
        if length == used:
            return
        self._now = self._now[0], packet
        s.buffer.clear()
        if self.agreed and self._behind is not None and not s.stray:
            s.state = _HANDED  # whatever is missing, it is of TLS
            self._behind.gap(side, length - used, cause, packet)
        elif s.state == _TALK and self._dialogue is not None and self._dialogue.lost(side):
            s.boundary = True
        else:
            for each in self._sides:
                if each.state in (_TALK, _SEEK):
                    each.state = _LOST

    def close(self, side: int, how: str, at_ns: int, packet: int) -> None:
        for s in self._sides:
            if s.closed is not None or (s.number != side and how != "rst"):
                continue
            if s.state == _SEEK and s.buffer and not s.stray and not self._over:
                self._hand_over(s)
            s.closed = how, at_ns, packet
            s.buffer.clear()
            if self._behind is not None:
                self._behind.close(s.number, how, at_ns, packet)

    # The dialogue

    def _read(self, s: _Side) -> None:
        """Take from a side's buffer what can be taken."""
        while s.buffer and not self._over:
            before = len(s.buffer), s.state
            if s.state == _TALK:
                self._talk(s)
            elif s.state == _SEEK:
                self._seek(s)
            elif s.state == _LOST:
                self._search(s)
            else:
                return
            if (len(s.buffer), s.state) == before:
                return

    def _talk(self, s: _Side) -> None:
        if self._dialogue is None:
            self._dialogue = _choose(s.number, s.buffer)
            if self._dialogue is None:
                return
            self._read(self._sides[1 - s.number])
        if self._dialogue.text and s.boundary and s.buffer[0] in (0x15, 0x16):
            # No line begins so: TLS has, and what led to it was not seen or not understood.
            if len(s.buffer) < _HELLO_BYTES:
                return
            if _HELLO[s.number].match(s.buffer):
                self._hand_over(s)
                self._expose()
                return
        length, word = self._dialogue.read(s.number, s.buffer)
        if not length:
            if len(s.buffer) > _LONGEST:
                self._end()
            return
        s.unwanted = max(0, length - len(s.buffer))
        del s.buffer[:length]
        s.boundary = not (isinstance(self._dialogue, Lines) and self._dialogue.inside(s.number))
        if word is not None:
            self._hear(word)

    def _hear(self, word: Word) -> None:
        client, server = self._sides
        if word in (Word.ASK, Word.BEGIN):
            self.asked = True
            if client.state == _TALK:
                client.state = _SEEK
        if word in (Word.YES, Word.BEGIN):
            self.agreed = True
            self._expose()
            if self._stray_packet is not None:
                self._blame(client, self._stray_packet)
            server.state = _SEEK
            self._read(server)
        elif word is Word.NO and self.asked:
            self.refused = self._dialogue.why if self._dialogue is not None else None
            if self.handover is not None:
                server.state = _LOST  # the client does not care
            else:
                self._end()
        elif word in (Word.NO, Word.OVER) and self.handover is None:
            self._end()

    # TLS

    def _seek(self, s: _Side) -> None:
        """Between the dialogue and TLS. The client's side: since it asked; the server's: since it agreed."""
        if not s.stray:
            if self._dialogue is not None and self._dialogue.text:
                del s.buffer[: len(s.buffer) - len(s.buffer.lstrip(b"\r\n\t "))]
                if not s.buffer:
                    return
            first = s.buffer[0]
            if first == 0x16:
                if len(s.buffer) >= _HELLO_BYTES:
                    certain = _HELLO[s.number].match(s.buffer) is not None
                    self._hand_over(s)
                    if certain:
                        self._expose()
                return
            if first >= 0x80 or first in (0x14, 0x15, 0x17):  # the first: a hello in the form of SSL 2.0
                self._hand_over(s)
                return
            s.stray = True
            if self.agreed:
                self._blame(s, self._now[1])
            else:
                self._stray_packet = self._now[1]
        begins = _RECORD.search(s.buffer)
        if begins is not None:
            del s.buffer[: begins.start()]
            self._hand_over(s)
        else:
            del s.buffer[: max(0, len(s.buffer) - _RECORD_BYTES + 1)]

    def _search(self, s: _Side) -> None:
        """After a loss: a ClientHello, a ServerHello or an alert, wherever it is."""
        begins = _HELLO[s.number].search(s.buffer)
        if begins is not None:
            del s.buffer[: begins.start()]
            self._hand_over(s)
            self._expose()
        else:
            del s.buffer[: max(0, len(s.buffer) - _HELLO_BYTES + 1)]

    def _hand_over(self, s: _Side) -> None:
        s.state = _HANDED
        behind = self._prepared()
        rest = bytes(s.buffer)
        s.buffer.clear()
        behind.feed(s.number, rest, *self._now)

    def _prepared(self) -> Handover:
        if self._behind is None:
            self._behind = Handover("starttls", self.protocol, *self._now)
            for s in self._sides:
                if s.closed is not None:
                    self._behind.close(s.number, *s.closed)
        return self._behind

    def _expose(self) -> None:
        """TLS it is."""
        if self.handover is None:
            self.handover = self._prepared()
            self.handover.target = self.protocol
            self.handover.at_ns, self.handover.packet = self._now

    def _blame(self, s: _Side, packet: int) -> None:
        """Plaintext that a receiver which buffers carelessly takes for the encrypted dialogue's (CVE-2011-0411)."""
        standard = STANDARDS.get(self.protocol or "", STANDARDS["smtp"])
        which = "client sent plaintext after it had asked for TLS" if s.number == CLIENT else (
            "server sent plaintext after it had agreed to TLS"
        )  # fmt: skip
        self.faults.append(Fault(packet, "starttls", f"the {which}, an injection ({standard})"))

    def _end(self) -> None:
        """Nothing of this connection matters any more, unless TLS has begun on one side."""
        if self.handover is not None:
            for s in self._sides:
                s.buffer.clear()
                if s.state != _HANDED:
                    s.unwanted = EVERYTHING
            return
        self._over = True
        if self._behind is not None:
            self._behind.drop()
        for s in self._sides:
            s.buffer.clear()


def _choose(side: int, data: bytearray) -> Dialogue | None:
    """Which kind of dialogue a side's first bytes begin. None: not enough of them."""
    first = data[0]
    if first == ord("<"):
        return Xmpp()
    if side == SERVER:
        # The length of MySQL's first packet takes one byte of three.
        return None if len(data) < 2 else MySql() if data[1] == 0 else Lines()
    if first == 0:
        return Postgres()
    if first == 3:
        return Rdp()
    if first == 0x30:  # LDAP, or a tag of IMAP
        length = ber_length(data, 1)
        if length is None or length[1] >= len(data):
            return None
        return Ldap() if data[length[1]] == 2 else Lines()
    return Lines()
