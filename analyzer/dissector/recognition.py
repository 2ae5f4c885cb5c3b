# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Which protocol a connection speaks: told by content, never by port.

Each protocol's `probe` is asked about the beginnings of both sides. One that is certain gets the bytes; when all are
certain that they are not theirs, nobody does. Pure-Python mode, types in `recognition.pxd`.
"""

from __future__ import annotations

import cython

from analyzer.dissector import proxy_protocol
from analyzer.dissector.handover import Handover
from analyzer.dissector.http1 import connection as http1
from analyzer.dissector.probing import Probe

if cython.compiled:
    from cython.cimports.analyzer.dissector.layer import Layer
    from cython.cimports.analyzer.dissector.undecided import Undecided
else:
    from analyzer.dissector.layer import Layer
    from analyzer.dissector.undecided import Undecided

COMPILED = cython.compiled

# Tunnels in tunnels cost their sender forty bytes each, and us a call for each.
MOST_LAYERS = 8
# What an Upgrade may lead to and its own dissector takes at once, or nobody knows: any other protocol is looked for.
_UNKNOWN_INSIDE = frozenset({"tunnel", "socks", "starttls"})
_MATCH = Probe.MATCH
_NO_MATCH = Probe.NO_MATCH
_NEED_MORE = Probe.NEED_MORE


@cython.no_gc
@cython.cclass
class Recognizer:
    """`keep_fields`: keep the header fields of HTTP."""

    def __init__(self, *, keep_fields=False):
        self.keep_fields = keep_fields

    @cython.ccall
    def decide(self, undecided: Undecided, midstream: cython.bint = False) -> cython.void:
        """Hand the bytes to a dissector if it is certain by now which; drop them if it is certain that there is none.

        `midstream`: the connection was open before the capture began, so messages may begin anywhere.
        """
        side: cython.int
        some: cython.bint = False
        more: cython.bint = False
        for side in range(2):
            begin = undecided.pending(side)
            if begin:
                some = True
                answer = http1.probe(side, begin, midstream)
                if answer is _MATCH:
                    undecided.take(http1.Dissector(self.keep_fields, midstream))
                    return
                if answer is _NEED_MORE:
                    more = True
        if some and not more:
            undecided.drop()

    @cython.ccall
    def look_inside(self, layer: Layer, depth: cython.int = 1) -> cython.void:
        """What a dissector found inside its protocol is decided in turn, down to `MOST_LAYERS`."""
        for inner in inside(layer):
            if inner.open:
                named = isinstance(inner, Handover) and inner.protocol not in _UNKNOWN_INSIDE
                if named or depth >= MOST_LAYERS:
                    inner.drop()
                else:
                    self.decide(inner)
            if inner.inner is not None:
                self.look_inside(inner.inner, depth + 1)


def inside(layer) -> tuple:
    """The byte streams that run inside this layer's, each an `Undecided`."""
    handover = getattr(layer, "handover", None)
    return () if handover is None else (handover,)


@cython.ccall
def proxy_header(undecided: Undecided):
    """A proxy's header comes before everything else; it is taken out, for it is not part of what it announces.

    Returns the header, or what `Probe` says of the bytes so far.
    """
    begin: bytes = undecided.pending(0)
    if not begin or (begin[0] != 80 and begin[0] != 13):  # P of PROXY, CR
        return _NO_MATCH
    answer = proxy_protocol.probe(begin)
    if answer is not _MATCH:
        return answer
    header = proxy_protocol.parse(begin)
    if header is None:
        return _NO_MATCH
    undecided.cut(0, header.length)
    return header
