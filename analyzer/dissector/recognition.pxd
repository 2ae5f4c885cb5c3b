# The types of recognition.py, for the compiled modules.

from analyzer.dissector.layer cimport Layer
from analyzer.dissector.undecided cimport Undecided

cdef class Recognizer:
    cdef readonly bint keep_fields
    cdef readonly object secrets
    cdef readonly object sink
    cdef bint log_frames

    cpdef void first(self, Undecided undecided, bytes begin)
    cpdef void decide(self, Undecided undecided, bint midstream=*)
    cdef _dissector(self, str kind, bint midstream)
    cpdef void look_inside(self, Layer layer, int depth=*)

cpdef object proxy_header(Undecided undecided)
