# The types of side.py, for the compiled modules.

from analyzer.dissector.http1.exchanges cimport Exchange, Message

cdef class Side:
    cdef public int number
    cdef public int state
    cdef public long long at_ns
    cdef public long long packet
    cdef public long long began_ns
    cdef public long long began_packet
    cdef public bytearray buffer
    cdef public bint line_seen
    cdef public long long remaining
    cdef public Message message
    cdef public Exchange exchange
    cdef public long long messages
    cdef public bint seen
    cdef public bint said_close
    cdef public Exchange early
    cdef public Exchange hold
    cdef public list held
    cdef public long long held_bytes
    cdef public bytes pushback
    cdef public object resync
    cdef public long long lost_packet
    cdef public str closed
    cdef long long closed_ns
    cdef long long closed_packet

    cdef bytearray waiting(self)
