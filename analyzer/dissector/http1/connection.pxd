# The types of connection.py, for the compiled modules.

cimport cython

from analyzer.dissector.http1.head cimport Fields
from analyzer.dissector.http1.messages cimport Messages
from analyzer.dissector.http1.side cimport Side

@cython.no_gc
cdef class Dissector(Messages):
    cdef void _close(self, Side s, str how, long long at_ns, long long packet)
    cdef bint _reopened(self, Side s)
    cdef void _run(self, Side s, object data)
    cdef Py_ssize_t _handle(self, Side s, object data, Py_ssize_t at)
    cdef Py_ssize_t _head(self, Side s, object data, Py_ssize_t at)
    cdef Py_ssize_t _message(self, Side s, bytes head, Py_ssize_t begin, Py_ssize_t line_end, Py_ssize_t end, Fields fields)
    cdef void _missing(self, Side s, long long length, str cause, long long packet)
    cdef void _release(self)
    cdef void _closed(self, Side s, str how)
