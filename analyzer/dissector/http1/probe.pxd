# The types of probe.py, for the compiled modules.

cpdef bint begins_with_request(bytes data)
cpdef object probe(int side, object data, bint anywhere=*)
