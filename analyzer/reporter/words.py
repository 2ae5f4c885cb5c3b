"""How numbers, endpoints and verdicts are written for people; shared by the table, the evidence and the summary."""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import Protocol

from analyzer import model
from analyzer.reporter.escape import escape

NEVER_OPENED = "never opened"
UNKNOWN = "?"  # what depends on header fields that were not captured
STREAMS = "http2-stream"  # the scope of the verdicts on streams

# Readable without colour: each outcome has a mark and a word of its own. The close of what never opened is "unseen" in
# the data; for people it is nothing at all, since nothing is missing.
MARKS: dict[str, str] = {
    "documented": "✓", "variant": "~", "diverged": "✗", "incomplete": "…", "unseen": "?", NEVER_OPENED: "–",
}  # fmt: skip
COLOURS: dict[str, str] = {
    "documented": "green", "variant": "cyan", "diverged": "red", "incomplete": "yellow", "unseen": "bright_black",
    NEVER_OPENED: "bright_black",
}  # fmt: skip
# For terminals that are not UTF-8: one character for one, so that columns stay aligned.
ASCII = str.maketrans("✓✗…→◀▶─│┄↺–·×—", "+!*><>-|.&--x-")

# Of an exchange on one line.
_LONGEST_METHOD = 24
_LEAST_TARGET = 12
_INTERIM_SHOWN = 3

_NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "": 10**9, "m": 60 * 10**9,
                "min": 60 * 10**9, "h": 3600 * 10**9}  # fmt: skip
_TIME = r"(\d+)(?:\.(\d+))?\s*"
_TIME_UNIT = "h|min|ms|m|s|us|µs|ns"
_DURATION = re.compile(rf"(?:{_TIME}(?:{_TIME_UNIT})\s*)*{_TIME}(?:{_TIME_UNIT})?")
_PART = re.compile(rf"{_TIME}({_TIME_UNIT})?")
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*([kmgt]?)b?", re.IGNORECASE)
_LONGEST_NS = 100 * 365 * 24 * 3600 * 10**9  # a century: added to any moment it is still a moment


def count(number: int) -> str:
    return f"{number:,}"


def plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def duration(ns: int) -> str:
    """Three digits or so, in milliseconds below a second, as network people think: 0.31 ms, 12.4 ms, 3.25 s."""
    if ns == 0:
        return "0 ms"
    if abs(ns) < 999_500_000:
        return f"{_digits(ns / 1e6)} ms"
    if abs(ns) < 60_000_000_000:
        return f"{_digits(ns / 1e9)} s"
    minutes, seconds = divmod(round(ns / 1e9), 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min"


def parse_duration(text: str) -> int | None:
    """Nanoseconds: `250ms`, `1.5s`, `1m30s`, `2 h 05 min`; a number without a unit is seconds. None if it is none."""
    text = text.strip()
    if len(text) > 40 or not _DURATION.fullmatch(text):
        return None
    total = 0
    for whole, fraction, unit in _PART.findall(text):
        scale = _NANOSECONDS[unit]
        total += int(whole) * scale + (int(fraction) * scale // 10 ** len(fraction) if fraction else 0)
    return total if total <= _LONGEST_NS else None


def _digits(value: float) -> str:
    magnitude = abs(value)
    if magnitude < 0.1:
        return f"{value:.3f}"
    return f"{value:.2f}" if magnitude < 9.995 else f"{value:.1f}" if magnitude < 99.95 else f"{value:.0f}"


def size(number: int) -> str:
    """Bytes in decimal units, as network rates are: 812 B, 40.2 kB, 1.25 GB."""
    if number < 1000:
        return f"{number} B"
    value = float(number)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.5 or unit == "TB":
            break
    return f"{value:.2f} {unit}" if value < 9.995 else f"{value:.1f} {unit}" if value < 99.95 else f"{value:.0f} {unit}"


def parse_size(text: str) -> int | None:
    """Bytes: `100MB`, `1.5 GB`, `64M`, `4096`. None if it is none."""
    match = _SIZE.fullmatch(text.strip())
    return None if match is None else int(float(match[1]) * 1000 ** ("", "k", "m", "g", "t").index(match[2].lower()))


def endpoint(of: model.Endpoint) -> str:
    address = escape(of.address)
    return f"[{address}]:{of.port}" if ":" in address else f"{address}:{of.port}"


def short_endpoint(full: str, width: int) -> str:
    """An endpoint in at most `width` cells: the middle of a long address goes first, its two ends and the port stay."""
    if len(full) <= width:
        return full
    head, colon, port = full.rpartition(":")
    tail = colon + port
    closing = "]" if head.endswith("]") else ""
    body = head[: len(head) - len(closing)]
    room = width - len(tail) - len(closing) - 1
    if room < 4:
        return shorten(full, width)
    # The first half names the network, the second the host; an odd cell goes to the network.
    return body[: room - room // 2] + "…" + body[len(body) - room // 2 :] + closing + tail


def cells(text: str) -> int:
    """Columns `text` takes on a terminal: wide East Asian characters take two, combining ones none."""
    return len(text) if text.isascii() else _cells(text)


@functools.lru_cache(maxsize=4096)  # a table says the same few words over and over
def _cells(text: str) -> int:
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def shorten(text: str, width: int) -> str:
    """`text` in at most `width` cells, an ellipsis where it was cut."""
    if cells(text) <= width:
        return text
    kept, used = "", 0
    for character in text:
        used += cells(character)
        if used > width - 1:
            break
        kept += character
    return kept.rstrip() + "…"


def shorten_path(path: str, width: int) -> str:
    """A path in at most `width` cells, preferably from a folder on: `…/web-page/capture.pcapng`. A single name keeps
    its two ends: `icmp-u…retried`."""
    if cells(path) <= width:
        return path
    for index, character in enumerate(path):
        if character == "/" and 0 < cells(path[index:]) < width:
            return "…" + path[index:]
    name = path.rpartition("/")[2]
    tail = name[len(name) - (width - 1) // 2 :]
    while cells(tail) > (width - 1) // 2:
        tail = tail[1:]
    return shorten(name, width - cells(tail)) + tail


def flow_name(flow: str) -> str:
    """`tcp-close/four-way` → `four-way`: within a column the scope is known."""
    return escape(flow.partition("/")[2] or flow)


def outcome(verdict: model.Verdict) -> str:
    """The outcome for people, a key of MARKS and COLOURS."""
    return NEVER_OPENED if verdict.cause == "never-opened" else verdict.outcome


def verdict_word(verdict: model.Verdict) -> str:
    """What a verdict comes to in a word or two, without its mark: the flow, or why there is none."""
    if verdict.cause == "never-opened":
        return NEVER_OPENED
    if verdict.outcome in ("documented", "variant") and verdict.flow:
        return flow_name(verdict.flow)
    if verdict.outcome == "diverged":
        return "diverged"
    if verdict.outcome == "incomplete":
        # "open-at-end" already says all for a close of which nothing was seen.
        if verdict.flow is None:
            return verdict.cause or "incomplete"
        return f"{flow_name(verdict.flow)} ({verdict.cause or 'incomplete'})"
    return verdict.cause or verdict.outcome


def divergence_words(divergence: model.Divergence) -> str:
    """`server RST at packet 9, expected server FIN; nearest four-way: server FIN missing after packet 8`."""
    words = f"{divergence.side} {escape(divergence.saw)} at packet {divergence.packet}"
    if divergence.expected:
        words += f", expected {escape(' or '.join(divergence.expected))}"
    if divergence.nearest:
        words += f"; nearest {flow_name(divergence.nearest)}"
        if divergence.edits:
            words += f": {escape(', '.join(divergence.edits))}"
    return words


def secured(connection: model.Connection) -> list[model.Tls]:
    """The TLS of a connection and that inside its tunnel; each once, for the outermost may be the tunnel's."""
    inside = connection.tunnel.tls if connection.tunnel else None
    found = [connection.tls] if connection.tls else []
    return [*found, inside] if inside and inside not in found else found


def spoken(connection: model.Connection) -> list[model.Http]:
    """The HTTP of a connection and that inside its tunnel; each once, for the outermost may be the tunnel's."""
    inside = connection.tunnel.http if connection.tunnel else None
    found = [connection.http] if connection.http else []
    return [*found, inside] if inside and inside not in found else found


def verdicts(connection: model.Connection) -> list[tuple[str, model.Verdict]]:
    """The verdicts of a connection, each with the name of its field or scope; those of TLS (one for each handshake), of
    HTTP and of the whole where there are. Of HTTP/2 streams, of which there may be thousands, the first of each kind:
    flow, outcome and cause."""
    found: list[tuple[str, model.Verdict]] = [("open", connection.open), ("close", connection.close)]
    found += [("tls", handshake) for tls in secured(connection) for handshake in tls.handshakes]
    for http in spoken(connection):
        found.append(("http", http.connection))
        kinds: dict[tuple[str | None, str, str | None], model.Verdict] = {}
        for one in http.exchanges:
            if (verdict := one.verdict) is not None:
                kinds.setdefault((verdict.flow, verdict.outcome, verdict.cause), verdict)
        found += [(STREAMS, verdict) for verdict in kinds.values()]
    if connection.lifecycle:
        found.append(("lifecycle", connection.lifecycle))
    return found


def exchange_count(http: model.Http) -> int:
    """Of all exchanges, also those that are not listed."""
    return len(http.exchanges) + http.exchanges_not_listed


def exchange(one: model.Exchange, width: int, *, measured: bool = True) -> str:
    """`GET /index.html → 200  5.10 kB  0.42 ms` in at most `width` cells: first the target is shortened, then what
    stands at the end goes. `measured`: also size and time."""
    asked, target = "(no request)", ""
    if one.request:
        # Cut before it is escaped: a target may be as long as a header.
        asked = shorten(escape((one.request.method or UNKNOWN)[:width]), _LONGEST_METHOD)
        target = " " + escape((one.request.target or UNKNOWN)[: 4 * width])
    answer = f" → {_answer(one)}"
    facts = [size(one.response.body_bytes)] if measured and one.response else []
    if measured and one.started_ns is not None and one.finished_ns is not None:
        facts.append(duration(one.finished_ns - one.started_ns))
    least = min(cells(target), _LEAST_TARGET)
    while facts and cells(asked + answer) + sum(cells(fact) + 2 for fact in facts) + least > width:
        facts.pop()
    tail = answer + "".join(f"  {fact}" for fact in facts)
    return shorten(asked + shorten(target, max(1, width - cells(asked + tail))) + tail, width)


def _answer(one: model.Exchange) -> str:
    """`200`, `100, 200`, `200 cut`, `no response`. HTTP/0.9 has no status; that of HTTP/2 may depend on header fields
    that were not captured."""
    said = [str(status) for status in one.interim[:_INTERIM_SHOWN]]
    if len(one.interim) > _INTERIM_SHOWN:
        said.append("…")
    if one.response is None:
        said.append("no response")
    else:
        unknown = "no status" if one.stream is None else "unknown status"
        status = unknown if one.response.status is None else str(one.response.status)
        said.append(status if one.response.complete else f"{status} cut")
    return ", ".join(said)


NOTE_WORDS = {
    "retransmissions": "retransmission", "out_of_order": "out of order", "lost_segments": "lost segment",
    "duplicate_acks": "duplicate ACK", "zero_windows": "zero window", "keep_alives": "keep-alive",
    "resets": "reset", "resets_ignored": "reset ignored", "icmp_errors": "ICMP error", "duplicates": "captured twice",
    "cut_segments": "segment cut by the snaplen", "uncaptured_bytes": "byte not captured",
    "bad_checksums": "bad checksum", "unfilled_checksums": "checksum left to the network card",
}  # fmt: skip
_UNCOUNTED = frozenset({"out of order", "captured twice"})  # phrases that take no plural
_PLURALS = {
    "reset ignored": "resets ignored", "segment cut by the snaplen": "segments cut by the snaplen",
    "byte not captured": "bytes not captured",
    "checksum left to the network card": "checksums left to the network card",
}  # fmt: skip


class Checked(Protocol):
    """Counts of segments: those that were read, with a wrong checksum, and left out for it."""

    tcp: int
    bad_checksums: int
    left_out: int


def checksum_doubts(totals: Checked) -> str | None:
    """What to think of wrong checksums that are too many for damage on the path."""
    segments = totals.tcp + totals.left_out
    if not totals.bad_checksums or totals.bad_checksums * 4 < segments:
        return None
    said = f"{totals.bad_checksums:,} of {plural(segments, 'segment')} have a wrong checksum: "
    said += "where the capture was made on the sending host, its network card fills them in later (offload)"
    return said + ("; read it without --verify-checksums" if totals.left_out else "")


def note_words(name: str, number: int) -> str:
    """`retransmissions`, 2 → `2 retransmissions`."""
    words = NOTE_WORDS[name]
    if words in _PLURALS and number != 1:
        return f"{number:,} {_PLURALS[words]}"
    return f"{number:,} {words}" if words in _UNCOUNTED else plural(number, words)


def encapsulation(layer: model.Encapsulation) -> str:
    """`vxlan 42 (10.0.0.1 → 10.0.0.2)`."""
    number = "" if layer.id is None else f" {layer.id}"
    ends = f" ({layer.source} → {layer.destination})" if layer.source else ""
    return f"{layer.type}{number}{ends}"


def notes_words(notes: model.Notes) -> list[str]:
    """The counts that are not zero. A reset that closed the connection is in its close already."""
    return [note_words(name, getattr(notes, name)) for name in NOTE_WORDS if name != "resets" and getattr(notes, name)]
