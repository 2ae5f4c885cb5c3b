# The types of settings.py, for the compiled modules.

cimport cython

@cython.no_gc
cdef class Settings:
    cdef public dict sent
    cdef public dict in_force
    cdef list _pending
    cdef long long _early

    cpdef list send(self, list entries)
    cpdef list acknowledge(self)
    cpdef void take_effect(self, list entries)
    cpdef long long highest(self, int code)

cpdef list parse(bytes payload)
cpdef tuple fault(int side, int code, long long value)
