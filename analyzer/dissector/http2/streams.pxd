# The types of streams.py, for the compiled modules.

cdef int following(int state, int side, str step)

cdef class Stream:
    cdef public long long number
    cdef public object exchange
    cdef public int state
    cdef public bint uncertain
    cdef public bint early
    cdef public bint final
    cdef long long body[2]
    cdef long long credit[2]
    cdef long long expected[2]
    cdef public list grpc
    cdef list run
    cdef long long sent[2]
    cdef long long opened
    cdef long long overlapped
    cdef public object tunnel
    cdef public int violations
