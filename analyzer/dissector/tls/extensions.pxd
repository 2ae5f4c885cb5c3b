# The types of extensions.py, for the compiled modules.

cdef class Reader:
    cdef bytes _data
    cdef Py_ssize_t _at
    cdef readonly Py_ssize_t left

    cpdef bytes take(self, long long count)
    cpdef long long number(self, int size)
    cpdef bytes vector(self, int size)
    cdef void _pass(self, long long count)

cpdef tuple numbers(bytes data, int size=*)
cpdef list items(bytes data, int size)
cpdef tuple parse(bytes data)
cpdef str server_name(bytes body)
cpdef tuple protocols(bytes body)
cpdef tuple key_shares(bytes body)
