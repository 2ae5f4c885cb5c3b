# The types of findings.py, for the compiled modules.

from analyzer.dissector.http2.flow_control cimport FlowControl
from analyzer.dissector.http2.frames cimport Sink
from analyzer.dissector.http2.multiplexing cimport Multiplexing
from analyzer.dissector.http2.streams cimport Stream

cdef tuple SIDE_NAMES

cdef class Findings(Sink):
    cdef public list exchanges
    cdef public long long exchanges_beyond
    cdef public list events
    cdef public long long events_beyond
    cdef public list faults
    cdef public long long faults_beyond
    cdef public str lost
    cdef public list goaways
    cdef public long long goaways_beyond
    cdef public list alternatives
    cdef public list origins
    cdef public tuple frame_counts
    cdef public long long frames_after_close
    cdef public long long headers_with_priority
    cdef public FlowControl flow
    cdef public Multiplexing multiplexing
    cdef tuple _settings
    cdef tuple _counts
    cdef set _said

    cdef void _begin_findings(self)
    cpdef void fault(self, long long packet, str message)
    cdef void _once(self, str kind, long long packet, str message)
    cdef void _keep(self, exchange)
    cdef void _event(self, int side, str step, event)
    cdef void _stream_event(self, Stream stream, event)
    cdef void _violated(self, int side, long long number, Stream stream, str error, str message, long long packet, long long at_ns)
