# The types of filling.py, for the compiled modules.

cdef class Filler:
    cdef unsigned char[::1] out
    cdef Py_ssize_t at
    cdef unsigned char[::1] text
    cdef long long text_length
    cdef long long[::1] parts
    cdef long long part_count
    cdef object encoder

    cdef long long _learn(self, bytes text)
    cdef int _room(self, Py_ssize_t count)
    cdef int _copy(self, Py_ssize_t begin, Py_ssize_t stop)
    cdef void _number(self, long long value) noexcept
    cdef int _put(self, bytes text)
    cdef int _quoted(self, str text)
