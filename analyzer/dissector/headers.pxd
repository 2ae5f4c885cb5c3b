# The types of headers.py, for the compiled modules.

cdef class HeaderReader:
    cdef const unsigned char[::1] data
    cdef Py_ssize_t extra
    cdef bint quoting
    cdef long long[::1] number
    cdef long long[::1] time_ns
    cdef signed char[::1] kind
    cdef unsigned long long[::1] source_high
    cdef unsigned long long[::1] source_low
    cdef unsigned long long[::1] destination_high
    cdef unsigned long long[::1] destination_low
    cdef int[::1] source_port
    cdef int[::1] destination_port
    cdef int[::1] family
    cdef int[::1] encapsulation
    cdef long long[::1] vlan
    cdef long long[::1] sequence
    cdef long long[::1] acknowledgement
    cdef int[::1] flags
    cdef int[::1] window
    cdef int[::1] options
    cdef int[::1] mss
    cdef int[::1] window_scale
    cdef long long[::1] payload
    cdef long long[::1] payload_captured
    cdef long long[::1] payload_offset
    cdef long long[::1] ip_offset
    cdef long long[::1] tcp_offset

    cdef Py_ssize_t _room(self, frames)
    cdef int _u16(self, Py_ssize_t at)
    cdef long long _u32(self, Py_ssize_t at)
    cdef unsigned long long _u64(self, Py_ssize_t at)
    cdef int _frame(self, Py_ssize_t i, int link, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _ethertype(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire, int protocol)
    cdef int _ipv4(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _ipv6(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _transport(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire, int protocol)
    cdef int _udp(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _other_link(self, Py_ssize_t i, int link, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _other_ethertype(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire, int protocol)
    cdef int _other_protocol(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire, int protocol)
    cdef int _fragment(
        self, Py_ssize_t i, Py_ssize_t field, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire, int protocol)
    cdef int _cut_tcp(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end)
    cdef int _tcp(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _options(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end)
