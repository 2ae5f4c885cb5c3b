# The types of applications.py, for the compiled modules.

cimport cython

from analyzer.dissector.bytestream cimport ByteStream
from analyzer.dissector.layer cimport Layer
from analyzer.dissector.recognition cimport Recognizer
from analyzer.dissector.rows cimport ConnectionRows
from analyzer.dissector.undecided cimport Undecided

@cython.no_gc
cdef class Stream(ByteStream):
    cdef long long wanted
    cdef long long fin_at
    cdef long long fin_ns
    cdef long long fin_packet
    cdef long long data_ns
    cdef long long data_packet
    cdef bint closed

@cython.no_gc
cdef class Application(Layer):
    cdef public bint midstream
    cdef public long long row
    cdef bint swapped
    cdef readonly Stream client
    cdef readonly Stream server
    cdef public Undecided content
    cdef public object proxy
    cdef bint reset
    cdef long long reset_ns
    cdef long long reset_packet
    cdef Recognizer _recognizer

    cdef Stream _stream(self, int side)
    cdef void _end(self, int side, long long missing, long long acked)
    cdef void _finish(self, int side, long long offset, long long at_ns, long long packet, long long missing)
    cdef void turn(self)
    cdef bint _decide(self, bint last=*)

cdef class Applications:
    cdef ConnectionRows _connections
    cdef Recognizer _recognizer
    cdef dict _followed
    cdef public dict touched

    cpdef Application finish(self, long long[:, ::1] rows, Py_ssize_t i)
    cdef bint _steer(self, Application application)
