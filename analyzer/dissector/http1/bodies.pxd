# The types of bodies.py, for the compiled modules.

cimport cython

from analyzer.dissector.http1.pairing cimport Pairing
from analyzer.dissector.http1.side cimport Side

@cython.no_gc
cdef class Bodies(Pairing):
    cdef public object handover
    cdef public object sink
    cdef public str lost
    cdef long long _head_limit
    cdef bint _keep_fields
    cdef bint _midstream
    cdef readonly Side client
    cdef readonly Side server

    cdef void _begin(self, long long head_limit, bint keep_fields)
    cdef Side _side(self, int number)
    cdef void _release(self)
    cdef void _begin_body(self, Side s, int kind, long long length)
    cdef void _take_body(self, Side s, long long count)
    cdef Py_ssize_t _chunk_size(self, Side s, object data, Py_ssize_t at)
    cdef Py_ssize_t _chunk_end(self, Side s, object data, Py_ssize_t at)
    cdef Py_ssize_t _trailers(self, Side s, object data, Py_ssize_t at)
    cdef void _end_message(self, Side s, str cut, bint event)
    cdef void _lose(self, Side s, str why, str cut)
    cdef Py_ssize_t _lost(self, Side s, object data, Py_ssize_t at)
    cdef void _say_skipped(self, Side s, long long count, str where)
    cdef Py_ssize_t _hold(self, Side s, object data, Py_ssize_t at)
    cdef Py_ssize_t _handed(self, Side s, object data, Py_ssize_t at)
