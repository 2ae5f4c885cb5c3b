"""C3 and C18: what HTTP/1.1 does with its connections and header fields."""

from __future__ import annotations

import collections

from analyzer import model
from analyzer.reporter import words
from analyzer.reporter.claims.found import HTTP_1_1, Check, Seen, packet_of, sentence, share, shown

_AT_ONCE_NS = 10**9


class OneExchange(Check):
    """A connection that became a tunnel is not asked: its second message is not HTTP/1.1."""

    def __init__(self) -> None:
        super().__init__()
        self._several = self._idle = 0
        self._most = 0

    def look(self, seen: Seen) -> None:
        http = seen.http_of(HTTP_1_1)
        if http is None or seen.switched:
            return
        count = words.exchange_count(http)
        if count > 1:
            self._several += 1
            self._most = max(self._most, count)
            self.contra.add(seen, *(packet_of(one) for one in http.exchanges[:2]))
        elif count == 1 and shown(seen.connection.open) and shown(http.connection):
            self._single(seen, http.exchanges[0])

    def _single(self, seen: Seen, one: model.Exchange) -> None:
        """For: the close begins at once. Against: it does not."""
        if one.request is None or one.response is None or one.finished_ns is None:
            return
        close = seen.connection.close.steps
        if not seen.closed or not close:
            ended_ns = seen.connection.duration_ns
            if ended_ns - one.finished_ns <= _AT_ONCE_NS:
                return
        elif close[0].at_ns - one.finished_ns <= _AT_ONCE_NS:
            self.pro.add(seen, one.request.packet, one.response.packet, close[0].packet)
            return
        self._idle += 1
        self.contra.add(seen, one.response.last_packet, close[0].packet if close else seen.connection.last_packet)

    def tell(self) -> str:
        if not (told := self.pro.count + self.contra.count):
            return "No HTTP/1.1 connection was seen from its opening to its close."
        return sentence(
            f"{self.pro.count} of {words.plural(told, 'HTTP/1.1 connection')} ended so",
            f"{self._several} carried more exchanges, up to {words.count(self._most)}" if self._several else "",
            f"{self._idle} stayed open for more than a second after the only one" if self._idle else "",
        )


class RepeatedFields(Check):
    """Fields that a request has in common, name and value, with the one before it on its connection.

    Sizes are those of `name: value` and CRLF (RFC 9112 §5). `share_of` has them for any version: uncompressed.
    """

    def __init__(self) -> None:
        super().__init__()
        self._repeated = self._of = 0

    def look(self, seen: Seen) -> None:
        http = seen.http_of(HTTP_1_1)
        if http is None:
            return
        repeated, of, packets = repeated_bytes(http)
        if not of:
            return
        self._repeated += repeated
        self._of += of
        (self.pro if repeated else self.contra).add(seen, *packets)

    def tell(self) -> str:
        if not self._of:
            return "No two requests of an HTTP/1.1 connection could be compared."
        return sentence(
            f"{words.size(self._repeated)} of {words.size(self._of)} of header sections after the first request of a "
            f"connection repeat the request before ({share(self._repeated, self._of)})"
        )


def repeated_bytes(http: model.Http) -> tuple[int, int, list[int]]:
    """Bytes of header fields that repeat the request before, of how many bytes of header sections, and the packets of
    the first two requests. Zeros where fields are not listed."""
    repeated = of = 0
    packets: list[int] = []
    before: collections.Counter[tuple[str, str]] | None = None
    for one in http.exchanges:
        if one.request is None or one.request.headers is None:
            continue
        if len(packets) < 2:
            packets.append(one.request.packet)
        fields = collections.Counter((name.lower(), value) for name, value in one.request.headers)
        if before is not None:
            of += one.request.header_bytes
            repeated += sum(count * _size(*field) for field, count in (fields & before).items())
        before = fields
    return min(repeated, of), of, packets


def _size(name: str, value: str) -> int:
    return len(name) + len(value) + 4
