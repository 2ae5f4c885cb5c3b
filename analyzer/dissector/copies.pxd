# The types of copies.py, for the compiled modules.

from analyzer.dissector.history cimport ConnectionHistory

cdef class ConnectionCopies(ConnectionHistory):
    cdef long long[::1] remembered
    cdef long long frames_before
    cdef long long[::1] chain_last
    cdef long long[::1] chain_before
    cdef const unsigned char[::1] data
    cdef long long[::1] ip_offset
    cdef long long[::1] tcp_offset
    cdef long long[::1] payload_offset

    cdef int _remember_frames(self, Py_ssize_t count)
    cdef Py_ssize_t _chain(self, Py_ssize_t i)
    cdef int _chain_up(self, Py_ssize_t i)
    cdef bint _is_copy(self, Py_ssize_t i, int side)
    cdef long long _numbers(self, Py_ssize_t i)
    cdef long long _shape(self, Py_ssize_t i)
    cdef long long _mark(self, Py_ssize_t i)
    cdef long long _unfilled(self, Py_ssize_t i)
    cdef bint _equal(self, Py_ssize_t i, long long mark, long long other, long long time_ns)
