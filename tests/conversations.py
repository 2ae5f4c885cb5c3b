"""Conversations as text, played through the whole program: lines → frames → pcap → `analyzer.analyze`.

    play("C SYN", "S SYN-ACK", "C ACK").open.flow == "tcp-open/three-way-handshake"

A line is a side (C client, S server), what it sends, how many bytes with it, and what is special about it. Both sides
count sequence and acknowledgement numbers by themselves, so a conversation is right unless a line says otherwise:

`C SYN`, `S SYN-ACK`, `C ACK`, `C DATA 100`, `C FIN`, `S RST`, `S RST-ACK`, `C FIN 20` (with 20 bytes), `C FIN-RST` …
    flags joined by hyphens; FIN and DATA carry ACK as well, RST only if it is named
`C DATA ask`, `S DATA page[1000:2000]`
    the bytes of that name, or a part of them: `play(…, data={"ask": b"GET …"})`; a number gives zeros
`S ICMP`
    destination unreachable, quoting the other side's last segment; `type=`, `code=`, `quote=` bytes of the segment
`silence 5`
    nothing of this conversation for 5 seconds, then a datagram of somebody else's

`again` the side's last segment of this kind once more     `lost` sent, but not captured
`seq=+1000` `ack=-5` off by so much, or `seq=7` exactly     `at=1.5` seconds after the beginning; otherwise 10 ms later
`isn=` of a SYN     `win=`     `wscale=` `mss=` options     `vlan=5` (or `vlan=5,6`)     `cut=10` payload bytes captured
`size0` IP length 0, as segmentation offload leaves it
"""

from __future__ import annotations

import dataclasses
import io
import ipaddress
import re
import struct
from collections.abc import Iterable, Mapping
from typing import Any

import analyzer
from analyzer import model
from tests.capture.builders import NANO, Packet, pcap

FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "ECE": 64, "CWR": 128}
ACKING = {"DATA": 16, "FIN": 17}
SPECIAL = {
    "again", "lost", "seq", "ack", "at", "isn", "win", "wscale", "mss", "vlan", "cut", "size0", "type", "code", "quote",
}  # fmt: skip
STEP_NS = 10_000_000
HANDSHAKE = ("C SYN", "S SYN-ACK", "C ACK")


@dataclasses.dataclass
class Side:
    address: str
    port: int
    mac: bytes
    next: int  # sequence number of the next byte
    last: dict[str, tuple[int, bytes]] = dataclasses.field(default_factory=dict)  # by kind: sequence number, payload
    segment: bytes = b""  # the last one sent, with its IP header


class Conversation:
    """Two sides, their numbers, and the frames captured of them so far."""

    def __init__(
        self, client: str = "10.0.0.1", client_port: int = 40000, server: str = "10.0.0.2", server_port: int = 80,
        data: Mapping[str, bytes] | None = None,
    ):  # fmt: skip
        self.data = data or {}
        self.sides = {
            "C": Side(client, client_port, b"\2\0\0\0\0\1", 1000),
            "S": Side(server, server_port, b"\2\0\0\0\0\2", 5000),
        }
        self.now = -STEP_NS
        self.packets: list[Packet] = []

    def say(self, *lines: str) -> Conversation:
        for line in lines:
            self._say(line)
        return self

    def _say(self, line: str) -> None:
        who, kind, *words = line.split()
        if who == "silence":
            self.now += round(float(kind) * 1e9)
            datagram = ip("192.0.2.1", "192.0.2.2", 17, struct.pack("!HHHH", 9, 9, 8, 0))
            self.packets.append(Packet(ethernet(self.sides["C"], self.sides["S"], datagram), self.now))
            return
        me, peer = self.sides[who], self.sides["S" if who == "C" else "C"]
        payload = b""
        if words and (words[0].isdigit() or words[0].partition("[")[0] in self.data):
            payload = self._payload(words.pop(0))
        special = dict(word.partition("=")[::2] for word in words)
        assert special.keys() <= SPECIAL, f"{line!r}: what is {special.keys() - SPECIAL}?"
        self.now = round(float(special["at"]) * 1e9) if "at" in special else self.now + STEP_NS
        if kind == "ICMP":
            self._capture(me, peer, icmp(me, peer, special), special)
            return
        flags = 0
        for name in kind.split("-"):
            flags |= ACKING.get(name) or FLAGS[name]
        if "isn" in special:
            me.next = int(special["isn"])
        if "again" in special:
            sequence, payload = me.last[kind]
        else:
            sequence = me.next
            me.last[kind] = sequence, payload
            if "seq" not in special and not flags & FLAGS["RST"]:
                me.next = (me.next + len(payload) + bool(flags & 1) + bool(flags & 2)) % 2**32
        acknowledgement = peer.next if flags & FLAGS["ACK"] else 0
        sequence = shifted(sequence, special.get("seq"))
        acknowledgement = shifted(acknowledgement, special.get("ack"))
        options = syn_options(special) if flags & FLAGS["SYN"] else b""
        if "lost" in special:
            return
        segment = tcp(me.port, peer.port, sequence, acknowledgement, flags, window=int(special.get("win", 65535)),
                      options=options, payload=payload)  # fmt: skip
        me.segment = ip(me.address, peer.address, 6, segment, total=0 if "size0" in special else None)
        cut = len(payload) - int(special["cut"]) if "cut" in special else 0
        self._capture(me, peer, me.segment, special, cut)

    def _payload(self, word: str) -> bytes:
        if word.isdigit():
            return bytes(int(word))
        name, begin, end = re.fullmatch(r"(\w+)(?:\[(\d*):(\d*)\])?", word).groups()
        return self.data[name][int(begin or 0) : int(end) if end else None]

    def _capture(self, me: Side, peer: Side, packet: bytes, special: dict[str, str], cut: int = 0) -> None:
        tags = [int(tag) for tag in special.get("vlan", "").split(",") if tag]
        frame = ethernet(me, peer, packet, tags)
        self.packets.append(Packet(frame[: len(frame) - cut], self.now, len(frame)))


def shifted(number: int, change: str | None) -> int:
    if change is None:
        return number
    return (number + int(change) if change[0] in "+-" else int(change)) % 2**32


def syn_options(special: dict[str, str]) -> bytes:
    options = b""
    if "mss" in special:
        options += struct.pack("!BBH", 2, 4, int(special["mss"]))
    if "wscale" in special:
        options += struct.pack("!BBBB", 3, 3, int(special["wscale"]), 1)
    return options


def tcp(source: int, destination: int, sequence: int, acknowledgement: int, flags: int, *, window: int = 65535,
        options: bytes = b"", payload: bytes = b"") -> bytes:  # fmt: skip
    options += bytes(-len(options) % 4)
    header = struct.pack("!HHIIHHHH", source, destination, sequence, acknowledgement,
                         (5 + len(options) // 4) << 12 | flags, window, 0, 0)  # fmt: skip
    return header + options + payload


def ip(source: str, destination: str, protocol: int, payload: bytes, *, total: int | None = None) -> bytes:
    if ":" in source:
        length = len(payload) if total is None else total
        addresses = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
        return struct.pack("!IHBB", 6 << 28, length, protocol, 64) + addresses + payload
    length = 20 + len(payload) if total is None else total
    addresses = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    return struct.pack("!BBHHHBBH", 0x45, 0, length, 0, 0x4000, 64, protocol, 0) + addresses + payload


def icmp(me: Side, peer: Side, special: dict[str, str]) -> bytes:
    six = ":" in me.address
    kind = int(special.get("type", 1 if six else 3))
    code = int(special.get("code", 4 if six else 3))
    quote = peer.segment[: (40 if six else 20) + int(special.get("quote", 20))]
    return ip(me.address, peer.address, 58 if six else 1, struct.pack("!BBHI", kind, code, 0, 0) + quote)


def ethernet(me: Side, peer: Side, packet: bytes, tags: Iterable[int] = ()) -> bytes:
    header = peer.mac + me.mac + b"".join(struct.pack("!HH", 0x8100, tag) for tag in tags)
    return header + struct.pack("!H", 0x86DD if packet[0] >> 4 == 6 else 0x0800) + packet


def capture_of(*conversations: Conversation) -> bytes:
    """A pcap of one conversation as it was said, or of several in order of time."""
    packets = [packet for conversation in conversations for packet in conversation.packets]
    if len(conversations) > 1:
        packets.sort(key=lambda packet: packet.at_ns)
    return pcap(*packets, magic=NANO, snaplen=262144)


def report(capture: bytes, **options: Any) -> list[model.Connection]:
    """The connections of a capture in order of their first packets."""
    return sorted(analyzer.analyze(io.BytesIO(capture), **options), key=lambda connection: connection.id)


def play_all(*lines: str, options: dict[str, Any] | None = None, **ends: Any) -> list[model.Connection]:
    """The connections of one conversation; `ends` are addresses, ports and data, `options` the pipeline's."""
    return report(capture_of(Conversation(**ends).say(*lines)), **options or {})


def play(*lines: str, options: dict[str, Any] | None = None, **ends: Any) -> model.Connection:
    """The one connection of a conversation."""
    (connection,) = play_all(*lines, options=options, **ends)
    return connection


def steps(verdict: model.Verdict) -> list[str]:
    """The evidence as text: "C SYN", "S SYN-ACK again", "C SYN again ×3"."""
    return [
        f"{step.side[0].upper()} {step.step}"
        + (" again" if step.retransmission else "")
        + (f" ×{step.times}" if step.times > 1 else "")
        for step in verdict.steps
    ]
