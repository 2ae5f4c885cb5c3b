# The types of links.py, for the compiled modules.

from analyzer.dissector.headers cimport HeaderReader

cdef class LinkReader(HeaderReader):
    cdef int nested

    cdef int _u16_little(self, Py_ssize_t at)
    cdef int _ppp(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _ppp_protocol(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _llc(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _snap(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _frame_relay(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _network(self, Py_ssize_t i, int family, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _nflog(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _inner_ethernet(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _mpls(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _pppoe(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
