"""Which protocol a connection speaks: told by content, never by port.

Each protocol's `probe` is asked about the beginnings of both sides. One that is certain gets the bytes; when all are
certain that they are not theirs, nobody does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Final

from analyzer.dissector import proxy_protocol, socks
from analyzer.dissector.handover import Handover
from analyzer.dissector.http1 import connection as http1
from analyzer.dissector.layer import Layer
from analyzer.dissector.probing import Probe
from analyzer.dissector.starttls import connection as starttls
from analyzer.dissector.tls import connection as tls
from analyzer.dissector.tls.decrypt import Opener
from analyzer.dissector.tls.secrets import Secrets
from analyzer.dissector.undecided import Undecided

# Tunnels in tunnels cost their sender forty bytes each, and us a call for each.
MOST_LAYERS: Final = 8
# Bytes of one side, if they are nobody's, that are kept until the other side says something.
MOST_UNANSWERED: Final = 16_384
_SIDES: Final = (0, 1)
# Each with `probe` and `Dissector`; in doubt the first that is certain.
_PROTOCOLS: Final = (tls, http1, socks, starttls)
# What an Upgrade may lead to and its own dissector takes at once, or nobody knows: any other protocol is looked for.
_UNKNOWN_INSIDE: Final = frozenset({"tunnel", "socks", "starttls"})


@dataclass(frozen=True, slots=True)
class Recognizer:
    """`keep_fields`: keep the header fields of HTTP; `secrets`: what TLS may be decrypted with."""

    keep_fields: bool = False
    secrets: Secrets | None = None

    def decide(self, undecided: Undecided, *, midstream: bool = False) -> None:
        """Hand the bytes to a dissector if it is certain by now which; drop them if it is certain that there is none.

        `midstream`: the connection was open before the capture began, so messages may begin anywhere.
        """
        begins = [(side, begin) for side in _SIDES if (begin := undecided.pending(side))]
        if not begins:
            return
        undetermined = False
        for protocol in _PROTOCOLS:
            answers = [protocol.probe(side, begin, anywhere=midstream) for side, begin in begins]
            if Probe.MATCH in answers:
                undecided.take(self._dissector(protocol, midstream))
                return
            undetermined |= Probe.NEED_MORE in answers
        # What no protocol begins with may be garbage, and the answer tell what it was sent to.
        unanswered = len(begins) < len(_SIDES) and len(begins[0][1]) < MOST_UNANSWERED
        if not undetermined and not unanswered:
            undecided.drop()

    def _dissector(self, protocol: ModuleType, midstream: bool) -> Layer:
        if protocol is http1:
            return http1.Dissector(keep_fields=self.keep_fields, midstream=midstream)
        if protocol is tls:
            opener = Opener(self.secrets) if self.secrets is not None and self.secrets.has_any else None
            return tls.Dissector(opener=opener, midstream=midstream)
        layer: Layer = protocol.Dissector()
        return layer

    def look_inside(self, layer: Layer, depth: int = 1) -> None:
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


def inside(layer: Layer) -> Iterator[Undecided]:
    """The byte streams that run inside this layer's."""
    for name in ("handover", "plain"):
        found = getattr(layer, name, None)
        if found is not None:
            yield found


def proxy_header(undecided: Undecided) -> proxy_protocol.Header | Probe:
    """A proxy's header comes before everything else; it is taken out, for it is not part of what it announces."""
    begin = undecided.pending(0)
    if not begin:
        return Probe.NO_MATCH
    answer = proxy_protocol.probe(begin)
    if answer is not Probe.MATCH:
        return answer
    header = proxy_protocol.parse(begin)
    if header is None:
        return Probe.NO_MATCH
    undecided.cut(0, header.length)
    return header
