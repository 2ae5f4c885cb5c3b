"""A network in user space: hands frames from one interface to another and decides what becomes of each.

It stands in for the parts of a network that lose, delay, duplicate, reorder, fragment and tag.
"""

from __future__ import annotations

import fcntl
import heapq
import ipaddress
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_ETH_P_ALL = 3
_PACKET_OUTGOING = 4

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


@dataclass(frozen=True)
class Frame:
    """An Ethernet frame on its way, with the fields of its TCP segment that rules ask for."""

    data: bytes
    sender: str  # client | server
    flags: int
    sequence: int
    acknowledgement: int
    source_port: int
    destination_port: int
    window: int
    payload: bytes

    @classmethod
    def parse(cls, data: bytes, sender: str) -> Frame:
        """IPv4 and IPv6 without extension headers; anything else is a frame with no flags and no payload."""
        version, tcp, end = data[14] >> 4, 0, 0
        if version == 4 and data[23] == socket.IPPROTO_TCP:
            tcp, end = 14 + 4 * (data[14] & 15), 14 + int.from_bytes(data[16:18], "big")
        elif version == 6 and data[20] == socket.IPPROTO_TCP:
            tcp, end = 54, 54 + int.from_bytes(data[18:20], "big")
        if not tcp:
            return cls(data, sender, 0, 0, 0, 0, 0, 0, b"")
        source, destination, sequence, acked, offset, flags, window = struct.unpack_from("!HHIIBBH", data, tcp)
        payload = data[tcp + 4 * (offset >> 4) : end]
        return cls(data, sender, flags, sequence, acked, source, destination, window, payload)

    def has(self, flags: int) -> bool:
        return self.flags & flags == flags

    @property
    def next_sequence(self) -> int:
        """The number of what its sender sends after it."""
        return (self.sequence + len(self.payload) + self.has(SYN) + self.has(FIN)) % 2**32


# What becomes of a frame: None passes it on as it is; else each copy to send on, after how many seconds.
# [] drops it, [(0, data), (0.01, data)] duplicates it.
Rule = Callable[[Frame], "list[tuple[float, bytes]] | None"]
# What the mirror port shows of a frame, for example the frame with a VLAN tag, or several frames.
Tag = Callable[[Frame], "bytes | list[bytes]"]


def pass_on(frame: Frame) -> None:
    """The rule of a network that only joins the hosts."""


def drop(frame: Frame) -> list[tuple[float, bytes]]:
    return []


def delay(frame: Frame, seconds: float) -> list[tuple[float, bytes]]:
    return [(seconds, frame.data)]


def has_data(frame: Frame) -> bool:
    return bool(frame.payload)


def nth(number: int, kind: Callable[[Frame], bool], rule: Rule) -> Rule:
    """The rule for one frame only, the one with this number (from 1) among its kind; all others pass."""
    count = 0

    def counting(frame: Frame) -> list[tuple[float, bytes]] | None:
        nonlocal count
        if not kind(frame):
            return None
        count += 1
        return rule(frame) if count == number else None

    return counting


def tagged(data: bytes, vlan: int, protocol: int = 0x8100) -> bytes:
    """The frame with an IEEE 802.1Q tag (or 802.1ad with protocol 0x88a8) in front of what it has."""
    return data[:12] + struct.pack("!HH", protocol, vlan) + data[12:]


class Forwarder:
    """Joins the interfaces `to-client` and `to-server` of the namespace it is made in, in a thread of its own."""

    def __init__(self, rule: Rule | None = None, mirror: Tag | None = None):
        self.rule = rule or pass_on
        self.mirror = mirror
        self.last: dict[str, Frame] = {}  # of each sender
        self._sockets = {"client": _packet_socket("to-client"), "server": _packet_socket("to-server")}
        self._mirror = _packet_socket("mirror") if mirror else None
        self._wake, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        os.close(self._stopped)
        self._thread.join()
        os.close(self._wake)
        for sock in (*self._sockets.values(), self._mirror):
            if sock:
                sock.close()

    def inject(self, towards: str, data: bytes) -> None:
        """Put a frame of our own on the wire to the client or to the server."""
        self._sockets[towards].send(data)

    def _run(self) -> None:
        waiting: list[tuple[float, int, socket.socket, bytes]] = []
        count = 0  # keeps frames that are due at once in order
        senders = {sock.fileno(): sender for sender, sock in self._sockets.items()}
        while True:
            timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
            ready, _, _ = select.select([*senders, self._wake], [], [], timeout)
            if self._wake in ready:
                return
            for fd in ready:
                sender = senders[fd]
                data, origin = self._sockets[sender].recvfrom(65536)
                if origin[2] == _PACKET_OUTGOING:
                    continue
                frame = self.last[sender] = Frame.parse(data, sender)
                if self._mirror:
                    shown = self.mirror(frame)
                    for one in [shown] if isinstance(shown, bytes) else shown:
                        self._mirror.send(one)
                target = self._sockets["server" if sender == "client" else "client"]
                copies = self.rule(frame)
                for seconds, copy in [(0, data)] if copies is None else copies:
                    count += 1
                    heapq.heappush(waiting, (time.monotonic() + seconds, count, target, copy))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, target, copy = heapq.heappop(waiting)
                target.send(copy)

    @staticmethod
    def open_tun(name: str) -> int:
        """A tun device in the current namespace; the descriptor reads and writes IP packets."""
        fd = os.open("/dev/net/tun", os.O_RDWR)
        iff_tun, iff_no_pi, tunsetiff = 0x0001, 0x1000, 0x400454CA
        fcntl.ioctl(fd, tunsetiff, struct.pack("16sH22x", name.encode(), iff_tun | iff_no_pi))
        return fd

    @staticmethod
    def join_tuns(one: int, other: int) -> Callable[[], None]:
        """Copy packets between two tun devices until the returned function is called."""
        wake, stopped = os.pipe()

        def copy() -> None:
            while True:
                ready, _, _ = select.select([one, other, wake], [], [])
                if wake in ready:
                    return
                for fd in ready:
                    os.write(other if fd == one else one, os.read(fd, 65536))

        thread = threading.Thread(target=copy, daemon=True)
        thread.start()

        def stop() -> None:
            os.close(stopped)
            thread.join()
            for fd in (wake, one, other):
                os.close(fd)

        return stop


def _packet_socket(interface: str) -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    sock.bind((interface, _ETH_P_ALL))
    return sock


def forged(frame: Frame, flags: int, sequence: int) -> bytes:
    """A segment without data that claims to come from the sender of `frame`: what a blind attacker sends (IPv4)."""
    ethernet, ip = frame.data[:14], bytearray(frame.data[14:34])
    ip[2:4] = (40).to_bytes(2, "big")
    ip[10:12] = b"\0\0"
    ip[10:12] = checksum(ip)
    tcp = segment(bytes(ip[12:20]), (frame.source_port, frame.destination_port), flags, sequence)
    return ethernet + bytes(ip) + tcp


def segment(addresses: bytes, ports: tuple[int, int], flags: int, sequence: int, window: int = 0) -> bytes:
    """A TCP segment that carries and acknowledges nothing; `addresses`: the two of its IPv4 header (checksum)."""
    tcp = bytearray(struct.pack("!HHIIBBHHH", *ports, sequence % 2**32, 0, 5 << 4, flags, window, 0, 0))
    tcp[16:18] = checksum(addresses + struct.pack("!HH", socket.IPPROTO_TCP, len(tcp)) + tcp)
    return bytes(tcp)


def fragments(data: bytes, size: int) -> list[bytes]:
    """An IPv4 frame as a router hands it to a link whose packets carry `size` bytes, a multiple of 8 (RFC 791 §3.2)."""
    ethernet, header, body = data[:14], data[14:34], data[34:]
    parts = []
    for offset in range(0, len(body), size):
        part, more = body[offset : offset + size], offset + size < len(body)
        ip = bytearray(header)
        ip[2:4] = (20 + len(part)).to_bytes(2, "big")
        ip[6:8] = (more << 13 | offset // 8).to_bytes(2, "big")
        ip[10:12] = b"\0\0"
        ip[10:12] = checksum(ip)
        parts.append(ethernet + bytes(ip) + part)
    return parts


def fragments6(data: bytes, size: int, identification: int = 1) -> list[bytes]:
    """An IPv6 frame in fragments of `size` bytes, a multiple of 8 (RFC 8200 §4.5); of one if it is that short."""
    ethernet, header, body = data[:14], data[14:54], data[54:]
    parts = []
    for offset in range(0, len(body), size):
        part, more = body[offset : offset + size], offset + size < len(body)
        ip = header[:4] + struct.pack("!HB", 8 + len(part), 44) + header[7:]
        parts.append(ethernet + ip + struct.pack("!BBHI", header[6], 0, offset | more, identification) + part)
    return parts


def icmp_error(frame: bytes, router: str, kind: int, code: int, rest: int = 0, quoted: int = 548) -> bytes:
    """What a router answers to the sender of an IP frame (RFC 792, RFC 4443); `rest`: the second word of its header."""
    ethernet, packet = frame[6:12] + frame[:6] + frame[12:14], frame[14 : 14 + quoted]
    six = packet[0] >> 4 == 6
    source = ipaddress.ip_address(router).packed
    destination = packet[8:24] if six else packet[12:16]
    message = struct.pack("!BBHI", kind, code, 0, rest) + packet
    pseudo = source + destination + struct.pack("!II", len(message), 58) if six else b""
    sum_of = pseudo + message
    message = message[:2] + checksum(sum_of + bytes(len(sum_of) % 2)) + message[4:]
    if six:
        return ethernet + struct.pack("!IHBB", 6 << 28, len(message), 58, 64) + source + destination + message
    ip = bytearray(struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(message), 0, 0, 64, 1, 0) + source + destination)
    ip[10:12] = checksum(ip)
    return ethernet + bytes(ip) + message


def checksum(data: bytes) -> bytes:
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2, "big")
