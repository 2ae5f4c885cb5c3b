# The types of flow_control.py, for the compiled modules.

from analyzer.dissector.http2.streams cimport Stream

cdef class FlowControl:
    cdef public bint known
    cdef public list stalls
    cdef public long long stalls_beyond
    cdef public list stalled_ns
    cdef long long _connection[2]
    cdef long long _initial[2]
    cdef tuple _used_up
    cdef tuple _over

    cpdef void forget(self)
    cpdef long long window(self, int side, Stream stream)
    cdef void begins(self, int side, Stream stream, long long at_ns)
    cdef str sent(self, int side, Stream stream, long long length, long long at_ns, long long most)
    cdef bint granted(self, int side, Stream stream, long long increment, long long at_ns, long long packet)
    cdef void initial(self, int side, long long value, long long at_ns, long long packet)
    cdef void closed(self, long long number)
    cdef void _use_up(self, int side, long long number, long long at_ns, Stream stream)
    cdef void _enlarged(self, int side, long long number, Stream stream, long long at_ns, long long packet)
    cdef void _went_on(self, int side, Stream stream)
    cdef void _stall(self, int side, object number, object since, object length, object packet)
