# The types of numbers.py, for the compiled modules.

from analyzer.dissector.copies cimport ConnectionCopies

cdef class ConnectionNumbers(ConnectionCopies):
    cdef long long _unwrap(self, long long number, long long isn, long long reference)
    cdef long long _reference(self, long long sender, long long receiver)
    cdef int _set_isn(self, long long me, long long isn)
    cdef int _retry(self, long long row, long long number)
    cdef int _bad_syn_ack(self, long long base, long long number)
    cdef int _syn_options(self, Py_ssize_t i, long long me)
