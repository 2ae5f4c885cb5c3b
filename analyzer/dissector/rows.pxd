# The types of rows.py, for the compiled modules.

from analyzer.dissector.pools cimport ConnectionPools


cdef class ConnectionRows(ConnectionPools):
    cdef long long settle_ns
    cdef long long linger_ns
    cdef long long most_rows
    cdef bint vlan_key
    cdef dict tunnelled
    cdef unsigned long long[::1] seed
    cdef long long live
    cdef long long next_stream
    cdef unsigned long long[::1] slots
    cdef int slot_bits
    cdef long long slot_mask
    cdef long long[::1] finished
    cdef long long finished_count
    cdef long long taken_count  # of `finished`, from the front
    cdef long long open_first
    cdef long long open_last
    cdef long long ended_first
    cdef long long ended_last
    cdef readonly long long clock
    cdef readonly long long clock_shift
    cdef long long behind
    cdef long long deadline
    cdef long long unreported
    cdef long long report_deadline
    cdef public long long late
    cdef long long[::1] number
    cdef long long[::1] time_ns
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
    cdef long long[::1] connection
    cdef signed char[::1] side
    cdef signed char[::1] sender
    cdef signed char[::1] began
    cdef long long[::1] stream_offset
    cdef long long[::1] ack_offset
    cdef long long[::1] row_of
    cdef signed char[::1] handed
    cdef signed char[::1] note
    cdef public bint noting
    cdef long long[::1] missing
    cdef long long[::1] peer_missing
    cdef long long[::1] reached
    cdef long long[::1] data_packet
    cdef long long[::1] data_ns
    cdef bint follow
    cdef public long long share
    cdef public long long shares
    cdef long long found
    cdef bint from_a
    cdef unsigned long long hash

    cpdef void advance(self, long long now_ns)
    cpdef void want(self, long long row, int sender, long long offset)
    cpdef void remember(self, long long row)
    cpdef void forget(self, long long row)
    cdef int _find(self, Py_ssize_t i)
    cdef long long _create(self, Py_ssize_t i, long long stream)
    cdef long long _stream_elsewhere(self, Py_ssize_t i)
    cdef long long _orientation(self, Py_ssize_t i)
    cdef int _append(self, long long row, bint ended)
    cdef int _unlink(self, long long row)
    cdef int _evict(self)
    cdef int _end(self, long long row)
    cdef int _next_unreported(self, long long row)
    cdef int _report(self, long long row)
    cdef int _finish(self, long long row)
