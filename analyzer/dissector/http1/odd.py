"""Start lines, field lines and lengths that do not follow the grammar at once: read as the RFC tells recipients to, and
each repair is a fault. RFC 9112 if no other document is named. Input is `bytes`; nothing here raises for any input.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from analyzer.dissector.http1.states import BY_CHUNKS, BY_CLOSE, BY_LENGTH, NO_BODY, UNKNOWN

if TYPE_CHECKING:
    from analyzer.dissector.http1.head import Fields

HTTP_0_9: Final = "HTTP/0.9"

TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
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
_HEX: Final = b"0123456789abcdefABCDEF"


def text_of(data: bytes) -> str:
    """What was sent, as text; bytes that are none stay visible."""
    return data.decode() if data.isascii() else data.decode("utf-8", "backslashreplace")


def shown(data: bytes, most: int = 40) -> str:
    """Bytes for a message to people: printable, and not long."""
    text = data[:most].decode("latin-1").encode("unicode_escape").decode("ascii")
    return text + ("…" if len(data) > most else "")


def request_line(line: bytes) -> tuple[str, str, str, str | None, str | None] | None:
    """Method, target, version, fault and authority of a request line (§3); None if it is none. A version of HTTP/0.9:
    there was none. Authority: of an absolute or an authority target."""
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
    return method.decode(), text_of(target), version, fault, None if authority is None else text_of(authority)


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


def status_line(line: bytes) -> tuple[str, int, str | None] | None:
    """Version, status and fault of a status line (§4); None if it is none."""
    words = _BLANK_RUN.split(line, 2)
    if len(words) < 2 or not line.startswith(b"HTTP/") or not (begin := _STATUS.match(words[1])):
        return None
    version, fault = _odd_version(words[0])
    if len(words[1]) > 3:
        fault = f"`{shown(words[1])}` is no status (RFC 9112 §4)"
    elif not line.startswith(words[0] + b" " + words[1]):
        fault = "blanks in the status line that do not belong there (RFC 9112 §4)"
    return version, int(begin[0]), fault


def repaired(head: bytes, start_line_end: int) -> tuple[bytes, tuple[str, ...]]:
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


def transfer_coded(fields: Fields, version: str, response: bool) -> tuple[int, int, tuple[str, ...]]:
    """Kind, length and faults. §6.1, §6.3"""
    codings = [token.partition(b";")[0].rstrip(b" \t") for token in fields.tokens(b"\ntransfer-encoding:")]
    faults = []
    has_length = fields.lengths > 0
    if has_length:
        faults.append("both Transfer-Encoding and Content-Length (RFC 9112 §6.3, §11.2)")  # rule 3
    if version < "HTTP/1.1":
        faults.append(f"Transfer-Encoding in a message of {version} (RFC 9112 §6.1)")
    if codings == [b"identity"] or not codings:
        # Gone since RFC 7230; it always meant: as if the field were not there.
        faults.append("Transfer-Encoding without a coding (RFC 9112 §6.1)")
        if has_length:
            length, fault = content_length(fields)
            if length is None:
                return UNKNOWN, 0, (*faults, fault or "")
            return BY_LENGTH if length else NO_BODY, length, tuple(faults)
        return BY_CLOSE if response else NO_BODY, 0, tuple(faults)
    if codings.count(b"chunked") > 1:
        faults.append("chunked more than once (RFC 9112 §6.1)")
    if codings[-1] == b"chunked":  # rule 4
        return BY_CHUNKS, 0, tuple(faults)
    if b"chunked" in codings:
        faults.append("chunked is not the last transfer coding (RFC 9112 §6.1)")
    elif not response:
        faults.append("a request whose last transfer coding is not chunked (RFC 9112 §6.3)")
    return BY_CLOSE if response else UNKNOWN, 0, tuple(faults)


def content_length(fields: Fields) -> tuple[int | None, str | None]:
    """The length, or None; and what is wrong. §6.2, §6.3 rule 5: a list of equal numbers is one number."""
    values = fields.values(b"\ncontent-length:")
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
