# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Field blocks out of HEADERS, PUSH_PROMISE and CONTINUATION. RFC 9113 §4.3, §6.2, §6.6, §6.10.

Pure-Python mode, types in `field_blocks.pxd`.
"""

from __future__ import annotations

import cython

from analyzer.dissector.http2.frames import MOST_COLLECTED
from analyzer.dissector.http2.header_blocks import MOST_BLOCK
from analyzer.dissector.registries import table

if cython.compiled:
    from cython.cimports.analyzer.dissector.http2.conversation import Conversation
    from cython.cimports.analyzer.dissector.http2.frames import FrameReader
    from cython.cimports.analyzer.dissector.http2.header_blocks import Block, HeaderDecoder
    from cython.cimports.analyzer.dissector.http2.lifecycles import HeaderBlock
    from cython.cimports.analyzer.dissector.http2.streams import Stream
    from cython.cimports.analyzer.dissector.http2.wire import *
else:
    from analyzer.dissector.http2.conversation import Conversation
    from analyzer.dissector.http2.frames import FrameReader
    from analyzer.dissector.http2.header_blocks import Block, HeaderDecoder
    from analyzer.dissector.http2.lifecycles import HeaderBlock
    from analyzer.dissector.http2.streams import Stream
    from analyzer.dissector.http2.wire import *

COMPILED = cython.compiled

MOST_FRAMES = 1000  # of a block
SECTIONS = {
    DATA: "6.1", HEADERS: "6.2", PRIORITY: "6.3", RST_STREAM: "6.4", SETTINGS: "6.5", PUSH_PROMISE: "6.6",
    PING: "6.7", GOAWAY: "6.8", WINDOW_UPDATE: "6.9", CONTINUATION: "6.10",
}  # fmt: skip


@cython.cclass
class FieldBlocks(Conversation):
    """Puts blocks together. `reader` is the side whose frame it is."""

    @cython.cfunc
    def _begin_blocks(self, keep_fields: cython.bint, known: cython.bint) -> cython.void:
        self._begin_conversation(keep_fields, known)
        self.fields_lost = None  # why the dynamic table of a side is not known
        self._types = table("http2-frame-types")

    @cython.cfunc
    def _wrong(self, reader: FrameReader, number: cython.longlong, error: str, message: str) -> cython.void:
        stream: Stream = self._streams.get(number)
        self._violated(reader.number, number, stream, error, message, reader.packet, reader.at_ns)

    @cython.cfunc
    def _forget_fields(self, reader: FrameReader, why: str) -> cython.void:
        cython.cast(HeaderDecoder, self._headers[reader.number]).forget()
        self.fields_lost = self.fields_lost or why

    @cython.cfunc
    def _begin_block(
        self, reader: FrameReader, stream: cython.longlong, flags: cython.int, fragment: bytes | None,
        promised: cython.longlong,
    ) -> cython.void:  # fmt: skip
        """`promised`: -1 if this is no PUSH_PROMISE."""
        block: HeaderBlock = self._blocks[reader.number]
        block.stream = stream
        block.promised = promised
        block.ends = promised < 0 and flags & END_STREAM != 0
        block.data = b""
        block.length = 0
        block.frames = 0
        block.whole = True
        block.first_ns = reader.first_ns
        block.first_packet = reader.first_packet
        self._add_to_block(reader, block, flags, fragment)

    @cython.cfunc
    def _add_to_block(
        self, reader: FrameReader, block: HeaderBlock, flags: cython.int, fragment: bytes | None
    ) -> cython.void:
        block.frames += 1
        block.length += len(fragment) if fragment is not None else reader.length
        if fragment is None:
            block.whole = False
        elif block.whole and block.length <= MOST_BLOCK:
            block.data = fragment if block.frames == 1 else block.joined(fragment)
        if block.frames == MOST_FRAMES or (block.length > MOST_BLOCK and block.whole):
            what = f"more than {MOST_BLOCK} bytes" if block.length > MOST_BLOCK else f"{MOST_FRAMES} frames"
            self._once("long block", reader.packet, f"a field block of {what}: ENHANCE_YOUR_CALM (RFC 9113 §10.5.1)")
        if block.length > MOST_BLOCK:
            block.whole = False
            block.data = b""
        if flags & END_HEADERS:
            self._end_block(reader, block)

    @cython.cfunc
    def _end_block(self, reader: FrameReader, block: HeaderBlock) -> cython.void:
        """§4.3: every block counts for the dynamic table, whatever becomes of its stream."""
        number: cython.longlong = block.stream
        decoder: HeaderDecoder = self._headers[reader.number]
        found: Block
        block.stream = 0
        if block.whole:
            found = decoder.decode(bytes(block.data))
            block.data = b""
            if found.error is not None:
                error, message = found.error
                self._wrong(reader, 0, error, message)
                if not decoder.known:
                    self.fields_lost = self.fields_lost or "a field block that cannot be read"
        else:
            self._forget_fields(reader, "a field block that is not whole")
            found = Block([], 0, 1)
        if block.promised >= 0:
            self._promise(reader, number, block.promised, found, block.length)
        else:
            self._section(reader, number, found, block.length, block.ends)

    @cython.cfunc
    def _unpadded(
        self, reader: FrameReader, kind: cython.int, flags: cython.int, payload: bytes, before: cython.int
    ) -> bytes | None:
        """§6.1: without padding; None, if that is wrong or less than `before` bytes are left."""
        padding: cython.Py_ssize_t
        if flags & PADDED:
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

    @cython.cfunc
    def _headers_frame(
        self, reader: FrameReader, flags: cython.int, stream: cython.longlong, payload: bytes | None
    ) -> cython.void:
        fragment: bytes = payload
        if payload is None:
            self._unread_block(reader)
        elif flags & HAS_PRIORITY:
            fragment = self._unpadded(reader, HEADERS, flags, payload, 5)
            fragment = fragment[5:] if fragment is not None else None
        elif flags & PADDED:
            fragment = self._unpadded(reader, HEADERS, flags, payload, 0)
        if flags & HAS_PRIORITY:
            self.headers_with_priority += 1
        self._begin_block(reader, stream, flags, fragment, -1)

    @cython.cfunc
    def _push_promise(
        self, reader: FrameReader, flags: cython.int, stream: cython.longlong, payload: bytes | None
    ) -> cython.void:
        fragment: bytes = None
        promised: cython.longlong = 0
        if payload is not None:
            fragment = self._unpadded(reader, PUSH_PROMISE, flags, payload, 4)
            if fragment is not None:
                promised = int.from_bytes(fragment[:4], "big") & STREAM_ID
                fragment = fragment[4:]
        else:
            self._unread_block(reader)
            self.lost = self.lost or reader.cause
        self._begin_block(reader, stream, flags, fragment, promised)

    @cython.cfunc
    def _continuation(self, reader: FrameReader, flags: cython.int, payload: bytes | None) -> cython.void:
        block: HeaderBlock = self._blocks[reader.number]
        if not block.stream:
            if not self.lost:
                message = "CONTINUATION of no field block (RFC 9113 §6.10)"
                self._wrong(reader, 0, "PROTOCOL_ERROR", message)
            self._forget_fields(reader, "a field block that does not begin")
            return
        if payload is None:
            self._unread_block(reader)
        self._add_to_block(reader, block, flags, payload)

    @cython.cfunc
    def _unread_block(self, reader: FrameReader) -> cython.void:
        if reader.length > MOST_COLLECTED:
            message = f"a field block of more than {MOST_BLOCK} bytes: ENHANCE_YOUR_CALM (RFC 9113 §10.5.1)"
            self._once("long block", reader.packet, message)
        else:
            self.fault(reader.packet, f"bytes of a field block are missing: {reader.cause}")
            self.fields_lost = self.fields_lost or reader.cause
