# The types of sections.py, for the compiled modules.

from analyzer.dissector.http2.header_blocks cimport Block

cdef class Section:
    cdef str kind
    cdef bint unknown
    cdef dict faults
    cdef dict _pseudo
    cdef dict _seen

    cdef bytes pseudo(self, bytes name)
    cdef bytes field(self, bytes name)
    cdef object number(self, bytes name)
    cdef object status(self)
    cdef void _read(self, Block block)
    cdef void fault(self, str kind, str message)
    cdef void _bad_name(self, bytes name)
    cdef void _check_request(self)
    cdef void _check_target(self, bytes path, bytes authority)
    cdef void _check_response(self)
