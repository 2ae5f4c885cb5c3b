"""The packet table: what the packet stage knows of each frame of a chunk, as columns."""

from __future__ import annotations

import numpy as np

COLUMNS: dict[str, type[np.generic]] = {
    "number": np.int64,  # packet number as Wireshark counts, from 1
    "time_ns": np.int64,  # since 1970 UTC
    "kind": np.int8,  # layout.KIND_
    "family": np.int32,  # IP version, 4 or 6; plus 16 times the number of the tunnel it came in, 0: none
    "encapsulation": np.int32,  # where it came in a tunnel: place of its headers in `encapsulation.Encapsulations`
    "source_high": np.uint64,  # upper and lower half of the address; an IPv4 address is in the lower half
    "source_low": np.uint64,
    "destination_high": np.uint64,
    "destination_low": np.uint64,
    "source_port": np.int32,
    "destination_port": np.int32,
    "vlan": np.int64,  # up to four VLAN ids, 13 bits each (id + 1), the outermost in the lowest bits; 0: no tag
    "sequence": np.int64,  # as in the header, 0 … 2**32 - 1
    "acknowledgement": np.int64,
    "flags": np.int32,
    "window": np.int32,  # as in the header, not scaled
    "options": np.int32,  # layout.OPTION_ bits
    "mss": np.int32,  # bytes; -1: no such option
    "window_scale": np.int32,  # shift count; -1: no such option
    "payload": np.int64,  # TCP payload bytes on the wire
    "payload_captured": np.int64,  # of these, bytes present in the capture
    "payload_offset": np.int64,  # index into the chunk's data
    "ip_offset": np.int64,  # of the TCP segment's IP header, of several fragments the last to come; -1: where that
    #                         header's destination is not the packet's last (segments left in an IPv6 routing header)
    "tcp_offset": np.int64,
    "checksum": np.int8,  # layout.CHECKSUM_; only where checksums are looked at
    "connection": np.int64,  # the connection's id; -1: none
    "side": np.int8,  # 0 client, 1 server, -1 none; as known when the packet was read
    "sender": np.int8,  # 0 who sent the connection's first packet, 1 its peer, -1 none; unlike `side` never in doubt
    "began": np.int8,  # where `handed`: whether a SYN or SYN-ACK had been captured by then
    "stream_offset": np.int64,  # of `sequence`, unwrapped to 64 bits: the SYN is 0, the first byte 1
    "ack_offset": np.int64,  # of `acknowledgement`, in the peer's offsets; -1: none
    "row": np.int64,  # the connection's place in the tracker; -1: none
    "handed": np.int8,  # layout.HANDED_
    "note": np.int8,  # layout.NOTE_; only where the tracker was asked to take notes
    "missing": np.int64,  # where `handed`: bytes of the side that had not been captured by then
    "peer_missing": np.int64,  # and of its peer
    "reached": np.int64,  # where `handed`: what the peer had acknowledged of the side by then; -1: nothing
    "data_packet": np.int64,  # where `handed`: the side's last packet that brought new bytes
    "data_ns": np.int64,  # and its time
}


class PacketTable:
    """Columns over the packets of one chunk, each of shape (count,), dtypes and units in `COLUMNS`.

    A row per frame, and more for a frame with several packets (an A-MSDU): rows of a frame have the same `number`.
    `data`: the bytes that `payload_offset` points into, those of the chunk and of packets put together.
    The arrays are reused by the next chunk: copy what is to be kept. For packets whose `kind` is neither KIND_TCP nor
    KIND_ICMP_ERROR only `number`, `time_ns` and `kind` mean anything. For KIND_ICMP_ERROR the addresses, ports and
    `sequence` are those of the TCP segment that the error quotes.
    """

    def __init__(self, capacity: int = 0):
        self.count = 0
        self.frames = 0  # frames of the chunk
        self.data = memoryview(b"")
        self.capacity = 0
        self.reserve(capacity)

    def reserve(self, capacity: int) -> None:
        """Make room for `capacity` rows; the contents are lost."""
        if capacity > self.capacity or not hasattr(self, "number"):
            self.capacity = capacity
            for name, dtype in COLUMNS.items():
                setattr(self, name, np.zeros(capacity, dtype))

    def __getattr__(self, name: str) -> np.ndarray:
        raise AttributeError(f"no column {name!r}; the columns are {', '.join(COLUMNS)}")

    def columns(self) -> dict[str, np.ndarray]:
        """The filled part of each column, by name. Views, not copies."""
        return {name: getattr(self, name)[: self.count] for name in COLUMNS}
