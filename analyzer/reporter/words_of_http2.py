"""How HTTP/2 is written for people: a connection and its streams on a line each, and what the evidence says of them."""

from __future__ import annotations

import itertools

from analyzer import model
from analyzer.reporter import words
from analyzer.reporter.escape import escape

Part = tuple[str, str | None]  # text and its colour

VERSION = "HTTP/2"

_GAP = "  "
_LEAST_EXCHANGE = 24  # cells of an exchange, before what stands behind it is shortened
_PROBLEMS = 6  # named of a connection
_LISTED = 100  # GOAWAYs and stalls
_SETTINGS = 50
_TYPES = 50  # of frames
_STREAMS = 8  # that a stream was multiplexed with
_NAME = 60  # cells of a name that may be anything
_GREATEST = 2**31 - 1  # stream
_PLAIN = "http2-stream/exchange"

# https://grpc.github.io/grpc/core/md_doc_statuscodes.html
_GRPC_STATUSES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip


def line(http: model.Http, width: int, after: str | None = None) -> list[Part]:
    """`HTTP/2`, `✓ over-tls`, `24 streams, up to 20 at once, interleaved`, … in at most `width` cells with two between
    them. What stands at the end goes first. `after`: what it began with, if it is a tunnel's."""
    verdict = http.connection
    outcome = words.outcome(verdict)
    parts: list[Part] = [
        (VERSION, None),
        (f"{words.MARKS[outcome]} {words.verdict_word(verdict)}", words.COLOURS[outcome]),
    ]
    clauses = _extent(http)
    # Rather fewer clauses than none.
    while len(clauses) > 1 and _taken([*parts, (", ".join(clauses), None)]) > width:
        clauses.pop()
    if clauses:
        parts.append((", ".join(clauses), None))
    if after is not None:
        parts.append((words.shorten(f"after {escape(after[:width])}", _NAME), None))
    if http.stalls:
        longest = words.duration(max(stall.length_ns for stall in http.stalls))
        count = len(http.stalls)
        parts.append(
            (f"1 stall of {longest}" if count == 1 else f"{words.count(count)} stalls of up to {longest}", None)
        )
    if http.head_of_line_waits:
        parts.append((words.plural(http.head_of_line_waits, "head-of-line wait"), None))
    return _fitted(parts, width)


def extent(http: model.Http) -> str:
    """`24 streams, up to 20 at once, interleaved`; nothing where the capture cannot tell."""
    return ", ".join(_extent(http))


def _extent(http: model.Http) -> list[str]:
    count = words.exchange_count(http)
    if not count and http.connection.outcome == "unseen":
        return []
    said = [words.plural(count, "stream") if count else "no streams"]
    if http.max_concurrent > 1:
        said.append(f"up to {words.count(http.max_concurrent)} at once")
    if any(one.interleaved for one in http.exchanges):
        said.append("interleaved")
    return said


def problems(http: model.Http) -> list[str]:
    """What a person must see, in few words: errors that ended the connection."""
    errors = (goaway for goaway in http.goaway if goaway.error != "NO_ERROR")
    return [
        f"GOAWAY {_name(goaway.error)} by the {goaway.side} at packet {goaway.packet}"
        for goaway in itertools.islice(errors, _PROBLEMS)
    ]


def exchange(one: model.Exchange, width: int, digits: int) -> list[Part]:
    """` 1  GET /a.css → 200  5.12 kB  0.42 ms  ~ reset CANCEL by client` in at most `width` cells. `digits`: cells of
    the stream's number."""
    lead = f"{one.stream if one.stream is not None else '':>{digits}}{_GAP}"
    room = width - words.cells(lead)
    behind = marks(one)
    least = words.exchange(one, min(room, _LEAST_EXCHANGE), measured=False)
    most = room - words.cells(least)
    while len(behind) > 1 and _taken(behind) + len(_GAP) > most:
        behind.pop()
    if behind and _taken(behind) + len(_GAP) > most:
        text, colour = behind[0]
        behind = [(words.shorten(text, most - len(_GAP)), colour)] if most > len(_GAP) + 4 else []
    room -= _taken(behind) + len(_GAP) if behind else 0
    return [
        (lead + words.exchange(one, max(1, room)), None),
        *(each for part in behind for each in ((_GAP, None), part)),
    ]


def marks(one: model.Exchange) -> list[Part]:
    """What is to be said of a stream that is more than request and response: `~ reset CANCEL by client`, `gRPC OK`."""
    found: list[Part] = []
    reset = f"reset {_name(one.reset.error)} by {one.reset.side}" if one.reset else ""
    grpc = f"gRPC {grpc_status(one.grpc.status)}" if one.grpc and not (one.reset and one.grpc.status is None) else ""
    failed = one.grpc is not None and one.grpc.status != 0
    verdict = one.verdict
    if verdict is not None and not is_plain(verdict):
        outcome = words.outcome(verdict)
        word = words.verdict_word(verdict)
        if word == "exchange-with-trailers":
            word, grpc = grpc or "with trailers", ""
        elif one.reset and word == "reset":
            word, reset = reset, ""
        elif one.reset and word == "refused" and one.reset.error == "REFUSED_STREAM":
            word, reset = f"refused by {one.reset.side}", ""
        colour = "yellow" if failed and word.startswith("gRPC") else words.COLOURS[outcome]
        found.append((f"{words.MARKS[outcome]} {word}", colour))
    if reset:
        found.append((reset, None))
    if one.pushed and not (verdict and verdict.flow == "http2-stream/pushed"):
        found.append(("pushed", None))
    if one.protocol:
        found.append((_name(one.protocol), None))
    if grpc:
        found.append((grpc, "yellow" if failed else None))
    return found


def is_plain(verdict: model.Verdict) -> bool:
    """One request, one response: what most streams are."""
    return verdict.flow == _PLAIN and verdict.outcome in ("documented", "variant")


def grpc_status(status: int | None) -> str:
    """`OK`, `5 NOT_FOUND`, `no status`."""
    if status is None:
        return "no status"
    if status == 0:
        return "OK"
    return f"{status} {_GRPC_STATUSES[status]}" if 0 < status < len(_GRPC_STATUSES) else str(status)


def stream_of(connection: model.Connection, verdict: model.Verdict) -> str:
    """`stream 5`, of a verdict on one."""
    for http in words.spoken(connection):
        for one in http.exchanges:
            if one.verdict is verdict:
                return f"stream {one.stream}"
    return words.STREAMS


def header_bytes(http: model.Http) -> tuple[int, int]:
    """Of the exchanges that are listed: as text, and as transferred. What was not captured is in neither."""
    messages = [message for one in http.exchanges for message in (one.request, one.response) if message]
    return sum(one.header_bytes for one in messages), sum(one.header_bytes_on_wire for one in messages)


def compressed(text: int, wire: int) -> str:
    """`41.2 kB on the wire of 112 kB, 37 %` (HPACK, RFC 7541). Fields that depend on what was not captured may be
    missing from the text."""
    if wire >= text:
        return f"{words.size(wire)} on the wire" if wire else ""
    return f"{words.size(wire)} on the wire of {words.size(text)}, {round(100 * wire / text)} %"


# For the evidence.


def settings(http: model.Http) -> list[str]:
    """`client: ENABLE_PUSH 0, MAX_CONCURRENT_STREAMS 100`."""
    if http.settings is None:
        return []
    sides: tuple[tuple[str, dict[str, int]], ...] = (("client", http.settings.client), ("server", http.settings.server))
    return [f"{side}: {_counted(values, _SETTINGS)}" for side, values in sides if values]


def goaways(http: model.Http) -> list[str]:
    """`packet 22: client NO_ERROR, last stream 4`."""
    said = [
        f"packet {one.packet}: {one.side} {_name(one.error)}, last stream {_last_stream(one)}"
        for one in http.goaway[:_LISTED]
    ]
    return said + _more(len(http.goaway))


def _last_stream(goaway: model.Goaway) -> str:
    """RFC 9113 §6.8: a graceful close begins with a GOAWAY that names the greatest number there is."""
    return "not yet said" if goaway.last_stream == _GREATEST else str(goaway.last_stream)


def alternatives(http: model.Http) -> list[str]:
    """`packet 4: h2=":8000" for http://example.test` (RFC 7838)."""
    said = []
    for one in http.alternative_services[:_LISTED]:
        whose = escape(one.origin) if one.origin is not None else f"the origin of stream {one.stream}"
        said.append(f"packet {one.packet}: {escape(one.value)} for {whose}")
    return said


def origins(http: model.Http) -> list[str]:
    """`packet 4: https://example.test, https://www.example.test` (RFC 8336)."""
    said = []
    for one in http.origins[:_LISTED]:
        named = ", ".join(_name(name) for name in one.origins[:_STREAMS])
        more = f" and {words.count(len(one.origins) - _STREAMS)} more" if len(one.origins) > _STREAMS else ""
        said.append(f"packet {one.packet}: {named or 'none'}{more}")
    return said


def frames(http: model.Http) -> list[str]:
    """`HEADERS 16, DATA 40`, and how often they change the stream."""
    if not http.frames:
        return []
    switches = f"; another stream's frame followed {_times(http.frame_switches)}" if http.frame_switches else ""
    return [_counted(http.frames, _TYPES) + switches]


def stalls(http: model.Http) -> list[str]:
    """`packet 33: the server waited 12.4 ms from +3.100 ms on, for the window of stream 5`."""
    return [_stall(one) for one in http.stalls[:_LISTED]] + _more(len(http.stalls))


def _stall(stall: model.Stall) -> str:
    window = f"stream {stall.stream}" if stall.stream else "the connection"
    since = f"+{stall.from_ns / 1e6:,.3f} ms"
    waited = f"the {stall.waiting} waited {words.duration(stall.length_ns)} from {since} on"
    return f"packet {stall.packet}: {waited}, for the window of {window}"


def waits(http: model.Http) -> list[str]:
    """Head-of-line blocking, which HTTP/2 has from TCP."""
    if not http.head_of_line_waits:
        return []
    return [f"{words.plural(http.head_of_line_waits, 'lost segment')} held up streams whose bytes had arrived already"]


def facts(one: model.Exchange) -> list[str]:
    """What the evidence says of a stream, besides its two messages."""
    said = []
    if one.multiplexed_with:
        said.append(_multiplexed(one))
    if one.pushed:
        said.append("pushed by the server")
    if one.protocol:
        said.append(f"protocol {_name(one.protocol)}")
    if one.grpc:
        count = "messages not counted: bytes are missing"
        if (messages := one.grpc.messages) is not None:
            count = f"{words.plural(messages.client, 'message')} sent, {words.count(messages.server)} received"
        said.append(f"gRPC {grpc_status(one.grpc.status)}, {count}")
    if one.reset:
        said.append(f"reset {_name(one.reset.error)} by the {one.reset.side} at packet {one.reset.packet}")
    return said


def _multiplexed(one: model.Exchange) -> str:
    """`multiplexed with 3, 5 and 7 more, interleaved`."""
    listed = one.multiplexed_with[:_STREAMS]
    said = ", ".join(map(str, listed))
    if more := len(one.multiplexed_with) - len(listed) + one.multiplexed_with_not_listed:
        said += f" and {words.count(more)} more"
    return f"multiplexed with {said}" + (", interleaved" if one.interleaved else "")


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{words.count(number)} times")


def _counted(values: dict[str, int], most: int) -> str:
    named = [f"{_name(name)} {words.count(number)}" for name, number in itertools.islice(values.items(), most)]
    return ", ".join([*named, "…"] if len(values) > most else named)


def _more(number: int) -> list[str]:
    return [f"… and {words.count(number - _LISTED)} more"] if number > _LISTED else []


def _name(text: str) -> str:
    return words.shorten(escape(text[:_NAME]), _NAME)


def _taken(parts: list[Part]) -> int:
    return sum(words.cells(text) for text, _ in parts) + len(_GAP) * (len(parts) - 1)


def _fitted(parts: list[Part], width: int) -> list[Part]:
    """As many as fit, two cells between them."""
    while len(parts) > 2 and _taken(parts) > width:
        parts.pop()
    if _taken(parts) > width:
        text, colour = parts[-1]
        parts[-1] = words.shorten(text, max(1, width - _taken(parts[:-1]) - len(_GAP))), colour
    return [part for index, each in enumerate(parts) for part in (((_GAP, None), each) if index else (each,))]
