# The types of undecided.py, for the compiled modules.

cimport cython

from analyzer.dissector.layer cimport Layer

@cython.no_gc
cdef class Undecided(Layer):
    cdef public Layer inner
    cdef public bint dropped
    cdef long long _client_bytes
    cdef long long _server_bytes
    cdef long long _size
    cdef long long _looked_at
    cdef list _held
    cdef bytes _client_begin
    cdef bytes _server_begin
    cdef bint _client_broken
    cdef bint _server_broken

    cpdef object pending(self, int side)
    cpdef bint grown(self)
    cpdef void take(self, Layer inner)
    cpdef void drop(self)
    cpdef void turn(self)
    cdef void _count(self, int side, long long length)
    cdef void _hold(self, int side, object data, long long lost, str text, long long at_ns, long long packet)
    cdef void _forget(self)
