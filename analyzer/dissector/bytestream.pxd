# The types of bytestream.py, for the compiled modules.

cimport cython

from analyzer.dissector.layer cimport Layer

@cython.no_gc
cdef class ByteStream:
    cdef public int side
    cdef public long long next
    cdef public long long lost
    cdef list _held
    cdef long long _held_bytes
    cdef long long _present
    cdef public long long reached
    cdef readonly list contradictions
    cdef readonly long long contradicted
    cdef list _kept
    cdef long long _kept_bytes

    cpdef void segment(self, Layer reader, long long offset, long long length, bytes data, long long at_ns, long long packet, long long missing)
    cpdef void acknowledged(self, Layer reader, long long offset, long long packet, long long missing)
    cpdef void end(self, Layer reader, long long offset, long long at_ns, long long packet, long long missing)
    cdef void _take(self, Layer reader, long long offset, long long length, bytes data, long long at_ns, long long packet)
    cdef void _keep(self, long long offset, bytes data, long long packet)
    cdef void _compare(self, long long offset, bytes data, long long packet)
    cdef void _pass(self, Layer reader, long long offset, long long at_ns, long long packet)
    cdef void _tell_gap(self, Layer reader, long long length, long long packet, str cause)
    cdef void _give_up(self, Layer reader, long long missing, long long packet, str cause)
    cdef void _release(self, Layer reader)
