# The types of frames.py, for the compiled modules.

from analyzer.dissector.layer cimport Layer

cdef class Sink(Layer):
    cdef void preface(self, FrameReader reader)
    cdef void data(self, FrameReader reader, long long stream)
    cdef void content(self, FrameReader reader, object data, Py_ssize_t begin, long long length, long long lost)
    cdef long long unread(self, FrameReader reader)
    cdef void data_end(self, FrameReader reader, int flags, long long stream)
    cdef void frame(self, FrameReader reader, int kind, int flags, long long stream, bytes payload)
    cdef void unframed(self, FrameReader reader, str why)
    cdef void violation(self, FrameReader reader, long long stream, str error, str message)
    cpdef void fault(self, long long packet, str message)

cdef class FrameReader:
    cdef public int number
    cdef str cause
    cdef long long at_ns
    cdef long long packet
    cdef bint late
    cdef long long late_ns
    cdef long long first_ns
    cdef long long first_packet
    cdef long long length
    cdef int flags
    cdef long long frames
    cdef long long remaining
    cdef long long content_length
    cdef long long padding
    cdef int kind
    cdef long long _stream
    cdef bytearray _buffer
    cdef long long _lost
    cdef bint _suspicious
    cdef int _state
    cdef object _resync
    cdef list _found

    cdef bint inside(self)
    cdef long long skippable(self, Sink sink)
    cdef void feed(self, Sink sink, object data, long long at_ns, long long packet)
    cdef Py_ssize_t _handle(self, Sink sink, object data, Py_ssize_t at)
    cdef void _now(self, long long at_ns, long long packet)
    cdef void skip(self, Sink sink, long long length, long long at_ns, long long packet)
    cdef void gap(self, Sink sink, long long length, str cause, long long packet)
    cdef void _pass_gap(self, Sink sink, long long length)
    cdef long long _count(self, Sink sink, long long length, bint lost)
    cdef long long end(self, Sink sink)
    cdef Py_ssize_t _preface(self, Sink sink, object data, Py_ssize_t at)
    cdef Py_ssize_t _header(self, Sink sink, object data, Py_ssize_t at)
    cdef void _begin(self, Sink sink, bytes head, Py_ssize_t at)
    cdef Py_ssize_t _pad_length(self, Sink sink, object data, Py_ssize_t at)
    cdef void _content(self, Sink sink, long long length)
    cdef void _advance(self, Sink sink, long long count)
    cdef void _end_data(self, Sink sink)
    cdef Py_ssize_t _collect(self, Sink sink, object data, Py_ssize_t at)
    cdef void _collected(self, Sink sink, long long count)
    cdef void _end_frame(self, Sink sink, bytes payload)
    cdef void _lose(self, Sink sink, str why)
    cdef Py_ssize_t _search(self, Sink sink, object data, Py_ssize_t at)
    cdef void _begin_again(self, Sink sink, list found)
