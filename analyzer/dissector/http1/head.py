"""Start lines, field lines, and what they say about the length of a body. RFC 9112 if no other document is named.

A head that follows the grammar is checked by one regular expression and then only searched for the few fields that
matter; all others are never looked at. A head that does not is read line by line and repaired as the RFC tells
recipients to, and each repair is a fault. Input is `bytes`; nothing here raises for any input.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

HTTP_0_9: Final = "HTTP/0.9"

TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
# §5; no bare CR, LF or NUL in a value (RFC 9110 §5.5). Possessive: nothing is tried twice.
_WELL_FORMED = re.compile(rb"(?:" + TOKEN + rb"++:[^\r\n\0]*+\r\n)*+")
_IS_TOKEN = re.compile(TOKEN + rb"+")
_STATUS = re.compile(rb"[0-9]{3}")
# §3: what a lenient recipient may take for the spaces of a start line.
_BLANKS = b" \t\v\f\r"
_BLANK_RUN = re.compile(rb"[ \t\v\f\r]+")
_NOT_IN_TARGET = re.compile(rb"[\0- \x7f]")
_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*://([^/?#]*)")
_VERSIONS: Final = {b"HTTP/1.1": "HTTP/1.1", b"HTTP/1.0": "HTTP/1.0"}
KNOWN_METHODS: Final = frozenset(
    b"GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH QUERY "  # RFC 9110 §9.3, RFC 5789, the QUERY draft
    b"PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK REPORT SEARCH".split()  # RFC 4918, RFC 3253, RFC 5323
)
_WITH_PATHS: Final = KNOWN_METHODS - {b"CONNECT"}
_HEX: Final = b"0123456789abcdefABCDEF"

# Values of list fields that most messages have; nobody changes these lists.
_USUAL_LISTS: Final = {
    b"keep-alive": [b"keep-alive"],
    b"Keep-Alive": [b"keep-alive"],
    b"close": [b"close"],
    b"Close": [b"close"],
    b"chunked": [b"chunked"],
}
NOTHING_IN_FAULT: Final[tuple[str, ...]] = ()


def text_of(data: bytes) -> str:
    """What was sent, as text; bytes that are none stay visible."""
    return data.decode() if data.isascii() else data.decode("utf-8", "backslashreplace")


def shown(data: bytes, most: int = 40) -> str:
    """Bytes for a message to people: printable, and not long."""
    text = data[:most].decode("latin-1").encode("unicode_escape").decode("ascii")
    return text + ("…" if len(data) > most else "")


class RequestLine(msgspec.Struct, frozen=True, gc=False):
    """§3. A version of HTTP/0.9: there was none."""

    method: str
    target: str
    version: str
    fault: str | None
    authority: str | None  # of an absolute or an authority target


class StatusLine(msgspec.Struct, frozen=True, gc=False):
    """§4. The reason means nothing and is not kept."""

    version: str
    status: int
    fault: str | None


def parse_request_line(line: bytes) -> RequestLine | None:
    """A request line without its line end; None if it is none."""
    parts = line.split(b" ")
    if len(parts) == 3:
        method, target, said = parts
        version = _VERSIONS.get(said)
        if version is not None and method in _WITH_PATHS and target[:1] == b"/":
            text = text_of(target)
            if text.isprintable():
                return RequestLine(method.decode(), text, version, None, None)
    return _parse_odd_request_line(line)


def _parse_odd_request_line(line: bytes) -> RequestLine | None:
    words = _BLANK_RUN.split(line.strip(_BLANKS))
    method, last = words[0], words[-1]
    if not _IS_TOKEN.fullmatch(method):
        return None
    fault = None
    if len(words) > 1 and last[:5].upper() == b"HTTP/":
        start = line.index(method) + len(method)
        target = line[start : line.rindex(last)].strip(_BLANKS)
        if method == b"CONNECT" and len(words) > 2:
            target = words[1]  # §3: host:port has no blanks, so the words are told apart by them
        version, fault = _odd_version(last)
        if b"%b %b %b" % (method, target, last) != line:
            fault = "blanks in the request line that do not belong there (RFC 9112 §3)"
    elif len(words) == 2 and method == b"GET" and (last[:1] == b"/" or _ABSOLUTE.match(last)):
        target, version = last, HTTP_0_9  # RFC 1945 §4.1: Simple-Request
    else:
        return None
    authority = None
    if absolute := _ABSOLUTE.match(target):
        authority = absolute[1].rpartition(b"@")[2]
    elif method == b"CONNECT":
        authority = target
    if not fault:
        fault = _fault_of_target(method, target, bool(absolute))
    return RequestLine(
        method.decode(),
        text_of(target),
        version,
        fault,
        None if authority is None else text_of(authority),
    )


def _odd_version(word: bytes) -> tuple[str, str | None]:
    """§2.3. What is no version of HTTP/1 is read as HTTP/1.1, except that 1.0 and below stay what they are."""
    if (known := _VERSIONS.get(word)) is not None:
        return known, None
    fault = f"`{shown(word)}` is no version of HTTP/1 (RFC 9112 §2.3)"
    return _VERSIONS.get(word.upper(), "HTTP/1.1"), fault


def _fault_of_target(method: bytes, target: bytes, absolute: bool) -> str | None:
    """§3.2: four forms, two of them for one method each."""
    if _NOT_IN_TARGET.search(target):
        return "blanks or control characters in the request target (RFC 9112 §3.2)"
    if method == b"CONNECT":
        return None if b":" in target and b"/" not in target else "CONNECT needs host:port (RFC 9112 §3.2.3)"
    if target[:1] == b"/" or absolute:
        return None
    if target == b"*":
        # M-SEARCH and NOTIFY of SSDP use it as well, by their own standard.
        return "only OPTIONS may ask for * (RFC 9112 §3.2.4)" if method in KNOWN_METHODS - {b"OPTIONS"} else None
    return f"`{shown(target)}` is no request target (RFC 9112 §3.2)"


def parse_status_line(line: bytes) -> StatusLine | None:
    """A status line without its line end; None if it is none."""
    version = _VERSIONS.get(line[:8])
    code = line[9:12]
    if version is None or line[8:9] != b" " or line[12:13] not in (b" ", b"") or len(code) != 3 or not code.isdigit():
        return _parse_odd_status_line(line)
    status = int(code)
    fault = None if 100 <= status < 600 else f"no response has the status {status} (RFC 9110 §15)"
    return StatusLine(version, status, fault)


def _parse_odd_status_line(line: bytes) -> StatusLine | None:
    words = _BLANK_RUN.split(line, 2)
    if len(words) < 2 or not line.startswith(b"HTTP/") or not (begin := _STATUS.match(words[1])):
        return None
    version, fault = _odd_version(words[0])
    if len(words[1]) > 3:
        fault = f"`{shown(words[1])}` is no status (RFC 9112 §4)"
    elif not line.startswith(words[0] + b" " + words[1]):
        fault = "blanks in the status line that do not belong there (RFC 9112 §4)"
    return StatusLine(version, int(begin[0]), fault)


class Fields:
    """The field lines of a head, to be searched. `block` begins with the LF of the start line and ends with an empty
    line; every line in it ends with CRLF and is well-formed."""

    __slots__ = ("block", "faults", "lower")

    def __init__(self, head: bytes, start_line_end: int):
        """`start_line_end`: index of the LF that ends the start line."""
        self.faults = NOTHING_IN_FAULT
        if (
            head[start_line_end - 1] == 13  # CR
            and head[-2] == 13
            and _WELL_FORMED.fullmatch(head, start_line_end + 1, len(head) - 2)
        ):
            self.block = head[start_line_end:]
        else:
            self.block, self.faults = _repaired(head, start_line_end)
        self.lower = self.block.lower()

    def values(self, key: bytes) -> list[bytes]:
        """All values of a field, without the blanks around them. `key`: as b"\\nhost:"."""
        lower = self.lower
        at = lower.find(key)
        if at < 0:
            return []
        found = []
        while at >= 0:
            start = at + len(key)
            end = lower.index(b"\r", start)
            found.append(self.block[start:end].strip(b" \t"))
            at = lower.find(key, end)
        return found

    def tokens(self, key: bytes) -> list[bytes]:
        """A field that is a list (RFC 9110 §5.6.1), in lower case; empty elements do not count."""
        values = self.values(key)
        if not values:
            return values
        if len(values) == 1 and (known := _USUAL_LISTS.get(values[0])) is not None:
            return known
        elements = (element.strip(b" \t") for value in values for element in value.lower().split(b","))
        return [element for element in elements if element]

    def first(self, key: bytes) -> bytes | None:
        values = self.values(key)
        return values[0] if values else None


def _repaired(head: bytes, start_line_end: int) -> tuple[bytes, tuple[str, ...]]:
    """The well-formed block for one that is not, and what was wrong with it."""
    faults: dict[str, None] = {}
    if head[start_line_end - 1 : start_line_end] != b"\r":
        faults["a line ends with LF alone (RFC 9112 §2.2)"] = None
    lines: list[list[bytes]] = []  # each in parts: an obsolete folding adds to the line before
    begun = False
    for raw in head[start_line_end + 1 :].split(b"\n")[:-1]:
        line = raw
        if line[-1:] == b"\r":
            line = line[:-1]
        else:
            faults["a line ends with LF alone (RFC 9112 §2.2)"] = None
        if b"\r" in line or b"\0" in line:
            faults["a bare CR or a NUL in a field line (RFC 9112 §2.2, RFC 9110 §5.5)"] = None
            line = line.replace(b"\r", b" ").replace(b"\0", b" ")
        if not line:
            break
        if line[:1] in (b" ", b"\t"):
            if begun and lines:
                faults["obsolete line folding (RFC 9112 §5.2)"] = None
                lines[-1].append(line.strip(b" \t"))
            else:
                faults["blanks between the start line and the first field (RFC 9112 §2.2)"] = None
            continue
        begun = True
        name, colon, value = line.partition(b":")
        if not colon:
            faults[f"a line without a colon among the fields: `{shown(line)}` (RFC 9112 §5)"] = None
            continue
        if name[-1:] in (b" ", b"\t"):
            faults[f"blanks before the colon of `{shown(name.rstrip())}` (RFC 9112 §5.1)"] = None
            name = name.rstrip(b" \t")
        if not _IS_TOKEN.fullmatch(name):
            faults[f"`{shown(name)}` is no field name (RFC 9110 §5.1)"] = None
            continue
        lines.append([name + b":" + value])
        if len(faults) > 20:  # one message may be all faults
            faults = dict(list(faults.items())[:20])
    return b"\n" + b"".join(b" ".join(parts) + b"\r\n" for parts in lines) + b"\r\n", tuple(faults)


# How the end of a body is found, §6.3. UNKNOWN: it cannot be; the next message is looked for by its content.
NO_BODY, BY_LENGTH, BY_CHUNKS, BY_CLOSE, UNKNOWN = range(5)


class Framing(msgspec.Struct, frozen=True, gc=False):
    kind: int
    length: int = 0
    faults: tuple[str, ...] = ()


EMPTY: Final = Framing(NO_BODY)
UNTIL_CLOSE: Final = Framing(BY_CLOSE)
UNKNOWN_END: Final = Framing(UNKNOWN)


def framing(fields: Fields, version: str, *, response: bool, bodiless: bool) -> Framing:
    """How long the body is (§6.3). `bodiless`: a response to HEAD, or 1xx, 204, 304, whatever its fields say."""
    lower = fields.lower
    if b"\ntransfer-encoding:" not in lower:
        if b"\ncontent-length:" not in lower:
            return UNTIL_CLOSE if response and not bodiless else EMPTY  # rules 7 and 8
        length, fault = _content_length(fields)
        if bodiless:
            return Framing(NO_BODY, 0, (fault,)) if length is None and fault else EMPTY  # rule 1
        if length is None:
            return Framing(UNKNOWN, 0, (fault,) if fault else ())  # rule 5
        return Framing(BY_LENGTH if length else NO_BODY, length, (fault,) if fault else ())
    if bodiless:
        return EMPTY
    return _transfer_coded(fields, version, response)


def _transfer_coded(fields: Fields, version: str, response: bool) -> Framing:
    codings = [token.partition(b";")[0].rstrip(b" \t") for token in fields.tokens(b"\ntransfer-encoding:")]
    faults = []
    has_length = b"\ncontent-length:" in fields.lower
    if has_length:
        faults.append("both Transfer-Encoding and Content-Length (RFC 9112 §6.3, §11.2)")  # rule 3
    if version < "HTTP/1.1":
        faults.append(f"Transfer-Encoding in a message of {version} (RFC 9112 §6.1)")
    if codings == [b"identity"] or not codings:
        # Gone since RFC 7230; it always meant: as if the field were not there.
        faults.append("Transfer-Encoding without a coding (RFC 9112 §6.1)")
        if has_length:
            length, fault = _content_length(fields)
            if length is None:
                return Framing(UNKNOWN, 0, (*faults, fault or ""))
            return Framing(BY_LENGTH if length else NO_BODY, length, tuple(faults))
        return Framing(BY_CLOSE if response else NO_BODY, 0, tuple(faults))
    if codings.count(b"chunked") > 1:
        faults.append("chunked more than once (RFC 9112 §6.1)")
    if codings[-1] == b"chunked":  # rule 4
        return Framing(BY_CHUNKS, 0, tuple(faults))
    if b"chunked" in codings:
        faults.append("chunked is not the last transfer coding (RFC 9112 §6.1)")
    elif not response:
        faults.append("a request whose last transfer coding is not chunked (RFC 9112 §6.3)")
    return Framing(BY_CLOSE if response else UNKNOWN, 0, tuple(faults))


def _content_length(fields: Fields) -> tuple[int | None, str | None]:
    """The length, or None; and what is wrong. §6.2, §6.3 rule 5: a list of equal numbers is one number."""
    values = fields.values(b"\ncontent-length:")
    if len(values) == 1 and len(values[0]) < 19 and values[0].isdigit():
        return int(values[0]), None
    numbers = [element.strip(b" \t") for value in values for element in value.split(b",")]
    if not all(number.isdigit() for number in numbers):
        return None, f"Content-Length is `{shown(b', '.join(values))}`: no number (RFC 9112 §6.3)"
    stripped = {number.lstrip(b"0") or b"0" for number in numbers}
    if len(stripped) > 1:
        return None, f"different values of Content-Length: {shown(b', '.join(values))} (RFC 9112 §6.3)"
    digits = stripped.pop()
    if len(digits) > 18:
        return None, f"Content-Length {shown(digits)} is larger than anything (RFC 9110 §8.6)"
    fault = "Content-Length is given more than once (RFC 9112 §6.3)" if len(numbers) > 1 else None
    return int(digits), fault


def parse_chunk_size(line: bytes) -> tuple[int | None, str | None]:
    """The size from the line before a chunk (§7.1), without its LF; None if it is none. And what is wrong."""
    fault = None
    if line[-1:] == b"\r":
        line = line[:-1]
    else:
        fault = "the line of a chunk size ends with LF alone (RFC 9112 §7.1)"
    size = line.partition(b";")[0].rstrip(b" \t")
    digits = size.lstrip(b"0")
    if not size or size.translate(None, _HEX):
        return None, f"`{shown(line)}` is no chunk size (RFC 9112 §7.1)"
    if len(digits) > 15:
        return None, f"chunk size {shown(size)} is larger than anything (RFC 9112 §7.1)"
    if b"\r" in line or b"\0" in line:
        fault = "a bare CR or a NUL in a chunk extension (RFC 9112 §7.1.1)"
    return int(size, 16), fault
