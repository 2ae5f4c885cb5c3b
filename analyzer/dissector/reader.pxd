# The types of reader.py, for the compiled modules.

from analyzer.dissector.tunnels cimport TunnelReader

cdef class PacketReader(TunnelReader):
    cdef public object reassembly
    cdef Py_ssize_t quoted
    cdef object room
    cdef Py_ssize_t filled

    cdef Py_ssize_t _append(self, bytes packet)
    cdef int _icmp(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, int protocol)
    cdef bytes _fragment_key(self, Py_ssize_t i, long long identification, int protocol)
