# The types of connection.py, for the compiled modules.

cimport cython

from analyzer.dissector.tls.handshake cimport Negotiation, Side
from analyzer.dissector.tls.records cimport RecordReader

@cython.no_gc
cdef class Dissector(Negotiation):
    cdef readonly list plain_bytes
    cdef readonly list unopened
    cdef Side _of_client
    cdef Side _of_server
    cdef list _early
    cdef long long _early_size

    cdef Side _side(self, int number)
    cpdef void close(self, int side, str how, long long at_ns, long long packet)
    cdef void _close(self, Side s, str how, long long at_ns, long long packet)
    cdef bint wanted(self, RecordReader reader, int content_type)
    cdef void record(self, RecordReader reader, int content_type, int version, bytes fragment)
    cdef void holed(self, RecordReader reader, int content_type, long long lost, bytes begin)
    cdef void ssl2(self, RecordReader reader, bytes fragment)
    cdef void unframed(self, RecordReader reader, str why)
    cdef void _tell_all(self)
    cdef void _drop_message(self, Side s)
    cdef bint _protected(self, Side s, int content_type)
    cdef void _check_length(self, Side s, int length, bint protected)
    cdef bint _settle(self, Side s, int content_type, bytes fragment)
    cdef tuple _open(self, Side s, int content_type, int version, bytes fragment)
    cdef void _readable(self, Side s, int content_type, int length, bytes fragment, bint encrypted)
    cdef void _change_cipher(self, Side s, int length)
    cdef void _opened_data(self, Side s, bytes data)
    cdef void _application_data(self, Side s, int length, bint inferred=*)
    cdef void _early_data(self, Side s, int length)
    cdef void _unexpected_data(self, Side s, int length)
    cdef void _hidden(self, Side s, int content_type, int length, bytes fragment)
    cdef void _hidden_1_3(self, Side s, int length)
    cdef void _not_opened(self, Side s, int length)

cdef bint _looks_plain(bytes fragment)
