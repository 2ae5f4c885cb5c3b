"""What tshark sees of HTTP/2, and recordings kept with it.

The logs of programs are kept as `method path status bytes`, one exchange a line, `-` for what a program
does not log, in its order, so that they can be held against the exchanges of the capture.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conversations import OPEN
from recording import CLIENT, Capture, command, streams
from tls_recording import Keys, tshark_keys

# From IANA's "HTTP/2 Frame Type" and "HTTP/2 Error Code".
FRAMES = {
    0: "DATA",
    1: "HEADERS",
    2: "PRIORITY",
    3: "RST_STREAM",
    4: "SETTINGS",
    5: "PUSH_PROMISE",
    6: "PING",
    7: "GOAWAY",
    8: "WINDOW_UPDATE",
    9: "CONTINUATION",
    10: "ALTSVC",
    12: "ORIGIN",
    16: "PRIORITY_UPDATE",
}
ERRORS = (
    *("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED"),
    *("FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM"),
    *("INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"),
)
_ACK, _END_STREAM, _PADDED = 0x1, 0x1, 0x8

# tshark looks for HTTP/2 after TLS and after an Upgrade by itself; with prior knowledge only where it is told to.
CLEARTEXT = ("-d", "tcp.port==80,http2")
GRPC = ("-d", "tcp.port==50051,http2")


@dataclass
class Frame:
    """A frame as tshark shows it. `headers` are those it could decode, `length` that of the data in a DATA frame."""

    packet: int
    time: float
    side: str  # C is the host 10.0.0.1
    kind: str
    stream: int
    flags: int
    length: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    settings: dict[int, int] = field(default_factory=dict)
    error: str = ""
    last_stream: int = 0
    promised: int = 0

    @property
    def ends(self) -> bool:
        return self.kind in ("DATA", "HEADERS") and bool(self.flags & _END_STREAM)

    def __str__(self) -> str:
        """`C HEADERS 1 GET /a.txt END`, `S HEADERS 1 200`, `S DATA 1 END`, `S GOAWAY 0 NO_ERROR last 1` …"""
        named = dict(self.headers)
        words = [self.side, self.kind, str(self.stream)]
        words += [named[name] for name in (":method", ":path", ":status") if name in named]
        words += ["ACK"] if self.kind in ("SETTINGS", "PING") and self.flags & _ACK else []
        words += [self.error] if self.error else []
        words += [f"last {self.last_stream}"] if self.kind == "GOAWAY" else []
        words += [f"promises {self.promised}"] if self.promised else []
        words += ["END"] if self.ends else []
        return " ".join(words)


def frames(path: Path, *options: str) -> dict[int, list[Frame]]:
    """The frames of every TCP stream that has any, by tshark."""
    words = ["tshark", "-r", str(path), "-o", "tcp.reassemble_out_of_order:TRUE", *options, "-T", "pdml"]
    found: dict[int, list[Frame]] = {}
    for packet in ElementTree.fromstring(command(*words).stdout).iter("packet"):
        about = {field.get("name"): field.get("show") for field in packet.iter("field")}
        if "tcp.stream" not in about:
            continue
        # A frame that came in pieces is shown where it ended.
        for one in packet.iter("field"):
            if one.get("name") == "http2.stream" and one.find("field[@name='http2.type']") is not None:
                side = "C" if about.get("ip.src") == CLIENT else "S"
                number, time = int(about["frame.number"]), float(about["frame.time_relative"])
                found.setdefault(int(about["tcp.stream"]), []).append(_frame(one, number, time, side))
    return found


def _frame(element: ElementTree.Element, packet: int, time: float, side: str) -> Frame:
    def number(name: str) -> int:
        found = element.find(f".//field[@name='{name}']")
        return int(found.get("show"), 0) if found is not None else 0

    kind = number("http2.type")
    flags, length = number("http2.flags"), number("http2.length")
    frame = Frame(packet, time, side, FRAMES.get(kind, f"type {kind}"), number("http2.streamid"), flags, length)
    for header in element.iter("field"):
        if header.get("name") == "http2.header":
            name, value = (header.find(f"field[@name='http2.header.{what}']") for what in ("name", "value"))
            frame.headers.append((name.get("show"), value.get("show") if value is not None else ""))
        elif header.get("name") == "http2.settings":
            what, value = header.find("field[@name='http2.settings.id']"), header.findall("field")[-1]
            frame.settings[int(what.get("show"))] = int(value.get("show"))
    if frame.kind == "DATA":
        frame.length -= number("http2.pad_length") + 1 if flags & _PADDED else 0
    if frame.kind == "RST_STREAM":
        frame.error = ERRORS[number("http2.rst_stream.error")]
    if frame.kind == "GOAWAY":
        frame.error, frame.last_stream = ERRORS[number("http2.goaway.error")], number("http2.goaway.last_stream_id")
    frame.promised = number("http2.push_promise.promised_stream_id")
    return frame


@dataclass
class Exchange:
    """A request and its response as the frames have it. Bytes are those of the body, without padding."""

    stream: int
    method: str | None = None
    target: str | None = None
    authority: str | None = None
    status: int | None = None
    interim: list[int] = field(default_factory=list)
    request_bytes: int = 0
    response_bytes: int = 0
    pushed: bool = False
    trailers: bool = False
    error: str = ""  # of RST_STREAM, with the side

    def line(self) -> str:
        return f"{self.method} {self.target} {self.status} {self.response_bytes}"


def exchanges(shown: Sequence[Frame]) -> list[Exchange]:
    """Of one connection, by stream."""
    found: dict[int, Exchange] = {}
    for frame in shown:
        stream = frame.promised or frame.stream
        if not stream or frame.kind not in ("HEADERS", "DATA", "PUSH_PROMISE", "RST_STREAM"):
            continue
        one = found.setdefault(stream, Exchange(stream))
        named = dict(frame.headers)
        if ":method" in named:
            one.method, one.target, one.authority = (named.get(name) for name in (":method", ":path", ":authority"))
            one.pushed = frame.kind == "PUSH_PROMISE"
        elif ":status" in named:
            status = int(named[":status"])
            if status < 200:
                one.interim.append(status)
            else:
                one.status = status
        elif frame.kind == "HEADERS" and frame.ends and (frame.side == "C" or one.status):
            one.trailers = True
        elif frame.kind == "RST_STREAM":
            one.error = f"{frame.side} {frame.error}"
        elif frame.kind == "DATA" and frame.side == "C":
            one.request_bytes += frame.length
        elif frame.kind == "DATA":
            one.response_bytes += frame.length
    return [found[stream] for stream in sorted(found)]


def keep(
    packets: Capture,
    record: str,
    *wanted: str,
    keys: Keys | None = None,
    give: bool = True,
    tcp: Sequence[str] = (),
    logs: dict[str, Sequence[str]] | None = None,
    agree: bool = True,
    options: Sequence[str] = (),
) -> None:
    """Put the capture, its secrets and the logs beside the script `record`, if tshark sees in it what it is about.

    `wanted`: for each TCP stream with HTTP/2 the frames that must be there, in this order, others between them, as
    `Frame` writes them. Every line of the logs must be an exchange of the capture and vice versa, if `agree`.
    """
    found = frames(packets.path, *tshark_keys(keys and keys.path), *options)
    for number, shown in sorted(found.items()):
        print(f"stream {number}: {', '.join(_folded(shown))}")
    if len(found) != len(wanted):
        raise SystemExit(f"{len(found)} connections with HTTP/2, not {len(wanted)}; recording in {packets.folder}")
    for text, (_, shown) in zip(wanted, sorted(found.items()), strict=True):
        names = iter([str(frame) for frame in shown])
        for step in filter(None, text.split(", ")):
            if step not in names:  # takes from the iterator up to it
                raise SystemExit(f"no {step} where it is wanted; recording left in {packets.folder}")
    lines = sorted(one.line() for _, shown in sorted(found.items()) for one in exchanges(shown))
    for name, log in (logs or {}).items():
        if agree and not _agree(lines, sorted(log)):
            raise SystemExit(f"{name} says {sorted(log)}, the capture {lines}; recording left in {packets.folder}")
    packets.keep(record, *(tcp or [f"{OPEN}, …"] * len(streams(packets.path))))
    if keys and give:
        keys.keep(record)
    for name, log in (logs or {}).items():
        (Path(record).resolve().parent / name).write_text("".join(f"{line}\n" for line in log))
        print(f"wrote {name}, {len(log)} lines")


def _agree(lines: list[str], log: list[str]) -> bool:
    """Word by word; a log says `-` for what it does not know."""
    left = list(lines)
    for line in log:
        words = line.split(" ")
        same = (
            other
            for other in left
            if all(word in ("-", theirs) for word, theirs in zip(words, other.split(" "), strict=True))
        )
        if (one := next(same, None)) is None:
            return False
        left.remove(one)
    return not left


def _folded(shown: Sequence[Frame]) -> Iterator[str]:
    last = ""
    for name in map(str, shown):
        if name != last:
            yield name
        last = name
