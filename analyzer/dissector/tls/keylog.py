"""Key log files, line by line: the format of NSS (SSLKEYLOGFILE), and older ones that Wireshark documents.

`<label> <client random> <secret>`, in hex. Labels of TLS 1.3 are those of draft-ietf-tls-keylogfile;
CLIENT_RANDOM gives the master secret of SSL 3.0 to TLS 1.2.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST_LINE: Final = 4096  # bytes; longer ones are damaged
MASTER_HEX: Final = 96  # digits: 48 bytes

# Labels and how many digits their secrets may have; None: any number of bytes.
LABELS: Final[dict[bytes, tuple[int, ...] | None]] = {
    b"CLIENT_RANDOM": (MASTER_HEX,),
    b"CLIENT_EARLY_TRAFFIC_SECRET": (64, 96),
    b"CLIENT_HANDSHAKE_TRAFFIC_SECRET": (64, 96),
    b"SERVER_HANDSHAKE_TRAFFIC_SECRET": (64, 96),
    b"CLIENT_TRAFFIC_SECRET_0": (64, 96),
    b"SERVER_TRAFFIC_SECRET_0": (64, 96),
    b"PMS_CLIENT_RANDOM": None,  # the pre-master secret
    b"RSA": (MASTER_HEX,),  # the pre-master secret, by the first 8 bytes of what the client encrypted
    b"SESSION_ID": (MASTER_HEX,),  # the master secret, by the session's id: "RSA Session-ID:… Master-Key:…"
}
CODES: Final = {label: bytes([code]) for code, label in enumerate(LABELS)}
_ID_DIGITS: Final = {b"RSA": (16,), b"SESSION_ID": tuple(range(2, 65, 2))}
_SESSION: Final = re.compile(rb"RSA\s+Session-ID:([0-9a-f]*)\s+Master-Key:([0-9a-f]*)", re.IGNORECASE)
_LABEL: Final = re.compile(rb"[A-Z][A-Z0-9_]*")


def key(label: bytes, identifier: bytes) -> bytes | None:
    """What a secret is stored under; None: no such label."""
    code = CODES.get(label)
    return None if code is None else code + identifier


def parse_line(line: bytes) -> tuple[bytes, bytes] | bool:
    """The key and the secret of a line; True: a line that is in order and of no use here; False: a damaged one."""
    line = line.strip().removeprefix(b"\xef\xbb\xbf")  # a byte order mark, from an editor
    if not line or line.startswith(b"#"):
        return True
    session = _SESSION.fullmatch(line)
    words = [b"SESSION_ID", *session.groups()] if session is not None else line.split()
    label = words[0]
    if label not in LABELS:
        # Exporter secrets, ECH, labels to come. Anything else in this place is no key log.
        return _LABEL.fullmatch(label) is not None and len(words) == 3
    if len(words) != 3:
        return False
    digits = LABELS[label]
    if len(words[1]) not in _ID_DIGITS.get(label, (64,)) or (digits is not None and len(words[2]) not in digits):
        return False
    try:
        return CODES[label] + bytes.fromhex(words[1].decode()), bytes.fromhex(words[2].decode())
    except ValueError:
        return False


class Reader:
    """Lines from pieces of a file. What follows the last line end is kept until the line is complete."""

    def __init__(self, found: dict[bytes, bytes]):
        self.found = found  # filled here
        self.lines = 0
        self.damaged = 0
        self.first_damaged = 0  # its line number, from 1
        self._rest = b""
        self._too_long = False  # the rest of this line is left out

    @property
    def garbled(self) -> bool:
        """Something that is no line of a key log was seen."""
        return self.damaged > 0 or self._too_long

    def feed(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line)
        if len(rest) > LONGEST_LINE:
            self._too_long, rest = True, b""
        self._rest = rest

    def finish(self) -> None:
        """The file is complete: its last line needs no end."""
        if self._rest or self._too_long:
            self._line(self._rest)
            self._rest = b""

    def _line(self, line: bytes) -> None:
        self.lines += 1
        parsed = not self._too_long and len(line) <= LONGEST_LINE and parse_line(line)
        self._too_long = False
        if isinstance(parsed, tuple):
            # The last one counts: a program that crashed may have written half of the first.
            self.found[parsed[0]] = parsed[1]
        elif not parsed:
            self.damaged += 1
            self.first_damaged = self.first_damaged or self.lines
