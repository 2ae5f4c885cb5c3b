"""HTTP/1 conversations as text, for tests.

    talk("C GET / HTTP/1.0||", "S HTTP/1.0 200 OK||hello", "S fin")

`|` stands for CRLF. Each turn is one packet, numbered from 1, at ten times that many nanoseconds.
Turns without bytes: "S fin", "C rst", "S gap 10" (bytes lost), "S skip 10" (bytes not looked at),
"end" (of the capture).
"""

from __future__ import annotations

from analyzer.dissector.http1.connection import Dissector
from analyzer.dissector.http1.states import CLIENT, SERVER

GET = "C GET / HTTP/1.1|Host: a||"
OK = "S HTTP/1.1 200 OK|Content-Length: 0||"


def sides(turn: str) -> tuple[int, str]:
    letter, _, text = turn.partition(" ")
    return {"C": CLIENT, "S": SERVER}[letter], text


def encoded(text: str) -> bytes:
    return text.replace("|", "\r\n").encode("latin-1")


def say(dissector: Dissector, turn: str, packet: int, chunk: int = 0) -> None:
    if turn == "end":
        for side in (CLIENT, SERVER):
            dissector.close(side, "end", packet * 10, packet)
        return
    side, text = sides(turn)
    word, _, number = text.partition(" ")
    if text in ("fin", "rst"):
        dissector.close(side, text, packet * 10, packet)
    elif word == "gap":
        dissector.gap(side, int(number), "lost-in-capture", packet)
    elif word == "skip":
        assert dissector.skippable(side) >= int(number)
        dissector.skip(side, int(number), packet * 10, packet)
    else:
        data = encoded(text)
        for at in range(0, len(data), chunk or max(1, len(data))):
            dissector.feed(side, data[at : at + (chunk or len(data))], packet * 10, packet)


def talk(*turns: str, chunk: int = 0, **options: object) -> Dissector:
    """`chunk`: cut all bytes into pieces of this size, as small segments would."""
    dissector = Dissector(**options)  # type: ignore[arg-type]
    for packet, turn in enumerate(turns, 1):
        say(dissector, turn, packet, chunk)
    return dissector


def brief(dissector: Dissector) -> list[str]:
    """Each exchange in a few words: "GET / -> 200 +5"; `?` for what is missing, `…` for what is not complete."""
    found = []
    for exchange in dissector.exchanges:
        request, response = exchange.request, exchange.response
        asked = "?"
        if request is not None:
            asked = f"{request.method} {request.target}"
            asked += f" +{request.body_bytes}" if request.body_bytes else ""
            asked += "" if request.complete else "…"
        answered = "?"
        if response is not None:
            answered = "".join(f"{status} " for status in exchange.interim) + str(response.status or "body")
            answered += f" +{response.body_bytes}" if response.body_bytes else ""
            answered += "" if response.complete else "…"
        found.append(f"{asked} -> {answered}")
    return found


def steps(dissector: Dissector) -> list[str]:
    return [f"{event.side[0].upper()} {event.step}" for event in dissector.events]


def faults(dissector: Dissector) -> list[str]:
    return [fault.message for fault in dissector.faults]


def only_fault(dissector: Dissector) -> str:
    assert len(dissector.faults) == 1, dissector.faults
    return dissector.faults[0].message
