# The types of head.py, for the compiled modules.

cdef class RequestLine:
    cdef public str method
    cdef public str target
    cdef public str version
    cdef public str fault
    cdef public str authority

cdef class StatusLine:
    cdef public str version
    cdef public int status
    cdef public str fault

cdef class Fields:
    cdef bytes head
    cdef Py_ssize_t begin
    cdef Py_ssize_t end
    cdef bytes _block
    cdef bytes _lower
    cdef public tuple faults
    cdef public int hosts
    cdef Py_ssize_t host_begin
    cdef Py_ssize_t host_end
    cdef int connections
    cdef bint usual
    cdef public bint close
    cdef public bint keep_alive
    cdef public bint upgrade
    cdef public bint upgrades
    cdef public int lengths
    cdef long long number
    cdef int codings
    cdef bint chunked
    cdef public int kind
    cdef public long long length
    cdef public tuple length_faults

    cdef Py_ssize_t read(self, bytes head, Py_ssize_t begin)
    cdef void _done(self)
    cdef void _found(self, Py_ssize_t name, Py_ssize_t colon, Py_ssize_t begin, Py_ssize_t end)
    cdef bint _is(self, Py_ssize_t at, bytes name)
    cdef str host(self)
    cdef void frame(self, str version, bint response, bint bodiless)

cpdef RequestLine parse_request_line(bytes line)
cpdef StatusLine parse_status_line(bytes line)
cdef Fields fields_of(bytes head, Py_ssize_t begin)
