# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Which protocol a connection speaks: told by content, never by port.

Each protocol's `probe` is asked about the beginnings of both sides. One that is certain gets the bytes; when all are
certain that they are not theirs, nobody does. Pure-Python mode, types in `recognition.pxd`.
"""

from __future__ import annotations

import functools

import cython

from analyzer.dissector import proxy_protocol
from analyzer.dissector.handover import Handover
from analyzer.dissector.probing import Probe
from analyzer.dissector.unknown import Dissector as Unknown

if cython.compiled:
    from cython.cimports.analyzer.dissector.http1.connection import Dissector as Http1
    from cython.cimports.analyzer.dissector.http1.probe import begins_with_request
    from cython.cimports.analyzer.dissector.layer import Layer
    from cython.cimports.analyzer.dissector.undecided import Undecided
else:
    from analyzer.dissector.http1.connection import Dissector as Http1
    from analyzer.dissector.http1.probe import begins_with_request
    from analyzer.dissector.layer import Layer
    from analyzer.dissector.undecided import Undecided

COMPILED = cython.compiled

# Tunnels in tunnels cost their sender forty bytes each, and us a call for each.
MOST_LAYERS = 8
# Bytes of one side, if they are nobody's, that are kept until the other side says something.
MOST_UNANSWERED = 16_384
# What an Upgrade may lead to and its own dissector takes at once, or nobody knows: any other protocol is looked for.
_UNKNOWN_INSIDE = frozenset({"tunnel", "socks", "starttls", "unknown"})
_MATCH = Probe.MATCH
_NO_MATCH = Probe.NO_MATCH
_NEED_MORE = Probe.NEED_MORE


@cython.no_gc
@cython.cclass
class Recognizer:
    """`keep_fields`: keep the header fields of HTTP; `secrets`: what TLS may be decrypted with; `sink`: who gets the
    bodies of HTTP, a `content.Sink`; `log_frames`: remember the order of HTTP/2 frames, to draw them."""

    def __init__(self, *, keep_fields=False, secrets=None, sink=None, log_frames=False):
        self.keep_fields = keep_fields
        self.secrets = secrets
        self.sink = sink
        self.log_frames = log_frames

    @cython.ccall
    def first(self, undecided: Undecided, begin: bytes) -> cython.void:
        """The client's first bytes are about to come. Most connections are HTTP, and no other protocol begins like most
        requests: then nothing need be held."""
        if begins_with_request(begin):
            http = Http1(self.keep_fields)
            http.sink = self.sink
            undecided.take(http)

    @cython.ccall
    def decide(self, undecided: Undecided, midstream: cython.bint = False) -> cython.void:
        """Hand the bytes to a dissector if it is certain by now which; drop them if it is certain that there is none.

        `midstream`: the connection was open before the capture began, so messages may begin anywhere.
        """
        client: bytes = undecided.pending(0)
        server: bytes = undecided.pending(1)
        more: cython.bint = False
        if not client and not server:
            return
        for kind, protocol in protocols():
            asked = protocol.probe(0, client, anywhere=midstream) if client else _NO_MATCH
            answered = protocol.probe(1, server, anywhere=midstream) if server else _NO_MATCH
            if asked is _MATCH or answered is _MATCH:
                undecided.take(self._dissector(kind, midstream))
                return
            more = more or asked is _NEED_MORE or answered is _NEED_MORE
        # What no protocol begins with may be garbage, and the answer tell what it was sent to.
        if not more and ((client and server) or len(client) + len(server) >= MOST_UNANSWERED):
            if midstream:
                undecided.drop()
            else:
                undecided.take(Unknown())

    @cython.cfunc
    def _dissector(self, kind: str, midstream: cython.bint):
        found = self._made(kind, midstream)
        if self.sink is not None and hasattr(found, "sink"):
            found.sink = self.sink
        return found

    def _made(self, kind, midstream):
        if kind == "http1":
            return Http1(self.keep_fields, midstream)
        if kind == "http2":
            from analyzer.dissector.http2 import connection as http2

            return http2.Dissector(keep_fields=self.keep_fields, midstream=midstream, log_frames=self.log_frames)
        if kind == "tls":
            from analyzer.dissector.tls import connection as tls

            opener = None
            if self.secrets is not None and self.secrets.has_any:
                from analyzer.dissector.tls.decrypt import Opener

                opener = Opener(self.secrets)
            return tls.Dissector(opener=opener, midstream=midstream)
        if kind == "socks":
            from analyzer.dissector import socks

            return socks.Dissector()
        from analyzer.dissector.starttls import connection as starttls

        return starttls.Dissector()

    @cython.ccall
    def look_inside(self, layer: Layer, depth: cython.int = 1) -> cython.void:
        """What a dissector found inside its protocol is decided in turn, down to `MOST_LAYERS`."""
        if isinstance(layer, Http1) and cython.cast(Http1, layer).handover is None:
            return  # as with most connections
        streams: list = inside(layer)
        for inner in streams:
            if inner.open:
                named = isinstance(inner, Handover) and inner.protocol not in _UNKNOWN_INSIDE
                if depth >= MOST_LAYERS:
                    inner.drop()
                elif named and inner.protocol == "h2c":
                    inner.take(self._upgraded(layer))
                elif named:
                    inner.drop()
                else:
                    self.decide(inner)
            if inner.inner is not None:
                self.look_inside(inner.inner, depth + 1)

    def _upgraded(self, layer):
        """HTTP/2 after a 101: stream 1 is the request that asked for it (RFC 7540 §3.2)."""
        from analyzer.dissector.http2.connection import Dissector
        from analyzer.dissector.http2.exchanges import Upgraded

        request = layer.exchanges[-1].request if layer.exchanges else None
        upgraded = None
        if request is not None:
            settings = layer.http2_settings
            upgraded = Upgraded(
                request.method, request.target, request.authority, request.header_bytes, request.packet,
                layer.exchanges[-1].started_ns or 0, request.body_bytes,
                None if settings is None else settings.decode("ascii", "replace"), request.head_packet,
            )  # fmt: skip
        found = Dissector(keep_fields=self.keep_fields, upgraded=upgraded, log_frames=self.log_frames)
        found.sink = self.sink
        return found


@functools.cache
def protocols() -> tuple:
    """All protocols, each with the module that has its `probe`; in doubt the first that is certain.

    Loaded when bytes first come that are not plainly HTTP/1, and dissectors when a probe is certain: most captures
    would never use most of them.
    """
    from analyzer.dissector import socks
    from analyzer.dissector.http1 import probe as http1
    from analyzer.dissector.http2 import probe as http2
    from analyzer.dissector.starttls import probe as starttls
    from analyzer.dissector.tls import probe as tls

    return (("http2", http2), ("http1", http1), ("tls", tls), ("socks", socks), ("starttls", starttls))


@functools.cache
def kind_of(dissector: type) -> str:
    """The protocol of a dissector's class, as its module is called: "tls", "http2", "unknown" …"""
    return dissector.__module__.split(".")[2]


def inside(layer) -> list:
    """The byte streams that run inside this layer's, each an `Undecided`."""
    handover = getattr(layer, "handover", None)
    plain = getattr(layer, "plain", None)
    tunnels = getattr(layer, "tunnels", None)
    found: list = list(tunnels) if tunnels else []
    if plain is not None:
        found.insert(0, plain)
    if handover is not None:
        found.insert(0, handover)
    return found


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
