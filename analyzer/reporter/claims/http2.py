"""C4 to C8, C11 and C12: what HTTP/2 does on a connection."""

from __future__ import annotations

import collections

from analyzer import model
from analyzer.reporter import words
from analyzer.reporter.claims.found import HTTP_2, Check, Seen, first_step, messages, packet_of, sentence, share

NONE_SEEN = "No HTTP/2 connection could be read."
_PAIRS = 10_000  # of client and server, remembered
_RECENT = 16  # connections of a pair that another one is compared with


class AtOnce(Check):
    """Several exchanges in flight on one connection. Against: the server allows one at most, and there were more."""

    rule = "any"

    def __init__(self) -> None:
        super().__init__()
        self._connections = self._most = self._interleaved = self._exchanges = 0

    def look(self, seen: Seen) -> None:
        http = seen.http_of(HTTP_2)
        if http is None:
            return
        self._connections += 1
        self._exchanges += words.exchange_count(http)
        self._most = max(self._most, http.max_concurrent)
        self._interleaved += sum(one.interleaved for one in http.exchanges)
        if http.max_concurrent > 1:
            together = [one for one in http.exchanges if one.multiplexed_with] or http.exchanges
            self.pro.add(seen, *(packet_of(one) for one in together[:2]))
        elif words.exchange_count(http) > 1 and _allowed_at_once(http) <= 1:
            self.contra.add(seen, _settings_packet(http, "server"))

    def tell(self) -> str:
        if not self._connections:
            return NONE_SEEN
        if not self._exchanges:
            return "No HTTP/2 connection carried an exchange."
        if not self.pro.count:
            return sentence(
                f"the {words.plural(self._exchanges, 'exchange')} on {self._connections} came one after the other",
                f"servers allow one at a time on {self.contra.count}" if self.contra.count else "",
            )
        return sentence(
            f"up to {words.plural(self._most, 'exchange')} in flight at once",
            f"the frames of {words.count(self._interleaved)} alternate with those of others",
        )


def _allowed_at_once(http: model.Http) -> int:
    """Streams that the server lets the client open at a time: unlimited if it does not say (RFC 9113 §6.5.2)."""
    return http.settings.server.get("MAX_CONCURRENT_STREAMS", 1 << 32) if http.settings else 1 << 32


class Frames(Check):
    """Whatever is recognised as HTTP/2 consists of frames, so that nothing can be against it."""

    def __init__(self) -> None:
        super().__init__()
        self._types: collections.Counter[str] = collections.Counter()

    def look(self, seen: Seen) -> None:
        http = seen.http_of(HTTP_2)
        if http is None or not http.frames:
            return
        self._types.update(http.frames)
        self.pro.add(seen, _first_packet(seen, http), *(packet_of(one) for one in http.exchanges[:1]))

    def tell(self) -> str:
        if not self.pro.count:
            return NONE_SEEN
        types = ", ".join(f"{words.count(count)} {name}" for name, count in self._types.most_common(4))
        more = ", …" if len(self._types) > 4 else ""
        frames = words.plural(self._types.total(), "frame")
        return sentence(f"{frames} on {words.plural(self.pro.count, 'connection')}: {types}{more}")


class HeaderCompression(Check):
    """Bytes of field blocks on the wire against the same fields uncompressed."""

    def __init__(self) -> None:
        super().__init__()
        self._plain = self._wire = 0

    def look(self, seen: Seen) -> None:
        http = seen.http_of(HTTP_2)
        if http is None:
            return
        plain, wire = header_bytes(http)
        if not plain or not wire:
            return
        self._plain += plain
        self._wire += wire
        (self.pro if wire < plain else self.contra).add(seen, *(packet_of(one) for one in http.exchanges[:2]))

    def conclude(self) -> None:
        """The claim is about the whole: a single short request may well grow."""
        if self._wire < self._plain:
            self.contra.count = 0
        else:
            self.pro.count = 0

    def tell(self) -> str:
        if not self._plain:
            return "No HTTP/2 header section could be read."
        took = f"took {words.size(self._wire)} on the wire ({share(self._wire, self._plain)})"
        return sentence(f"{words.size(self._plain)} of header fields {took}")


def header_bytes(http: model.Http) -> tuple[int, int]:
    """Of all messages whose fields are known: uncompressed, and on the wire. Those with fields that refer to others
    that were not captured (RFC 7541 §2.3.2) are left out; zeros where that may be most of them."""
    plain = wire = 0
    if http.connection.outcome == "unseen":
        return plain, wire
    for message in messages(http):
        if message.header_bytes and message.header_bytes_on_wire and not message.header_fields_unknown:
            plain += message.header_bytes
            wire += message.header_bytes_on_wire
    return plain, wire


class Push(Check):
    """For: a push. Against: the client forbids it, which RFC 9113 §6.5.2 lets it."""

    rule = "any"

    def __init__(self) -> None:
        super().__init__()
        self._connections = self._pushed = 0

    def look(self, seen: Seen) -> None:
        http = seen.http_of(HTTP_2)
        if http is None:
            return
        self._connections += 1
        pushed = [one for one in http.exchanges if one.pushed]
        self._pushed += max(len(pushed), http.frames.get("PUSH_PROMISE", 0))
        if pushed:
            self.pro.add(seen, *(packet_of(one) for one in pushed[:2]))
        elif http.settings is not None and http.settings.client.get("ENABLE_PUSH") == 0:
            self.contra.add(seen, _settings_packet(http, "client"))

    def tell(self) -> str:
        if not self._connections:
            return NONE_SEEN
        forbidden = f"the client forbids it (ENABLE_PUSH=0) on {self.contra.count} of {self._connections}"
        return sentence(
            f"{words.plural(self._pushed, 'response')} pushed" if self._pushed else "nothing was pushed",
            f"{forbidden} connections" if self.contra.count else "",
        )


class Priority(Check):
    """Signals of priority, old and new. What a server makes of them cannot be seen: nothing can be against it."""

    rule = "any"

    def __init__(self) -> None:
        super().__init__()
        self._connections = self._fields = 0
        self._frames: collections.Counter[str] = collections.Counter()

    def look(self, seen: Seen) -> None:
        http = seen.http_of(HTTP_2)
        if http is None:
            return
        self._connections += 1
        signals = _signals(http)
        self._frames.update(signals)
        asked = [one for one in http.exchanges if has_priority(one)]
        self._fields += len(asked)
        if asked:
            self.pro.add(seen, *(packet_of(one) for one in asked[:2]))
        elif signals:
            update = first_step(http.connection, "client", "PRIORITY_UPDATE")
            self.pro.add(seen, update.packet if update else _first_packet(seen, http))

    def tell(self) -> str:
        if not self._connections:
            return NONE_SEEN
        if not self.pro.count:
            return "No request named a priority."
        frames = ", ".join(words.plural(count, name) for name, count in self._frames.items())
        fields = f"{words.plural(self._fields, 'request')} with a priority field (RFC 9218)" if self._fields else ""
        return sentence(frames, fields)


def _signals(http: model.Http) -> dict[str, int]:
    """Frames that say something of priority."""
    counts = {f"{name} frame": http.frames.get(name, 0) for name in ("PRIORITY", "PRIORITY_UPDATE")}
    counts["prioritized HEADERS frame"] = http.headers_with_priority
    return {name: count for name, count in counts.items() if count}


def priority_frames(http: model.Http) -> int:
    """PRIORITY, PRIORITY_UPDATE, and HEADERS with a priority."""
    return sum(_signals(http).values())


def has_priority(one: model.Exchange) -> bool:
    """Whether the request has the field of RFC 9218 §5. Only where fields are listed."""
    listed = one.request.headers if one.request else None
    return any(name.lower() == "priority" for name, _ in listed or ())


class _Pair:
    """The connections of one client and one server that carried exchanges, as (first, last) in ns since 1970."""

    def __init__(self) -> None:
        self.recent: collections.deque[tuple[int, int]] = collections.deque(maxlen=_RECENT)

    def add(self, first_ns: int, last_ns: int) -> bool:
        """Whether it was open at the same time as another one."""
        beside = any(first_ns <= last and first <= last_ns for first, last in self.recent)
        self.recent.append((first_ns, last_ns))
        return beside


class OneConnection(Check):
    """For: a pair whose connection carried several exchanges, and none was open beside it. Against: two at once, both
    with exchanges. A connection that carried none was not needed."""

    def __init__(self) -> None:
        super().__init__()
        self._pairs: dict[tuple[str, str, model.Endpoint], _Pair] = {}
        self._connections = self._beside = self._unused = self._unread = 0

    def look(self, seen: Seen) -> None:
        http = seen.http_of(HTTP_2)
        if http is None:
            self._unread += seen.unread == HTTP_2
            return
        count = words.exchange_count(http)
        if not count:
            self._unused += 1
            return
        connection = seen.connection
        key = (connection.capture, connection.client.address, connection.server)
        if key not in self._pairs:
            if len(self._pairs) >= _PAIRS:
                return
            self._pairs[key] = _Pair()
        self._connections += 1
        first_ns = seen.started_ns
        if self._pairs[key].add(first_ns, first_ns + connection.duration_ns):
            self._beside += 1
            self.contra.add(seen, *(packet_of(one) for one in http.exchanges[:1]))
        elif count > 1:
            self.pro.add(seen, *(packet_of(one) for one in http.exchanges[:2]))

    def tell(self) -> str:
        if not self._connections and not self._unused:
            return NONE_SEEN
        pairs = words.plural(len(self._pairs), "pair")
        return sentence(
            f"{words.plural(self._connections, 'connection')} with exchanges for {pairs} of client and server",
            f"{self._beside} of them open beside another one" if self._beside else "",
            f"{self._unused} more carried none" if self._unused else "",
            f"{self._unread} could not be read" if self._unread else "",
        )


class Goaway(Check):
    """Of connections that were closed. Where bytes were lost, a GOAWAY may have been among them."""

    def look(self, seen: Seen) -> None:
        http = seen.http_of(HTTP_2)
        if http is None or not seen.closed:
            return
        if http.goaway:
            self.pro.add(seen, *(frame.packet for frame in http.goaway[:2]))
        elif http.connection.outcome != "unseen":
            self.contra.add(seen, *(step.packet for step in seen.connection.close.steps[:1]))

    def tell(self) -> str:
        if not (closed := self.pro.count + self.contra.count):
            return "No HTTP/2 connection could be read up to its close."
        return sentence(f"{self.pro.count} of {words.plural(closed, 'connection')} with a GOAWAY before the close")


def _settings_packet(http: model.Http, side: model.Side) -> int | None:
    """The packet of a side's first SETTINGS frame."""
    step = first_step(http.connection, side, "SETTINGS")
    return step.packet if step else packet_of(http.exchanges[0]) if http.exchanges else None


def _first_packet(seen: Seen, http: model.Http) -> int:
    """Where HTTP/2 begins on a connection."""
    steps = http.connection.steps
    first = steps[0].packet if steps else packet_of(http.exchanges[0]) if http.exchanges else None
    return seen.connection.first_packet if first is None else first
