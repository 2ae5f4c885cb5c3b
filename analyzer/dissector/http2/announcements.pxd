# The types of announcements.py, for the compiled modules.

from analyzer.dissector.http2.field_blocks cimport FieldBlocks
from analyzer.dissector.http2.frames cimport FrameReader

cdef class Announcements(FieldBlocks):
    cdef list _setting_frames

    cdef void _begin_announcements(self, bint keep_fields, bint known)
    cdef void _settings_frame(self, FrameReader reader, int flags, bytes payload)
    cdef void _check_settings(self, int side, list entries, long long packet, long long at_ns)
    cdef void _take_effect(self, int side, list entries, long long at_ns, long long packet)
    cdef void _ping(self, FrameReader reader, int flags)
    cdef void _goaway(self, FrameReader reader, bytes payload)
    cdef void _alternative(self, FrameReader reader, long long stream, bytes payload)
    cdef void _origin(self, FrameReader reader, int flags, long long stream, bytes payload)
    cdef void _ignored(self, FrameReader reader, str what)
    cdef void _unread(self, FrameReader reader, str what)
