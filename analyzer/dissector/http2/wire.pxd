# The numbers of wire.py as C constants, for the compiled modules.

cdef enum:
    CLIENT = 0
    SERVER = 1
    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9
    ALTSVC = 10
    ORIGIN = 12
    PRIORITY_UPDATE = 16
    END_STREAM = 1
    ACK = 1
    END_HEADERS = 4
    PADDED = 8
    HAS_PRIORITY = 32
    STREAM_ID = 2147483647
    IN_PREFACE = 0
    IN_HEADER = 1
    PAD_LENGTH = 2
    CONTENT = 3
    PADDING = 4
    COLLECT = 5
    PASS = 6
    LOST = 7
