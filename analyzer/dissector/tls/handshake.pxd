# The types of handshake.py, for the compiled modules.

cimport cython

from analyzer.dissector.layer cimport Layer
from analyzer.dissector.tls.records cimport RecordLayer, RecordReader
from analyzer.dissector.tls.steps cimport Handshake

@cython.no_gc
cdef class Side:
    cdef int number
    cdef RecordReader reader
    cdef bytearray waiting
    cdef long long need
    cdef long long stepped_over
    cdef bint encrypted
    cdef bint changed
    cdef bint uncertain
    cdef long long hidden
    cdef bint first_seen
    cdef tuple closed

@cython.no_gc
cdef class Negotiation(RecordLayer):
    cdef readonly list events
    cdef readonly list faults
    cdef readonly list alerts
    cdef readonly long long events_beyond
    cdef readonly long long faults_beyond
    cdef readonly long long alerts_beyond
    cdef readonly Handshake first
    cdef readonly Handshake current
    cdef readonly long long handshakes
    cdef readonly list certificates
    cdef readonly list client_certificates
    cdef readonly object server_key_exchange
    cdef readonly object certificate_request
    cdef readonly object encrypted_extensions
    cdef readonly list tickets
    cdef readonly bint stapled
    cdef readonly list close_notify
    cdef readonly object started_ns
    cdef readonly object finished_ns
    cdef readonly str lost
    cdef readonly bint decrypted
    cdef readonly object opener
    cdef readonly Layer plain

    cdef bint _event(self, Side s, str step, long long length, str seen=*)
    cdef void _hello_event(
        self, Side s, str step, long long length, str version, hello, ticket, psk, early_data, sni, alpn
    )
    cdef void _detail(self, dict more)
    cdef void _is_over(self, Side s)
    cdef void _alert(self, Side s, bytes fragment, bint encrypted)
    cdef void _keep_alert(self, alert)
    cdef void _messages(self, Side s, bytes fragment)
    cdef void _too_large(self, Side s, int kind, long long length)
    cdef void _message(self, Side s, bytes message)
    cdef void _faults(self, Side s, list faults)
    cdef void _keep_transcript(self, bytes message)
    cdef void _client_hello(self, Side s, bytes message, hello, list faults)
    cdef void _server_hello(self, Side s, long long length, hello, list faults)
    cdef void _finished(self, Side s)
