# The types of lifecycles.py, for the compiled modules.

from analyzer.dissector.http2.findings cimport Findings
from analyzer.dissector.http2.frames cimport FrameReader
from analyzer.dissector.http2.streams cimport Stream

cdef frozenset OVER

cdef class HeaderBlock:
    cdef public long long stream
    cdef long long promised
    cdef bint ends
    cdef public object data
    cdef long long length
    cdef long long frames
    cdef bint whole
    cdef long long first_ns
    cdef long long first_packet

    cdef bytearray joined(self, bytes fragment)

cdef class Lifecycles(Findings):
    cdef tuple _headers
    cdef public dict _streams
    cdef public dict _closed
    cdef long long _highest[2]
    cdef long long _open[2]
    cdef long long _not_followed
    cdef public list _early
    cdef list _last_allowed
    cdef dict _unasked
    cdef list _on
    cdef list _stray
    cdef public tuple _blocks
    cdef tuple _carried
    cdef long long _carrier[2]

    cdef void _begin_lifecycles(self, bint known)
    cdef void _touch(self, FrameReader reader, Stream stream)
    cdef Stream _find(self, FrameReader reader, long long number, str step, str called)
    cdef void _forbidden(self, FrameReader reader, Stream stream, str step)
    cdef void _misplaced(self, FrameReader reader, long long number, str step, str called)
    cdef bint _idle(self, long long number)
    cdef void _answers_early(self, FrameReader reader, long long number, str message)
    cdef void _judge_early(self)
    cdef void _move(self, Stream stream, int side, str step)
    cdef void _wait_for_request(self, Stream stream)
    cdef void _asked_beyond(self, long long number)
    cdef void _never_asked(self, long long number)
    cdef void _over(self, Stream stream)
    cdef Stream _new(self, long long number, int state, bint uncertain)
    cdef object _message(self, Stream stream, int side)
    cdef void _finish_grpc(self, Stream stream)
