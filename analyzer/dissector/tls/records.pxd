# The types of records.py, for the compiled modules.

cimport cython

from analyzer.dissector.layer cimport Layer

@cython.no_gc
cdef class RecordLayer(Layer):
    cdef readonly RecordReader client
    cdef readonly RecordReader server

    cdef RecordReader _reader(self, int side)
    cdef bint wanted(self, RecordReader reader, int content_type)
    cdef void record(self, RecordReader reader, int content_type, int version, bytes fragment)
    cdef void holed(self, RecordReader reader, int content_type, long long lost, bytes begin)
    cdef void ssl2(self, RecordReader reader, bytes fragment)
    cdef void unframed(self, RecordReader reader, str why)
    cpdef void fault(self, long long packet, str message)

@cython.no_gc
cdef class RecordReader:
    cdef readonly int number
    cdef readonly str cause
    cdef readonly long long at_ns
    cdef readonly long long packet
    cdef readonly long long captured_ns
    cdef readonly long long captured_packet
    cdef readonly long long first_ns
    cdef readonly long long first_packet
    cdef readonly int length
    cdef readonly long long remaining
    cdef readonly long long records
    cdef readonly long long application_bytes
    cdef readonly int content_type
    cdef public bint silent
    cdef int state
    cdef bint keep
    cdef list _by_type
    cdef long long _application_records
    cdef long long _fed_ns
    cdef long long _fed_packet
    cdef bytearray _buffer
    cdef int _version
    cdef long long _lost
    cdef bytes _begin
    cdef object _resync
    cdef list _found

    cdef bint inside(self)
    cdef void ignore(self)
    cdef long long end(self)
    cdef void feed(self, RecordLayer layer, object data, long long at_ns, long long packet)
    cdef void _now(self, long long at_ns, long long packet)
    cdef void skip(self, RecordLayer layer, long long length, long long at_ns, long long packet)
    cdef void gap(self, RecordLayer layer, long long length, str cause, long long packet)
    cdef Py_ssize_t _header(self, RecordLayer layer, object data, Py_ssize_t at, Py_ssize_t size)
    cdef void _begin_record(self, RecordLayer layer, bytes head)
    cdef Py_ssize_t _ssl2_header(self, RecordLayer layer, object data, Py_ssize_t at, Py_ssize_t size)
    cdef Py_ssize_t _fragment(self, RecordLayer layer, object data, Py_ssize_t at, Py_ssize_t size)
    cdef void _take(self, RecordLayer layer, long long count)
    cdef void _count(self)
    cdef void _end_record(self, RecordLayer layer, bytes fragment)
    cdef void _lose(self, RecordLayer layer, str why)
    cdef void _search(self, RecordLayer layer, bytes piece)
