# The types of bodies.py, for the compiled modules.

from analyzer.dissector.http2.frames cimport FrameReader
from analyzer.dissector.http2.lifecycles cimport Lifecycles
from analyzer.dissector.http2.streams cimport Stream

cdef class Bodies(Lifecycles):
    cdef public object _tunnels
    cdef public object sink

    cdef void _begin_bodies(self, bint known)
    cdef void _over(self, Stream stream)
    cdef void data(self, FrameReader reader, long long stream)
    cdef void content(self, FrameReader reader, object data, Py_ssize_t begin, long long length, long long lost)
    cdef void _through(self, FrameReader reader, object tunnel, object data, long long length, long long lost)
    cdef long long unread(self, FrameReader reader)
    cdef void _data(self, FrameReader reader, Stream stream, bint ends)
    cdef void _end_stream(self, FrameReader reader, Stream stream)
    cdef void _is_grpc(self, Stream stream)
