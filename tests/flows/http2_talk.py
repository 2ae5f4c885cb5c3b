"""Conversations of HTTP/2 steps as text, for tests: flow_of(stream("C H E · S H D E")) == "exchange".

Turns are divided by "·"; each begins with the side and is one packet. Steps: PRE preface, SET SETTINGS, ACK its ACK, G
GOAWAY; H HEADERS, I interim HEADERS, T trailers, D DATA, E END_STREAM, P PUSH_PROMISE, R RST_STREAM; V a violation.
After "=": an error code (of G and R, else NO_ERROR and CANCEL), a method (of the client's H, else GET) or a status (of
the server's H, else 200).
"""

from __future__ import annotations

from conversation import library

from analyzer import model
from analyzer.dissector.http2.connection import Dissector
from analyzer.dissector.http2.exchanges import Exchange, Http2Event, Request, Response
from analyzer.reporter.http2 import Http2Labeler
from analyzer.reporter.verdicts import Circumstances

LABELER = Http2Labeler(library())

CONNECTION_WORDS = {"PRE": "Preface", "SET": "SETTINGS", "ACK": "SETTINGS ACK", "H": "HEADERS", "G": "GOAWAY"}
STREAM_WORDS = {
    "H": "HEADERS",
    "I": "Interim HEADERS",
    "T": "Trailers",
    "D": "DATA",
    "E": "END_STREAM",
    "P": "PUSH_PROMISE",
    "R": "RST_STREAM",
}
STEPS = {**CONNECTION_WORDS, **STREAM_WORDS, "V": "Violation", "PING": "PING"}
_ERRORS = {"G": "NO_ERROR", "R": "CANCEL", "V": "PROTOCOL_ERROR"}


def event(side: str, word: str, packet: int, stream: int) -> Http2Event:
    name, _, value = word.partition("=")
    found = Http2Event({"C": "client", "S": "server"}[side], STEPS[name], packet, packet, stream)  # type: ignore[arg-type]
    if name in _ERRORS:
        found.error = value or _ERRORS[name]
    return found


def talk(text: str, stream: int = 0) -> list[Http2Event]:
    turns = [turn.split() for turn in text.split("·")]
    return [event(side, word, packet, stream) for packet, (side, *words) in enumerate(turns, 1) for word in words]


def exchange(text: str, *, above_goaway: bool = False) -> Exchange:
    found = Exchange(1, events=talk(text, 1), above_goaway=above_goaway)
    said = {(turn.split()[0], word.split("=")[0]): word for turn in text.split("·") for word in turn.split()[1:]}
    sizes = {"packet": 1, "head_packet": 1, "last_packet": 1, "header_bytes": 50, "header_bytes_on_wire": 9}
    asked = said.get(("C", "H")) or said.get(("S", "P"))
    if asked:
        method = asked.partition("=")[2] or "GET"
        found.request = Request(**sizes, method=method, target="/", authority="a.test", scheme="http")
    if ("S", "H") in said:
        found.response = Response(**sizes, status=int(said["S", "H"].partition("=")[2] or 200))
    for one in found.events:
        one.request = found.request
    return found


def around(*, ended: bool = True, lost: model.Cause | None = None, evicted: bool = False) -> Circumstances:
    return Circumstances(0, lost, ended, evicted)


def stream(text: str, *, above_goaway: bool = False, **circumstances: object) -> model.Verdict:
    verdict = LABELER.exchange(exchange(text, above_goaway=above_goaway), around(**circumstances)).verdict  # type: ignore[arg-type]
    assert verdict is not None
    return verdict


def connection(text: str, *, tls: bool = True, **circumstances: object) -> model.Verdict:
    dissector = Dissector()
    dissector.events = talk(text)
    return LABELER.label(dissector, around(**circumstances), tls=tls)[1].verdict  # type: ignore[arg-type]


def flow_of(verdict: model.Verdict) -> str | None:
    return verdict.flow.partition("/")[2] if verdict.flow else None
