# The types of field_blocks.py, for the compiled modules.

from analyzer.dissector.http2.conversation cimport Conversation
from analyzer.dissector.http2.frames cimport FrameReader
from analyzer.dissector.http2.lifecycles cimport HeaderBlock

cdef class FieldBlocks(Conversation):
    cdef public str fields_lost
    cdef dict _types

    cdef void _begin_blocks(self, bint keep_fields, bint known)
    cdef void _wrong(self, FrameReader reader, long long number, str error, str message)
    cdef void _forget_fields(self, FrameReader reader, str why)
    cdef void _begin_block(self, FrameReader reader, long long stream, int flags, bytes fragment, long long promised)
    cdef void _add_to_block(self, FrameReader reader, HeaderBlock block, int flags, bytes fragment)
    cdef void _end_block(self, FrameReader reader, HeaderBlock block)
    cdef bytes _unpadded(self, FrameReader reader, int kind, int flags, bytes payload, int before)
    cdef void _headers_frame(self, FrameReader reader, int flags, long long stream, bytes payload)
    cdef void _push_promise(self, FrameReader reader, int flags, long long stream, bytes payload)
    cdef void _continuation(self, FrameReader reader, int flags, bytes payload)
    cdef void _unread_block(self, FrameReader reader)
