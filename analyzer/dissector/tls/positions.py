"""Where one side's records stand under its present keys, and how far that is uncertain after a loss.

Every record is protected with the number it has under its keys, which is not sent (RFC 8446 §5.3, RFC 5246 §6.1). So
after a loss of unknown size the number is searched for: the record that opens proves it.
"""

from __future__ import annotations

from typing import Final

MOST_LOST: Final = 1 << 40  # records; nobody has seen more
HEADER: Final = 5  # bytes of a record header
SHORTEST: Final = HEADER + 9  # bytes of any protected record: a content type and the shortest tag
TAIL: Final = 64  # bytes: a block and the longest MAC
MOST_TRIES: Final = 65_536  # numbers tried for one record
# What may be spent on searching before a record opens again, in bytes decrypted: tenths of a second.
WORK: Final = 256 << 20
TRY_COST: Final = 512  # bytes that could be decrypted in the time one try costs besides


class Position:
    __slots__ = ("hidden", "sequence", "slack", "stream", "tail", "work")

    def __init__(self, slack: int = 0, work: int = WORK) -> None:
        self.sequence = 0  # of the next record, if none is missing
        self.slack = slack  # by how much it may be higher
        self.stream: int | None = 0  # bytes of ciphertext before the next record; None: not known any more
        self.hidden = 0  # bytes after that, with the headers of at most `slack` records among them
        self.tail: bytes | None = b""  # end of the record before; b"": there was none; None: lost
        self.work = work

    def tries(self, length: int) -> range:
        """Sequence numbers that a record of `length` bytes may have, the likeliest first."""
        most = min(self.slack, MOST_TRIES, max(self.work, 0) // (length + TRY_COST))
        return range(self.sequence, self.sequence + most + 1)

    def opened(self, sequence: int, fragment: bytes | memoryview) -> None:
        """A record turned out to have this number."""
        if self.slack or self.hidden:
            between = sequence - self.sequence
            if self.stream is not None:
                self.stream += max(self.hidden - HEADER * between, 0)
            self.slack = self.hidden = 0
            self.work = WORK
        self.sequence = sequence + 1
        self.tail = bytes(fragment[-TAIL:])
        if self.stream is not None:
            self.stream += len(fragment)

    def missed(self, fragment: bytes | memoryview, *, counted: bool) -> None:
        """Something that looked like a record did not open. `counted`: it surely was the next one under these keys."""
        length = len(fragment)
        self.tail = bytes(fragment[-TAIL:])
        if counted:
            self.sequence += 1
            if self.stream is not None:
                self.stream += length
            return
        if self.slack:
            self.work -= (len(self.tries(length)) - 1) * (length + TRY_COST)
        self.slack += 1
        self.hidden += HEADER + length

    def lost(self, records: int | None, length: int | None) -> None:
        """`records` and `length`: how many, and their bytes with headers, as far as known."""
        self.tail = None
        if length is None:
            self.stream = None
        if records is not None:
            self.sequence += min(records, MOST_LOST)
            if length is not None and self.stream is not None:
                self.stream += max(length - HEADER * records, 0)
        elif length is not None:
            self.slack += length // SHORTEST + 1
            self.hidden += length
        else:
            self.slack += MOST_TRIES
