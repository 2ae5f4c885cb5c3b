"""TLS conversations for tests: messages from their parts, and turns that are fed to the dissector.

    talk(("C", record(client_hello())), ("S", record(server_hello())), ("C", "fin"))

Each turn is one packet, numbered from 1, at ten times that many nanoseconds. Turns without bytes: "fin", "rst",
"gap 10" (bytes lost); ("", "end") is the end of the capture.
"""

from __future__ import annotations

from analyzer.dissector.tls.connection import CLIENT, SERVER, Dissector

RANDOM = bytes(range(32))
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
CCS = bytes.fromhex("140303000101")


def vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size, "big") + data


def u16(*values: int) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)


def record(*messages: bytes, kind: int = 22, version: int = 0x0303) -> bytes:
    return bytes([kind]) + u16(version) + vector(2, b"".join(messages))


def data(length: int = 40) -> bytes:
    """A record of application data, or anything encrypted of TLS 1.3."""
    return record(b"\xd0" * length, kind=23)


def alert(level: int, code: int) -> bytes:
    return record(bytes([level, code]), kind=21)


def message(kind: int, body: bytes = b"") -> bytes:
    return bytes([kind]) + vector(3, body)


def extension(kind: int, body: bytes = b"") -> bytes:
    return u16(kind) + vector(2, body)


def sni(name: str) -> bytes:
    return extension(0, vector(2, b"\0" + vector(2, name.encode())))


def alpn(*protocols: bytes) -> bytes:
    return extension(16, vector(2, b"".join(vector(1, one) for one in protocols)))


def versions(*values: int) -> bytes:
    return extension(43, vector(1, u16(*values)))


def key_share(*groups: int) -> bytes:
    return extension(51, vector(2, b"".join(u16(group) + vector(2, b"key") for group in groups)))


def client_hello(*extensions: bytes, suites=(0xC02F, 0x002F), session=b"", version=0x0303) -> bytes:
    body = u16(version) + RANDOM + vector(1, session) + vector(2, u16(*suites)) + b"\1\0"
    return message(1, body + (vector(2, b"".join(extensions)) if extensions else b""))


def server_hello(*extensions: bytes, suite=0x002F, session=b"", version=0x0303, random=RANDOM[::-1]) -> bytes:
    body = u16(version) + random + vector(1, session) + u16(suite) + b"\0"
    return message(2, body + (vector(2, b"".join(extensions)) if extensions else b""))


TLS13_CLIENT = (versions(0x0304), key_share(29), extension(13, vector(2, u16(0x0403))))
TLS13 = extension(43, u16(0x0304)), extension(51, u16(29) + vector(2, b"key"))


def client_hello_13(*extensions: bytes) -> bytes:
    return client_hello(*TLS13_CLIENT, *extensions, suites=(0x1301, 0x1302), session=b"s" * 32)


def server_hello_13(*extensions: bytes, suite=0x1301) -> bytes:
    return server_hello(*TLS13, *extensions, suite=suite, session=b"s" * 32)


CERTIFICATE = message(11, vector(3, vector(3, b"leaf") + vector(3, b"issuer")))
SERVER_KEY_EXCHANGE = message(12, b"\3" + u16(23) + vector(1, b"point") + u16(0x0401) + vector(2, b"signature"))
SERVER_HELLO_DONE = message(14)
CLIENT_KEY_EXCHANGE = message(16, b"key")
FINISHED_12 = record(b"\xee" * 40)

# A whole handshake each, as turns; what follows may be appended.
RSA = (
    ("C", record(client_hello(sni("a.test"), alpn(b"h2", b"http/1.1")), version=0x0301)),
    ("S", record(server_hello(alpn(b"h2")), CERTIFICATE, SERVER_HELLO_DONE)),
    ("C", record(CLIENT_KEY_EXCHANGE) + CCS + FINISHED_12),
    ("S", CCS + FINISHED_12),
)
FULL_13 = (
    ("C", record(client_hello_13(sni("a.test")), version=0x0301)),
    ("S", record(server_hello_13()) + CCS + data(40) + data(900) + data(280) + data(53)),
    ("C", CCS + data(53)),
)


def say(dissector: Dissector, side: str, what: bytes | str, packet: int, chunk: int = 0) -> None:
    number = SERVER if side == "S" else CLIENT
    if what == "end":
        for each in (CLIENT, SERVER):
            dissector.close(each, "end", packet * 10, packet)
    elif what in ("fin", "rst"):
        dissector.close(number, what, packet * 10, packet)
    elif isinstance(what, str):
        dissector.gap(number, int(what.removeprefix("gap ")), "lost-in-capture", packet)
    else:
        for at in range(0, len(what), chunk or max(1, len(what))):
            dissector.feed(number, what[at : at + (chunk or len(what))], packet * 10, packet)


def talk(*turns: tuple[str, bytes | str], chunk: int = 0, **options) -> Dissector:
    """`chunk`: cut all bytes into pieces of this size, as small segments would."""
    dissector = Dissector(**options)
    for packet, (side, what) in enumerate(turns, 1):
        say(dissector, side, what, packet, chunk)
    return dissector


def steps(dissector: Dissector) -> list[str]:
    """`C ClientHello`; `?` behind what is inferred, `*` behind what is hidden."""
    marks = {"observed": "", "inferred": "?", "hidden": "*"}
    return [f"{event.side[0].upper()} {event.step}{marks[event.seen]}" for event in dissector.events]


def packets(dissector: Dissector) -> list[int]:
    return [event.packet for event in dissector.events]


def faults(dissector: Dissector) -> list[str]:
    return [fault.message for fault in dissector.faults]


def only_fault(dissector: Dissector) -> str:
    assert len(dissector.faults) == 1, dissector.faults
    return dissector.faults[0].message
