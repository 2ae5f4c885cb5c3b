# The types of probe.py, for the compiled modules.

cpdef object probe(int side, object data, bint anywhere=*)
