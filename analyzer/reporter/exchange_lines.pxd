# The types of exchange_lines.py, for the compiled modules.

from analyzer.dissector.applications cimport Application
from analyzer.dissector.http1.exchanges cimport Exchange, HttpEvent
from analyzer.dissector.http1.pairing cimport Pairing
from analyzer.reporter.filling cimport Filler

cdef class ExchangeFiller(Filler):
    cdef object labels
    cdef object automaton
    cdef dict moves
    cdef signed char[::1] complete
    cdef dict symbols
    cdef tuple tested
    cdef bint only_protocol
    cdef dict words
    cdef bytearray scratch
    cdef long long[::1] key
    cdef long long[:, ::1] steps
    cdef Py_ssize_t step_count
    cdef long long[::1] shapes
    cdef Pairing found

    cdef Py_ssize_t _inside(self, Application application, Py_ssize_t at)
    cdef long long _word(self, object text)
    cdef long long _advance(self, long long state, long long symbol)
    cdef long long _symbol(self, HttpEvent event)
    cdef int _fold(self, HttpEvent event, long long symbol, Py_ssize_t at, int turn)
    cdef int _fill_inside(self, long long code, long long start)
    cdef int _exchange(self, Exchange one, long long start)
