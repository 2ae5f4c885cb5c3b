# The types of hellos.py, for the compiled modules.

from analyzer.dissector.tls.extensions cimport Reader

cpdef int normal(int version)
cpdef str version_name(int version)
cpdef object extension(dict found, object kind, object read, object default, list faults)
cpdef tuple block(Reader reader, list faults)
cpdef tuple parse_client_hello(bytes body)
cpdef tuple _identities(bytes body)
cpdef tuple parse_server_hello(bytes body)
