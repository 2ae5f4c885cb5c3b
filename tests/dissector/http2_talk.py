"""HTTP/2 conversations for tests, built byte by byte: nothing here knows the dissector's code but its face.

    talk = Talk()
    talk.c(get(1)).s(ok(1), data(1, b"hello", END))
    assert brief(talk) == ["1 GET / -> 200 +5"]

Each turn is one packet, numbered from 1, at ten times that many nanoseconds. Header fields are encoded by one encoder
per side, as an endpoint would.
"""

from __future__ import annotations

from collections.abc import Callable

import hpack

from analyzer.dissector.http2.connection import CLIENT, SERVER, Dissector

PREFACE = bytes.fromhex("505249202a20485454502f322e300d0a0d0a534d0d0a0d0a")
END, END_HEADERS, PADDED, PRIORITY = 1, 4, 8, 32
ACK = 1

Piece = bytes | Callable[[hpack.Encoder], bytes]


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """RFC 9113 §4.1."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def number(value: int, size: int = 4) -> bytes:
    return value.to_bytes(size, "big")


def data(stream: int, content: bytes = b"", flags: int = 0, *, padding: int | None = None) -> bytes:
    if padding is None:
        return frame(0, flags, stream, content)
    return frame(0, flags | PADDED, stream, bytes([padding]) + content + bytes(padding))


def block(*fields: tuple[str, str]) -> Callable[[hpack.Encoder], bytes]:
    """Only the header block."""
    return lambda encoder: encoder.encode(list(fields))


def headers(stream: int, *fields: tuple[str, str], flags: int = 0, parts: int = 1, padding: int | None = None) -> Piece:
    """HEADERS, and CONTINUATION for all `parts` but the first."""

    def build(encoder: hpack.Encoder) -> bytes:
        whole = encoder.encode(list(fields))
        size = -(-len(whole) // parts)
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)] or [b""]
        first = pieces[0]
        if padding is not None:
            first = bytes([padding]) + first + bytes(padding)
        found = frame(
            1, flags | (PADDED if padding is not None else 0) | (END_HEADERS if len(pieces) == 1 else 0), stream, first
        )
        for piece in pieces[1:]:
            found += frame(9, END_HEADERS if piece is pieces[-1] else 0, stream, piece)
        return found

    return build


def get(stream: int, path: str = "/", *more: tuple[str, str], method: str = "GET", flags: int = END) -> Piece:
    pseudo = ((":method", method), (":scheme", "http"), (":authority", "a.test"), (":path", path))
    return headers(stream, *pseudo, *more, flags=flags)


def post(stream: int, path: str = "/", *more: tuple[str, str]) -> Piece:
    return get(stream, path, *more, method="POST", flags=0)


def ok(stream: int, *more: tuple[str, str], status: str = "200", flags: int = 0) -> Piece:
    return headers(stream, (":status", status), *more, flags=flags)


def promise(stream: int, promised: int, path: str, method: str = "GET") -> Piece:
    fields = [(":method", method), (":scheme", "http"), (":authority", "a.test"), (":path", path)]
    return lambda encoder: frame(5, END_HEADERS, stream, number(promised) + encoder.encode(fields))


def settings(values: dict[int, int] | None = None) -> bytes:
    return frame(4, 0, 0, b"".join(number(code, 2) + number(value) for code, value in (values or {}).items()))


SETTINGS_ACK = frame(4, ACK)


def rst(stream: int, error: int) -> bytes:
    return frame(3, 0, stream, number(error))


def goaway(last: int, error: int = 0, debug: bytes = b"") -> bytes:
    return frame(7, 0, 0, number(last) + number(error) + debug)


def update(stream: int, increment: int) -> bytes:
    return frame(8, 0, stream, number(increment))


def ping(flags: int = 0) -> bytes:
    return frame(6, flags, 0, b"12345678")


class Talk:
    """Begins with the preface and SETTINGS of both sides, unless `begun` is False."""

    def __init__(
        self,
        *,
        begun: bool = True,
        client: dict[int, int] | None = None,
        server: dict[int, int] | None = None,
        **options: object,
    ):
        self.dissector = Dissector(**options)  # type: ignore[arg-type]
        self.encoders = (hpack.Encoder(), hpack.Encoder())
        self.packet = 0
        if begun:
            self.c(PREFACE, settings(client)).s(settings(server), SETTINGS_ACK).c(SETTINGS_ACK)

    def c(self, *pieces: Piece, at_ns: int | None = None) -> Talk:
        return self._say(CLIENT, pieces, at_ns)

    def s(self, *pieces: Piece, at_ns: int | None = None) -> Talk:
        return self._say(SERVER, pieces, at_ns)

    def _say(self, side: int, pieces: tuple[Piece, ...], at_ns: int | None) -> Talk:
        self.packet += 1
        encoder = self.encoders[side]
        whole = b"".join(piece if isinstance(piece, bytes) else piece(encoder) for piece in pieces)
        self.dissector.feed(side, whole, self.packet * 10 if at_ns is None else at_ns, self.packet)
        return self

    def unseen(self, side: int, *pieces: Piece) -> int:
        """What the capture does not have, though the encoder counts it; returns its length."""
        encoder = self.encoders[side]
        return len(b"".join(piece if isinstance(piece, bytes) else piece(encoder) for piece in pieces))

    def gap(self, side: int, length: int, cause: str = "lost-in-capture") -> Talk:
        self.packet += 1
        self.dissector.gap(side, length, cause, self.packet)
        return self

    def close(self, how: str = "fin") -> Talk:
        self.packet += 1
        for side in (CLIENT, SERVER):
            self.dissector.close(side, how, self.packet * 10, self.packet)
        return self

    @property
    def exchanges(self):
        return self.dissector.exchanges

    def exchange(self, stream: int):
        return next(exchange for exchange in self.dissector.exchanges if exchange.stream == stream)


def brief(talk: Talk) -> list[str]:
    """Each exchange in a few words: "1 GET / -> 200 +5"; `?` for what is missing, `…` for what is not complete."""
    found = []
    for exchange in talk.dissector.exchanges:
        request, response = exchange.request, exchange.response
        asked, answered = "?", "?"
        if request is not None:
            asked = f"{request.method or '?'} {request.target or '?'}"
            asked += f" +{request.body_bytes}" if request.body_bytes else ""
            asked += "" if request.complete else "…"
        if response is not None:
            answered = "".join(f"{status} " for status in exchange.interim) + str(response.status or "?")
            answered += f" +{response.body_bytes}" if response.body_bytes else ""
            answered += "" if response.complete else "…"
        found.append(f"{exchange.stream} {asked} -> {answered}")
    return found


def steps(talk: Talk, stream: int = 0) -> list[str]:
    events = talk.exchange(stream).events if stream else talk.dissector.events
    return [f"{event.side[0].upper()} {event.step}" for event in events]


def faults(talk: Talk) -> list[str]:
    return [fault.message for fault in talk.dissector.faults]


def only_fault(talk: Talk) -> str:
    assert len(talk.dissector.faults) == 1, talk.dissector.faults
    return talk.dissector.faults[0].message
