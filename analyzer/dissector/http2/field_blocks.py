"""Field blocks out of HEADERS, PUSH_PROMISE and CONTINUATION. RFC 9113 §4.3, §6.2, §6.6, §6.10."""

from __future__ import annotations

from typing import Final

from analyzer.dissector.http2 import frames
from analyzer.dissector.http2.conversation import Conversation
from analyzer.dissector.http2.frames import FrameReader
from analyzer.dissector.http2.header_blocks import MOST_BLOCK, Block
from analyzer.dissector.http2.lifecycles import HeaderBlock
from analyzer.dissector.registries import table

MOST_FRAMES: Final = 1000  # of a block
STREAM_ID: Final = 0x7FFFFFFF  # §4.1: the highest bit is reserved
SECTIONS: Final = {
    frames.DATA: "6.1", frames.HEADERS: "6.2", frames.PRIORITY: "6.3", frames.RST_STREAM: "6.4",
    frames.SETTINGS: "6.5", frames.PUSH_PROMISE: "6.6", frames.PING: "6.7", frames.GOAWAY: "6.8",
    frames.WINDOW_UPDATE: "6.9", frames.CONTINUATION: "6.10",
}  # fmt: skip


class FieldBlocks(Conversation):
    """Puts blocks together. `reader` is the side whose frame it is."""

    def __init__(self, keep_fields: bool, *, known: bool):
        super().__init__(keep_fields, known=known)
        self.fields_lost: str | None = None  # why the dynamic table of a side is not known
        self._types = table("http2-frame-types")

    def _wrong(self, reader: FrameReader, number: int, error: str, message: str) -> None:
        stream = self._streams.get(number)
        self._violated(reader.number, number, stream, error, message, reader.packet, reader.at_ns)

    def _forget_fields(self, reader: FrameReader, why: str) -> None:
        self._headers[reader.number].forget()
        self.fields_lost = self.fields_lost or why

    def _begin_block(
        self, reader: FrameReader, stream: int, flags: int, fragment: bytes | None, promised: int | None
    ) -> None:
        block = self._blocks[reader.number]
        block.stream, block.promised = stream, promised
        block.ends = promised is None and bool(flags & frames.END_STREAM)
        block.data.clear()
        block.length = block.frames = 0
        block.whole = True
        block.first_ns, block.first_packet = reader.first_ns, reader.first_packet
        self._add_to_block(reader, block, flags, fragment)

    def _add_to_block(self, reader: FrameReader, block: HeaderBlock, flags: int, fragment: bytes | None) -> None:
        block.frames += 1
        block.length += len(fragment) if fragment is not None else reader.length
        if fragment is None:
            block.whole = False
        elif block.whole and block.length <= MOST_BLOCK:
            block.data += fragment
        if block.frames == MOST_FRAMES or (block.length > MOST_BLOCK and block.whole):
            what = f"more than {MOST_BLOCK} bytes" if block.length > MOST_BLOCK else f"{MOST_FRAMES} frames"
            self._once("long block", reader.packet, f"a field block of {what}: ENHANCE_YOUR_CALM (RFC 9113 §10.5.1)")
        if block.length > MOST_BLOCK:
            block.whole = False
            block.data.clear()
        if flags & frames.END_HEADERS:
            self._end_block(reader, block)

    def _end_block(self, reader: FrameReader, block: HeaderBlock) -> None:
        """§4.3: every block counts for the dynamic table, whatever becomes of its stream."""
        number, block.stream = block.stream, 0
        if block.whole:
            found = self._headers[reader.number].decode(bytes(block.data))
            block.data.clear()
            if found.error is not None:
                error, message = found.error
                self._wrong(reader, 0, error, message)
                if not self._headers[reader.number].known:
                    self.fields_lost = self.fields_lost or "a field block that cannot be read"
        else:
            self._forget_fields(reader, "a field block that is not whole")
            found = Block([], 0, 1)
        if block.promised is not None:
            self._promise(reader, number, block.promised, found, block.length)
        else:
            self._section(reader, number, found, block.length, ends=block.ends)

    def _unpadded(self, reader: FrameReader, kind: int, flags: int, payload: bytes, before: int) -> bytes | None:
        """§6.1: without padding; None, if that is wrong or less than `before` bytes are left."""
        if flags & frames.PADDED:
            padding = payload[0] if payload else 0
            if not payload or padding >= len(payload):
                message = f"{self._types[kind]} with more padding than payload (RFC 9113 §{SECTIONS[kind]})"
                self._wrong(reader, 0, "PROTOCOL_ERROR", message)
                return None
            payload = payload[1 : len(payload) - padding]
        if len(payload) < before:
            message = f"{self._types[kind]} of {reader.length} bytes is too short (RFC 9113 §4.2)"
            self._wrong(reader, 0, "FRAME_SIZE_ERROR", message)
            return None
        return payload

    def _headers_frame(self, reader: FrameReader, flags: int, stream: int, payload: bytes | None) -> None:
        fragment = payload
        self.headers_with_priority += bool(flags & frames.HAS_PRIORITY)
        if payload is not None:
            priority = 5 if flags & frames.HAS_PRIORITY else 0
            fragment = self._unpadded(reader, frames.HEADERS, flags, payload, priority)
            fragment = fragment[priority:] if fragment is not None else None
        else:
            self._unread_block(reader)
        self._begin_block(reader, stream, flags, fragment, None)

    def _push_promise(self, reader: FrameReader, flags: int, stream: int, payload: bytes | None) -> None:
        fragment, promised = None, 0
        if payload is not None:
            fragment = self._unpadded(reader, frames.PUSH_PROMISE, flags, payload, 4)
            if fragment is not None:
                promised = int.from_bytes(fragment[:4], "big") & STREAM_ID
                fragment = fragment[4:]
        else:
            self._unread_block(reader)
            self.lost = self.lost or reader.cause
        self._begin_block(reader, stream, flags, fragment, promised)

    def _continuation(self, reader: FrameReader, flags: int, stream: int, payload: bytes | None) -> None:
        block = self._blocks[reader.number]
        if not block.stream:
            if not self.lost:
                message = "CONTINUATION of no field block (RFC 9113 §6.10)"
                self._wrong(reader, 0, "PROTOCOL_ERROR", message)
            self._forget_fields(reader, "a field block that does not begin")
            return
        if payload is None:
            self._unread_block(reader)
        self._add_to_block(reader, block, flags, payload)

    def _unread_block(self, reader: FrameReader) -> None:
        if reader.length > frames.MOST_COLLECTED:
            message = f"a field block of more than {MOST_BLOCK} bytes: ENHANCE_YOUR_CALM (RFC 9113 §10.5.1)"
            self._once("long block", reader.packet, message)
        else:
            self.fault(reader.packet, f"bytes of a field block are missing: {reader.cause}")
            self.fields_lost = self.fields_lost or reader.cause
