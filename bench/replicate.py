"""Multiplies recorded captures into one large pcap file: the same conversations again and again, each copy new.

    python bench/replicate.py --packets 1000000 -o bench/out/web-page.pcap captures/tcp/web-page/capture.pcapng

Every copy of a connection gets its own client address and port, its own initial sequence numbers and a start
time of its own; server addresses come from a small pool, ports of servers stay as recorded. Copies overlap: about
`--open` of the captures run at any moment, so packets of many connections are interleaved as on a real link.
Everything follows from `--seed`: the same arguments give the same file.

Only TCP over IPv4 or IPv6 over Ethernet is taken; other packets of the capture are left out and counted.
Checksums: IPv4 header and TCP checksums are computed anew and right, except that the TCP checksum of a packet that
was recorded cut off is zero. The file is pcap with microseconds, which every peer reads.
"""

from __future__ import annotations

import argparse
import math
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from scapy.error import Scapy_Exception

ETHERNET = 1
IPV4, IPV6, TCP = 0x0800, 0x86DD, 6
SYN, ACK = 0x02, 0x10
RECORD = 16  # bytes of a pcap record header
SERVERS = 64  # addresses in the pool of servers
PACKETS_AT_ONCE = 200_000


@dataclass(frozen=True)
class Packet:
    """One recorded packet and where its fields are. Offsets are in bytes from the start of `frame`."""

    frame: bytes
    wire_length: int  # bytes on the wire, at least len(frame)
    at_us: int  # microseconds since the capture's first packet
    ip: int  # offset of the IP header
    tcp: int  # offset of the TCP header
    end: int  # offset behind the TCP payload, as the IP header has it
    connection: int  # number of the 5-tuple within its capture
    from_client: bool
    blocks: tuple[int, ...]  # offsets of the edges in a SACK option

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.frame[self.ip] >> 4


@dataclass(frozen=True)
class Template:
    """A recorded capture: its TCP packets in order, and how many connections they belong to."""

    packets: list[Packet]
    connections: int
    duration_us: int
    left_out: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("captures", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("-n", "--packets", type=int, default=1_000_000, help="at least so many (default 1000000)")
    parser.add_argument("--connections", type=int, default=0, help="and at least so many connections")
    parser.add_argument("--open", type=int, default=200, help="copies that run at any moment (default 200)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    templates = []
    for path in options.captures:
        try:
            template = read_template(path)
        except Scapy_Exception as problem:
            print(f"{path}: left out, {problem}")
            continue
        if template.packets:
            templates.append(template)
        else:
            print(f"{path}: left out, no TCP over IP over Ethernet in it")
    if not templates:
        sys.exit("nothing to replicate; choose other captures")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = options.output.with_suffix(".part")
    with unfinished.open("wb") as out:
        least = options.packets, options.connections
        packets, connections = replicate(templates, *least, options.open, options.seed, out)
    unfinished.replace(options.output)
    size = options.output.stat().st_size
    print(f"{options.output}: {packets:,} packets of {connections:,} connections, {size / 1e6:,.0f} MB")


def read_template(path: Path) -> Template:
    """The TCP packets of a pcap or pcapng file, with times from 0."""
    from scapy.utils import RawPcapReader

    packets: list[Packet] = []
    clients: dict[frozenset[bytes], tuple[int, bytes]] = {}
    left_out, first_us = 0, None
    with RawPcapReader(str(path)) as reader:
        for frame, meta in reader:
            at_us = _microseconds(reader, meta)
            link = getattr(meta, "linktype", None) or getattr(reader, "linktype", None)
            found = _locate(frame) if link == ETHERNET else None
            if found is None:
                left_out += 1
                continue
            ip, tcp, end = found
            first_us = at_us if first_us is None else first_us
            size, start = (4, ip + 12) if frame[ip] >> 4 == 4 else (16, ip + 8)
            source = frame[start : start + size] + frame[tcp : tcp + 2]
            destination = frame[start + size : start + 2 * size] + frame[tcp + 2 : tcp + 4]
            flags = frame[tcp + 13]
            # The client is who sends the SYN without ACK; without one, the higher port.
            if flags & (SYN | ACK) == SYN or source[-2:] > destination[-2:]:
                client = source
            else:
                client = destination
            connection, client = clients.setdefault(frozenset((source, destination)), (len(clients), client))
            packets.append(
                Packet(
                    frame, meta.wirelen, at_us - first_us, ip, tcp, end, connection, source == client, _sack(frame, tcp)
                )
            )
    packets.sort(key=lambda packet: packet.at_us)
    return Template(packets, len(clients), packets[-1].at_us if packets else 0, left_out)


def _microseconds(reader: object, meta: object) -> int:
    if hasattr(meta, "tshigh"):
        return ((meta.tshigh << 32) + meta.tslow) * 1_000_000 // int(meta.tsresol)
    fraction = meta.usec // 1000 if reader.nano else meta.usec
    return meta.sec * 1_000_000 + fraction


def _locate(frame: bytes) -> tuple[int, int, int] | None:
    """Offsets of IP header, TCP header and end of payload; None for what is not plain TCP over IP."""
    if len(frame) < 54:
        return None
    kind, ip = int.from_bytes(frame[12:14], "big"), 14
    if kind == 0x8100:
        kind, ip = int.from_bytes(frame[16:18], "big"), 18
    if kind == IPV4 and frame[ip + 9] == TCP and not int.from_bytes(frame[ip + 6 : ip + 8], "big") & 0x3FFF:
        tcp, end = ip + (frame[ip] & 15) * 4, ip + int.from_bytes(frame[ip + 2 : ip + 4], "big")
    elif kind == IPV6 and frame[ip + 6] == TCP:
        tcp, end = ip + 40, ip + 40 + int.from_bytes(frame[ip + 4 : ip + 6], "big")
    else:
        return None
    return (ip, tcp, end) if len(frame) >= tcp + 20 and end >= tcp + 20 else None


def _sack(frame: bytes, tcp: int) -> tuple[int, ...]:
    at, end = tcp + 20, min(tcp + (frame[tcp + 12] >> 4) * 4, len(frame))
    while at < end and frame[at]:
        if frame[at] == 1:
            at += 1
            continue
        if at + 1 >= end or frame[at + 1] < 2 or at + frame[at + 1] > end:
            break
        if frame[at] == 5:
            return tuple(range(at + 2, at + frame[at + 1] - 3, 4))
        at += frame[at + 1]
    return ()


def replicate(
    templates: list[Template], packets: int, connections: int, running: int, seed: int, out: BinaryIO
) -> tuple[int, int]:
    """Write at least `packets` packets of at least `connections` connections to `out`; returns how many of each.

    Copies are made some at a time; what runs on beyond the start of the next ones is carried over, so that the
    file is in order of time and memory does not grow with it.
    """
    random = np.random.default_rng(seed)
    out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, ETHERNET))
    mean_length = sum(len(t.packets) for t in templates) / len(templates)
    mean_connections = sum(t.connections for t in templates) / len(templates)
    mean_gap = max(1.0, sum(t.duration_us for t in templates) / len(templates) / running)
    copies_left = max(math.ceil(packets / mean_length), math.ceil(connections / mean_connections))
    copies_at_once = max(1, int(PACKETS_AT_ONCE / mean_length))

    clock = 1_700_000_000 * 1_000_000
    written = made = 0
    late_times, late_records = np.empty(0, np.int64), []
    while copies_left:
        count = min(copies_left, copies_at_once)
        copies_left -= count
        starts = clock + np.cumsum(random.exponential(mean_gap, count)).astype(np.int64)
        clock = int(starts[-1])
        times, records = [late_times], late_records
        # Which template a copy is of goes round, so that a mix has equal shares.
        for turn, template in enumerate(templates):
            mine = starts[turn :: len(templates)]
            for packet, row in _copies(template, mine, made, random):
                times.append(mine + packet.at_us)
                records.extend(row)
            made += len(mine) * template.connections
        when = np.concatenate(times)
        order = np.argsort(when, kind="stable")
        now = len(when) if not copies_left else int(np.searchsorted(when[order], clock))
        out.write(b"".join([records[i] for i in order[:now].tolist()]))
        written += now
        late_times, late_records = when[order[now:]], [records[i] for i in order[now:].tolist()]
    return written, made


def _copies(template: Template, starts: np.ndarray, first_connection: int, random: np.random.Generator):
    """Per packet of the template: the packet, and its pcap records, one per start."""
    count = len(starts)
    shift = random.integers(0, 1 << 32, (template.connections, 2, count), dtype=np.uint64)
    for packet in template.packets:
        data = np.empty((count, RECORD + len(packet.frame)), np.uint8)
        data[:, RECORD:] = np.frombuffer(packet.frame, np.uint8)
        when = starts + packet.at_us
        for at, value in (
            (0, when // 1_000_000), (4, when % 1_000_000), (8, len(packet.frame)), (12, packet.wire_length),
        ):  # fmt: skip
            data[:, at : at + 4] = np.broadcast_to(np.asarray(value, "<u4"), count).copy().view(np.uint8).reshape(-1, 4)

        frame = data[:, RECORD:]
        number = first_connection + np.arange(count) * template.connections + packet.connection
        _address(packet, frame, number)
        own, other = shift[packet.connection] if packet.from_client else shift[packet.connection, ::-1]
        _add(frame, packet.tcp + 4, own)
        if packet.frame[packet.tcp + 13] & ACK:
            _add(frame, packet.tcp + 8, other)
        for at in packet.blocks:
            _add(frame, at, other)
        _checksums(packet, frame)

        flat, size = data.tobytes(), data.shape[1]
        yield packet, [flat[i : i + size] for i in range(0, len(flat), size)]


def _address(packet: Packet, frame: np.ndarray, number: np.ndarray) -> None:
    """Connection `number` gets a client address and port that no other one has, and a server of the pool."""
    size, start = (4, packet.ip + 12) if packet.version == 4 else (16, packet.ip + 8)
    client_at, server_at = (start, start + size) if packet.from_client else (start + size, start)
    port_at = packet.tcp if packet.from_client else packet.tcp + 2
    client, server = 1 + number % 60_000, 1 + number % SERVERS
    port = 20_000 + number // 60_000 % 40_000
    if packet.version == 4:
        client, server = client + (10 << 24), server + (172 << 24) + (16 << 16)
    else:
        for at in (client_at, server_at):
            frame[:, at : at + 12] = np.frombuffer(bytes.fromhex("20010db8 00000000 00000000"), np.uint8)
        client = client + (1 << 24)
    _put(frame, client_at + size - 4, client, ">u4")
    _put(frame, server_at + size - 4, server, ">u4")
    _put(frame, port_at, port, ">u2")


def _put(frame: np.ndarray, at: int, values: np.ndarray, form: str) -> None:
    if not len(values):  # a template whose lot no connection drew
        return
    raw = values.astype(form).view(np.uint8).reshape(len(values), -1)
    frame[:, at : at + raw.shape[1]] = raw


def _add(frame: np.ndarray, at: int, amount: np.ndarray) -> None:
    """Adds modulo 2**32."""
    recorded = np.ascontiguousarray(frame[:, at : at + 4]).view(">u4")[:, 0].astype(np.uint64)
    _put(frame, at, (recorded + amount) & 0xFFFFFFFF, ">u4")


def _sum(frame: np.ndarray, start: int, end: int) -> np.ndarray:
    """The sum of the 16-bit words, RFC 1071, not folded."""
    part = np.ascontiguousarray(frame[:, start:end])
    if part.shape[1] % 2:
        part = np.pad(part, ((0, 0), (0, 1)))
    return part.view(">u2").sum(axis=1, dtype=np.uint64)


def _fold(total: np.ndarray) -> np.ndarray:
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return ((total & 0xFFFF) + (total >> 16)) ^ 0xFFFF


def _checksums(packet: Packet, frame: np.ndarray) -> None:
    ip, tcp, end = packet.ip, packet.tcp, packet.end
    if packet.version == 4:
        frame[:, ip + 10 : ip + 12] = 0
        _put(frame, ip + 10, _fold(_sum(frame, ip, tcp)), ">u2")
    frame[:, tcp + 16 : tcp + 18] = 0
    if end <= len(packet.frame):
        addresses = _sum(frame, ip + 12, ip + 20) if packet.version == 4 else _sum(frame, ip + 8, ip + 40)
        _put(frame, tcp + 16, _fold(_sum(frame, tcp, end) + addresses + np.uint64(TCP + end - tcp)), ">u2")


if __name__ == "__main__":
    main()
