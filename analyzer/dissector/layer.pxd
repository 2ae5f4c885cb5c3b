# The types of layer.py, for the compiled modules.

cdef class Layer:
    cpdef void feed(self, int side, object data, long long at_ns, long long packet)
    cpdef long long skippable(self, int side)
    cpdef void skip(self, int side, long long length, long long at_ns, long long packet)
    cpdef void gap(self, int side, long long length, str cause, long long packet)
    cpdef void close(self, int side, str how, long long at_ns, long long packet)
