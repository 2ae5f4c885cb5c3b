# The types of messages.py, for the compiled modules.

cimport cython

from analyzer.dissector.http1.bodies cimport Bodies
from analyzer.dissector.http1.exchanges cimport Exchange, Request
from analyzer.dissector.http1.head cimport Fields, RequestLine
from analyzer.dissector.http1.side cimport Side

@cython.no_gc
cdef class Messages(Bodies):
    cdef bint _simple
    cdef bytes _websocket_key
    cdef readonly bytes http2_settings

    cdef void _begin(self, long long head_limit, bint keep_fields)
    cdef void _request(self, Side s, RequestLine line, Fields fields, int kind, long long length, long long size, bint event)
    cdef Exchange _asked(self, Side s, Request request, bint event)
    cdef Exchange _request_before_its_end(self, Side s)
    cdef void _response(self, Side s, str version, int status, Fields fields, long long size, bint known)
    cdef bint _is_simple_response(self)
