# The types of wireless.py, for the compiled modules.

from analyzer.dissector.links cimport LinkReader

cdef class WirelessReader(LinkReader):
    cdef int _radiotap(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _per_packet(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _prism(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
    cdef int _wireless(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire, bint padded)
    cdef int _a_msdu(self, Py_ssize_t i, Py_ssize_t at, Py_ssize_t end, Py_ssize_t wire)
