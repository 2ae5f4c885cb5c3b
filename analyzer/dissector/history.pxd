# The types of history.py, for the compiled modules.

from analyzer.dissector.rows cimport ConnectionRows

cdef class ConnectionHistory(ConnectionRows):
    cdef object automata
    cdef int[:, ::1] open_automaton
    cdef signed char[::1] open_complete
    cdef long long[::1] open_tests
    cdef int[:, ::1] close_automaton
    cdef signed char[::1] close_complete
    cdef long long[::1] close_tests
    cdef long long taken_packet
    cdef long long taken_ns

    cdef public bint logging
    cdef long long[::1] log
    cdef long long log_count

    cdef int _emit(self, long long base, int scope, int step, int side, long long number, long long now, long long payload, long long window, bint again)
    cdef int _log(self, long long base, long long code, long long number, long long now)
    cdef int _advance(self, long long base, int scope, long long symbol, bint again)
    cdef int _turn(self, long long base)
    cdef bint _was_reset(self, long long base)
    cdef int _reset_failed(self, long long row, int side)
    cdef int _take_back(self, long long base, int step)
    cdef int _side_bit(self, long long code)
    cdef int _replay(self, long long base)
    cdef long long retransmissions
    cdef long long out_of_order
    cdef long long duplicate_acks
    cdef long long keep_alives
    cdef long long duplicates
    cdef long long missed

    cdef int _count_before(self, long long base, long long me)
    cdef int _noticed(self, long long base, long long me)
    cdef int _note(self, long long base, long long code, long long number, long long now, bint diverged)
    cdef int _add_gap(self, long long base, long long me, long long start, long long end, long long now)
    cdef bint _gaps_full(self, long long me)
    cdef bint _seen_before(self, long long base, long long me, long long start, long long end, long long now, bint overtaken)
    cdef long long _round_trip(self, long long base)
