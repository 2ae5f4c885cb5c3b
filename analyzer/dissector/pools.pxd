# The types of pools.py, for the compiled modules.

cdef class ConnectionPools:
    cdef long long[::1] rows
    cdef unsigned long long[::1] keys
    cdef object row_pages
    cdef object key_pages
    cdef object event_pages
    cdef long long capacity
    cdef long long unused
    cdef long long free_row
    cdef long long[::1] events
    cdef long long event_capacity
    cdef long long unused_event
    cdef long long free_event
    cdef long long[::1] gaps
    cdef long long gap_capacity
    cdef long long unused_gap
    cdef long long free_gap

    cdef int _free_row(self, long long row)
    cdef int _free_events(self, long long base)
    cdef int _free_gaps(self, long long me)
    cdef long long _new_event(self)
    cdef long long _new_gap(self)
