# The types of multiplexing.py, for the compiled modules.

from analyzer.dissector.http2.streams cimport Stream

cdef class Multiplexing:
    cdef public long long most
    cdef public list switches
    cdef bint logging
    cdef public object log
    cdef public list head_of_line
    cdef public long long head_of_line_beyond
    cdef dict _live
    cdef dict _doubtful
    cdef object _since
    cdef long long _opened
    cdef long long _listed
    cdef long long _frames
    cdef list _last
    cdef list _apart

    cdef void begin_log(self)
    cdef void opened(self, Stream stream)
    cdef void missed(self)
    cdef Stream forgotten(self)
    cdef void _went_on(self, Stream stream)
    cdef void closed(self, Stream stream)
    cdef void end(self)
    cdef void frame(self, int side, Stream stream, long long packet, long long at_ns)
    cdef void _alternates(self, int side, Stream stream)
    cdef void held_up(self, int side, long long packet, long long from_ns, long long until_ns, list missing, long long number)
