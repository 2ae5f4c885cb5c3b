# The types of exchanges.py, for the compiled modules.

cdef class Message:
    cdef public str version
    cdef public long long packet
    cdef public long long head_packet
    cdef public long long last_packet
    cdef public long long header_bytes
    cdef public long long body_bytes
    cdef public long long body_lost
    cdef public long long trailer_bytes
    cdef public bint persistent
    cdef public bint complete
    cdef public str cut
    cdef public bytes block
    cdef public list trailers

cdef class Request(Message):
    cdef public str method
    cdef public str target
    cdef public str authority

cdef class Response(Message):
    cdef int code

cdef class Exchange:
    cdef public Request request
    cdef public Response response
    cdef public list interim
    cdef long long started
    cdef long long first_byte
    cdef long long finished
    cdef public object persistent

cdef class HttpEvent:
    cdef int by
    cdef int code
    cdef public long long packet
    cdef public long long at_ns
    cdef public int outstanding
    cdef public Request request
    cdef int said
    cdef public str version
    cdef public str protocol
