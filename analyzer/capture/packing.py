# cython: language_level=3, annotation_typing=False, boundscheck=True, wraparound=False
"""The hot loop of writing: captured frames become the bytes of pcapng packet blocks. Pure-Python mode as in
`records.py`."""

from __future__ import annotations

import cython

COMPILED = cython.compiled

HEAD_BYTES = 28  # block type, block length, interface, time in two halves, both lengths (§4.3)


@cython.locals(
    data=cython.uchar[::1],
    offsets=cython.longlong[::1],
    captured=cython.longlong[::1],
    heads=cython.uchar[:, ::1],
    tails=cython.uchar[:, ::1],
    out=cython.uchar[::1],
    at=cython.Py_ssize_t,
    i=cython.Py_ssize_t,
    k=cython.Py_ssize_t,
    begin=cython.Py_ssize_t,
    size=cython.Py_ssize_t,
    padding=cython.Py_ssize_t,
    options=cython.Py_ssize_t,
)
def pack(
    data: memoryview, offsets: memoryview, captured: memoryview, heads: memoryview, tails: memoryview, out: memoryview
) -> int:
    """Enhanced Packet Blocks of frames, one after the other; how many bytes of `out` they take.

    `heads`, shape (frames, HEAD_BYTES): the blocks' headers; `tails`, shape (frames, bytes): their options. Source:
    draft-ietf-opsawg-pcapng §4.3.
    """
    at = 0
    options = tails.shape[1]  # type: ignore[index]
    for i in range(len(heads)):
        begin = offsets[i]
        size = captured[i]
        padding = -size & 3
        if begin < 0 or size < 0 or begin + size > len(data) or at + 32 + size + padding + options > len(out):
            raise ValueError("a frame lies outside the buffer")
        for k in range(HEAD_BYTES):
            out[at + k] = heads[i, k]
        at += HEAD_BYTES
        out[at : at + size] = data[begin : begin + size]
        at += size
        for k in range(padding):
            out[at + k] = 0
        at += padding
        for k in range(options):
            out[at + k] = tails[i, k]
        at += options
        for k in range(4):
            out[at + k] = heads[i, 4 + k]
        at += 4
    return at
