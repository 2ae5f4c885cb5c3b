# The types of conversation.py, for the compiled modules.

from analyzer.dissector.http2.bodies cimport Bodies
from analyzer.dissector.http2.frames cimport FrameReader
from analyzer.dissector.http2.header_blocks cimport Block
from analyzer.dissector.http2.sections cimport Section
from analyzer.dissector.http2.streams cimport Stream

cdef class Conversation(Bodies):
    cdef bint _keep_fields
    cdef long long _kept
    cdef long long _resets
    cdef bint _first_request

    cdef void _begin_conversation(self, bint keep_fields, bint known)
    cdef void _section(self, FrameReader reader, long long number, Block block, long long wire, bint ends)
    cdef Stream _opened(self, FrameReader reader, long long number)
    cdef Stream _asked(self, FrameReader reader, long long number)
    cdef void _request(self, FrameReader reader, Stream stream, Block block, long long wire)
    cdef void _first(self, object event, object request)
    cdef object _make_request(self, FrameReader reader, Section section, Block block, long long wire)
    cdef list _fields(self, int side, Block block)
    cdef void _response(self, FrameReader reader, Stream stream, Block block, long long wire, bint ends)
    cdef void _interim(self, FrameReader reader, Stream stream, object status, long long wire, Section section, bint ends)
    cdef void _trailers(self, FrameReader reader, Stream stream, Block block, long long wire, bint ends)
    cdef void _malformed(self, FrameReader reader, Stream stream, Section section)
    cdef void _promise(self, FrameReader reader, long long number, long long promised, Block block, long long wire)
    cdef void _reset(self, FrameReader reader, long long number, long long code)
