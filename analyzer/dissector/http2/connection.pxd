# The types of connection.py, for the compiled modules.

from analyzer.dissector.http2.announcements cimport Announcements
from analyzer.dissector.http2.frames cimport FrameReader

cdef class Dissector(Announcements):
    cdef FrameReader _client
    cdef FrameReader _server
    cdef list _closes
    cdef list _begun
    cdef long long _empty

    cdef FrameReader _reader(self, int side)
    cpdef void feed(self, int side, object data, long long at_ns, long long packet)
    cpdef long long skippable(self, int side)
    cpdef void skip(self, int side, long long length, long long at_ns, long long packet)
    cpdef void gap(self, int side, long long length, str cause, long long packet)
    cpdef void close(self, int side, str how, long long at_ns, long long packet)
    cdef void _closed_side(self, int side, str how, long long at_ns, long long packet)
    cdef void _finish(self)
    cdef void _upgrade(self, upgraded)
    cdef void preface(self, FrameReader reader)
    cdef void _from_the_start(self)
    cdef void data_end(self, FrameReader reader, int flags, long long stream)
    cdef void frame(self, FrameReader reader, int kind, int flags, long long stream, bytes payload)
    cdef void unframed(self, FrameReader reader, str why)
    cdef void violation(self, FrameReader reader, long long stream, str error, str message)
    cdef void _count(self, FrameReader reader, int kind, int flags, long long stream)
    cdef void _priority(self, FrameReader reader, long long stream)
    cdef void _rst_stream(self, FrameReader reader, long long stream, bytes payload)
    cdef void _window_update(self, FrameReader reader, long long stream, bytes payload)
    cdef void _priority_update(self, FrameReader reader, bytes payload)
