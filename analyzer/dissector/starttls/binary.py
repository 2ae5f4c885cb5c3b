"""Dialogues in binary messages: LDAP, PostgreSQL, MySQL, RDP."""

from __future__ import annotations

from typing import Final

from analyzer.dissector.starttls.dialogue import CLIENT, MOST_HEAD, Dialogue, Word, shown

LDAP_START_TLS: Final = b"1.3.6.1.4.1.1466.20037"
_LDAP_REQUEST, _LDAP_RESPONSE = 0x77, 0x78  # extended ones, RFC 4511 §4.12

POSTGRES_SSL: Final = bytes.fromhex("00000008 04d2162f")
POSTGRES_GSS: Final = bytes.fromhex("00000008 04d21630")

MYSQL_SSL: Final = 0x0800  # CLIENT_SSL
_MYSQL_MOST: Final = 4096  # bytes of a greeting

RDP_OVER_TLS: Final = 0x1 | 0x2 | 0x4 | 0x8  # TLS, CredSSP, RDSTLS, CredSSP with early authorization
_TPKT_AND_X224: Final = 11  # bytes before what a connection request or confirm carries


def ber_length(data: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """A length in BER at `at`: the value and where the contents begin. None: not complete. Indefinite or absurd
    lengths are -1."""
    if at >= len(data):
        return None
    first = data[at]
    if first < 0x80:
        return first, at + 1
    size = first & 0x7F
    if not 1 <= size <= 4:
        return -1, at + 1
    if at + 1 + size > len(data):
        return None
    return int.from_bytes(data[at + 1 : at + 1 + size], "big"), at + 1 + size


class Ldap(Dialogue):
    """RFC 4511 §4.14, and §4.1.1 for what a message looks like."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol = "ldap"
        self._asked: bytes | None = None  # message id

    def read(self, side: int, data: bytearray) -> tuple[int, Word | None]:
        if data[0] != 0x30:
            return len(data), Word.OVER
        length = ber_length(data, 1)
        if length is None:
            return 0, None
        end = length[0] + length[1]
        if length[0] < 0:
            return len(data), Word.OVER
        if len(data) < min(end, MOST_HEAD):
            return 0, None
        return end, self._message(side, bytes(data[length[1] : min(end, MOST_HEAD)]))

    def _message(self, side: int, body: bytes) -> Word | None:
        if len(body) < 3 or body[0] != 2 or not 1 <= body[1] <= 4 or len(body) <= 2 + body[1]:
            return Word.OVER
        number, operation = body[2 : 2 + body[1]], body[2 + body[1]]
        contents = ber_length(body, 3 + body[1])
        if contents is None:
            return Word.OVER
        rest = body[contents[1] :]
        if side == CLIENT and operation == _LDAP_REQUEST:
            if rest[:2] == bytes([0x80, len(LDAP_START_TLS)]) and rest[2:].startswith(LDAP_START_TLS):
                self._asked = number
                return Word.ASK
        elif side != CLIENT and operation == _LDAP_RESPONSE and number == self._asked:
            if rest[:3] == b"\x0a\x01\x00":
                return Word.YES
            self.why = f"result code {rest[2]}" if rest[:2] == b"\x0a\x01" and len(rest) > 2 else "no result code"
            return Word.NO
        return None


class Postgres(Dialogue):
    """A client may ask for encryption by GSSAPI first; each question has an answer of one byte."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol = "postgresql"
        self._asked: list[bytes] = []

    def read(self, side: int, data: bytearray) -> tuple[int, Word | None]:
        if side == CLIENT:
            if len(data) < 8:
                return 0, None
            question = bytes(data[:8])
            if question not in (POSTGRES_SSL, POSTGRES_GSS) or len(self._asked) > 4:
                return len(data), Word.OVER
            self._asked.append(question)
            return 8, Word.ASK if question == POSTGRES_SSL else None
        asked = self._asked.pop(0) if self._asked else None
        if asked == POSTGRES_GSS:
            return 1, None if data[:1] == b"N" else Word.OVER
        if asked == POSTGRES_SSL and data[:1] == b"S":
            return 1, Word.YES
        self.why = shown(data[:1])
        return 1, Word.NO if asked else Word.OVER


class MySql(Dialogue):
    """The server greets; a client that wants TLS answers with the first 32 bytes of its login, and begins."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol = "mysql"

    def read(self, side: int, data: bytearray) -> tuple[int, Word | None]:
        if len(data) < 5:
            return 0, None
        length = int.from_bytes(data[:3], "little")
        if side != CLIENT:
            # A greeting or, later, whatever the server says without TLS.
            return 4 + length, None if data[3] == 0 and data[4] == 10 and length <= _MYSQL_MOST else Word.OVER
        if len(data) < 8:
            return 0, None
        if length == 32 and int.from_bytes(data[4:8], "little") & MYSQL_SSL:
            return (36, Word.BEGIN) if len(data) >= 36 else (0, None)
        return len(data), Word.OVER


class Rdp(Dialogue):
    """MS-RDPBCGR §2.2.1.1 and §2.2.1.2: the client offers protocols, the server selects one."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol = "rdp"

    def read(self, side: int, data: bytearray) -> tuple[int, Word | None]:
        if len(data) < _TPKT_AND_X224:
            return 0, None
        length = int.from_bytes(data[2:4], "big")
        kind = 0xE0 if side == CLIENT else 0xD0
        if data[0] != 3 or data[5] & 0xF0 != kind or not _TPKT_AND_X224 <= length <= MOST_HEAD:
            return len(data), Word.OVER
        if len(data) < length:
            return 0, None
        carried = bytes(data[_TPKT_AND_X224:length])
        if side == CLIENT:
            if not carried.startswith(b"\x01"):  # a cookie or a routing token comes before
                carried = carried.partition(b"\r\n")[2]
            offered = int.from_bytes(carried[4:8], "little") if carried[:1] == b"\x01" else 0
            return length, Word.ASK if offered & RDP_OVER_TLS else Word.OVER
        if carried[:1] == b"\x02" and int.from_bytes(carried[4:8], "little") & RDP_OVER_TLS:
            return length, Word.YES
        failed = carried[:1] == b"\x03" and len(carried) >= 8
        self.why = f"failure code {int.from_bytes(carried[4:8], 'little')}" if failed else "standard RDP security"
        return length, Word.NO
