# The numbers of states.py as C constants, for the compiled modules.

cdef enum:
    CLIENT = 0
    SERVER = 1
    HEAD = 0
    LENGTH = 1
    CHUNK_SIZE = 2
    CHUNK_DATA = 3
    CHUNK_END = 4
    TRAILERS = 5
    UNTIL_CLOSE = 6
    LOST = 7
    HOLD = 8
    HANDED = 9
    RESUMABLE = 10
    DONE = 11
    HTTP_REQUEST = 0
    INTERIM_RESPONSE = 1
    HTTP_RESPONSE = 2
    CUT_RESPONSE = 3
    UPGRADE = 4
    TUNNEL = 5
    NO_BODY = 0
    BY_LENGTH = 1
    BY_CHUNKS = 2
    BY_CLOSE = 3
    UNKNOWN = 4
