# The types of tunnels.py, for the compiled modules.

from analyzer.dissector.wireless cimport WirelessReader

cdef class TunnelReader(WirelessReader):
    cdef public object encapsulations
    cdef public long long too_deep
    cdef public long long too_deep_packet
    cdef unsigned long long[::1] path
    cdef int layers
    cdef int innermost

    cdef bint _enter(self, Py_ssize_t i, int kind, long long number, bint addressed)
    cdef int _leave(self, Py_ssize_t i, int found)
    cdef int _tagged(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire, int protocol)
    cdef bint _is_ethernet(self, Py_ssize_t at, Py_ssize_t end)
    cdef bint _is_ipv4(self, Py_ssize_t at, Py_ssize_t end)
    cdef int _unlabelled(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire, int label)
    cdef int _ip(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _gre(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _erspan(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire, bint sequenced)
    cdef int _carried(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire, int protocol)
    cdef int _in_udp(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire, int port, int source)
    cdef int _vxlan(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire, bint generic)
    cdef int _geneve(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _gtp(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _l2tp(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _teredo(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire, bint port)
