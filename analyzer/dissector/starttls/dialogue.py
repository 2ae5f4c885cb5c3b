"""What every plaintext dialogue answers about the messages it reads."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar, Final

CLIENT, SERVER = 0, 1
MOST_HEAD: Final = 512  # bytes of a message that are looked at


class Word(Enum):
    """What a message means for TLS."""

    ASK = "the client asks for TLS"
    YES = "the server agrees: its next byte, and the client's, are TLS"
    NO = "the server declines"
    BEGIN = "the client says that TLS begins, and waits for nobody"
    OVER = "TLS can no longer begin here, or it would be for no use"


class Dialogue:
    """Reads the messages of both sides. `protocol` may become known later."""

    text: ClassVar[bool] = False  # its messages never begin with a byte that TLS may begin with

    def __init__(self) -> None:
        self.protocol: str | None = None
        self.why: str | None = None  # the server's answer, when it declines

    def read(self, side: int, data: bytearray) -> tuple[int, Word | None]:
        """The first message's length in bytes, 0 if more are needed to know it; more than `data` has: the rest does
        not matter. And what it means."""
        raise NotImplementedError

    def lost(self, side: int) -> bool:
        """Bytes are missing. Whether the dialogue can go on at the next message."""
        return False


def shown(data: bytes | bytearray) -> str:
    """A line for the report."""
    return bytes(data[:80]).decode("ascii", "backslashreplace")
