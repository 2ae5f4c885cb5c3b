# The types of steps.py, for the compiled modules.

cimport cython

@cython.no_gc
cdef class Handshake:
    cdef readonly object client_hello  # ClientHello
    cdef readonly object retry  # ServerHello
    cdef readonly object server_hello  # ServerHello
    cdef readonly object version
    cdef readonly str version_text
    cdef readonly bint tls13
    cdef readonly object cipher_suite
    cdef readonly str suite_name
    cdef readonly str key_exchange
    cdef readonly object group
    cdef readonly str alpn
    cdef readonly object early_accepted
    cdef readonly list raw_public_key
    cdef readonly list finished
    cdef readonly bint over
    cdef readonly list data_seen
    cdef readonly bint early_seen
    cdef readonly list transcript
    cdef readonly long long transcript_bytes
    cdef readonly int mac_length
    cdef readonly int finished_length
    cdef readonly int alert_length

    cdef void speaks(self, int version)
    cdef void negotiated(self, hello)
