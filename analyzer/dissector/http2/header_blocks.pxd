# The types of header_blocks.py, for the compiled modules.

cdef class Block:
    cdef public list fields
    cdef public long long size
    cdef public long long unknown
    cdef public tuple error

cdef class HeaderDecoder:
    cdef public bint known
    cdef public long long allowed
    cdef list _table
    cdef Py_ssize_t _first
    cdef long long _table_size
    cdef long long _largest
    cdef dict _texts
    cdef long long _texts_bytes
    cdef Py_ssize_t _at

    cdef void _begin(self, bint known)
    cpdef void forget(self)
    cpdef Block decode(self, bytes block)
    cdef void _decode(self, bytes block, Block found)
    cdef long long _integer(self, bytes block, long long mask)
    cdef bytes _string(self, bytes block)
    cdef tuple _entry(self, long long index)
    cdef void _add(self, tuple entry)
    cdef void _resize(self, long long largest)
    cdef void _evict(self)
    cdef str known_text(self, bytes value)
    cpdef str text(self, bytes value)
