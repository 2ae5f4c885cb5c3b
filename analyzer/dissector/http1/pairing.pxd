# The types of pairing.py, for the compiled modules.

cimport cython

from analyzer.dissector.http1.exchanges cimport Exchange, Response
from analyzer.dissector.layer cimport Layer

@cython.no_gc
cdef class Pairing(Layer):
    cdef public list exchanges
    cdef public list events
    cdef list _faults
    cdef public long long exchanges_beyond
    cdef public long long events_beyond
    cdef public long long faults_beyond
    cdef public str version
    cdef public int max_outstanding
    cdef Exchange _first
    cdef list _others
    cdef int _waiting
    cdef list _unasked
    cdef bint _requests_lost

    cdef void _begin_pairing(self)
    cdef void _saw_version(self, str version)
    cdef void _keep(self, Exchange exchange)
    cdef void _ask(self, Exchange exchange, long long packet)
    cdef Exchange _answers(self, Exchange exchange, long long packet)
    cdef void _blame(self)
    cdef void _forgive(self)
    cdef void _answered(self, Exchange exchange)
    cdef void _event(self, int side, int step, long long packet, long long at_ns, int outstanding, Exchange exchange, str version, int status, str protocol)
    cdef void _response_event(self, int step, Exchange exchange, long long packet, long long at_ns, str protocol)
    cdef int _besides(self, Exchange exchange)
    cdef void _respond(self, Exchange exchange, Response response, long long began_ns)
