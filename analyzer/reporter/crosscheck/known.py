"""Why the two may differ and neither is wrong: the known reasons, each with the evidence it needs.

A rule is asked about one thing that only one of the two reports, and must find its evidence in the connection or in the
stream. What no rule explains is a disagreement that somebody should look at.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from analyzer import model
from analyzer.reporter import words
from analyzer.reporter.crosscheck.comparing import Aspect, By, Pair, Seen
from analyzer.reporter.crosscheck.streams import Fact, Stream

# Those that Wireshark's dissector looks for (packet-http.c) and that are spoken here.
_METHODS = frozenset(
    (
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "PROPPATCH",
        "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH", "LINK", "UNLINK", "NOTIFY", "SUBSCRIBE",
        "UNSUBSCRIBE", "MERGE", "CHECKOUT", "CHECKIN", "ACL", "BIND", "REBIND", "UNBIND", "POLL", "ICY",
    )
)  # fmt: skip


# Protocols that are looked into here, as Wireshark calls them.
_CARRIERS = frozenset(
    (
        "tls", "http", "http2", "websocket", "socks", "proxy", "smtp", "imap", "pop", "ftp", "ldap", "pgsql", "mysql",
        "xmpp", "nntp", "sieve", "irc", "tds", "data", "grpc", "json", "data-text-lines",
    )
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Known:
    """A reason, in which aspects and by whose report it may apply, and what must hold for it."""

    reason: str
    aspects: tuple[str, ...]
    by: By
    holds: Callable[[Pair, Seen, Aspect], bool]


def reasons(pair: Pair, aspect: Aspect) -> list[str] | None:
    """Why the two differ in an aspect; None where that is not known for every part of the difference."""
    found: dict[str, None] = {}
    for by, seen in aspect.lone:
        for rule in KNOWN:
            if by == rule.by and aspect.name in rule.aspects and rule.holds(pair, seen, aspect):
                found[rule.reason] = None
                break
        else:
            return None
    return list(found)


def reasons_alone(stream: Stream, inside: model.Connection | None, too_deep: int) -> Iterator[str]:
    """Why only tshark has a stream. `inside`: the last connection here between the same ends; `too_deep`: packets with
    more headers around them than are looked through."""
    if stream.below is not None:
        yield f"on {stream.below}, which is not read here"
    elif inside is None and too_deep >= sum(stream.packets.values()):
        yield TOO_DEEP
    elif len(stream.fragments) == sum(stream.packets.values()):
        yield FRAGMENTS
    elif (
        inside is not None
        and inside.notes.resets
        and inside.first_packet <= stream.first_packet <= stream.last_packet <= inside.last_packet
    ):
        yield RESTART
    elif (
        inside is not None
        and _closed_before_opened(inside)
        and inside.first_packet <= stream.first_packet <= stream.last_packet <= inside.last_packet
    ):
        yield BEHIND_THE_FIN


def reasons_without(connection: model.Connection, before: model.Connection | None) -> Iterator[str]:
    """Why tshark has no stream for a connection. `before`: the one before it between the same ends."""
    if before is not None and before.tcp_stream == connection.tcp_stream:
        yield TUNNELS


# TCP.


def _after_the_end(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    """The connection had been reset, or both sides had closed."""
    ours = [one for one in aspect.ours if one.what in ("FIN", "RST") and one.packet is not None]
    ends = [one.packet or 0 for one in ours if one.what == "RST"]
    sides = {one.side: one.packet or 0 for one in ours if one.what == "FIN"}
    if len(sides) == 2:
        ends.append(max(sides.values()))
    return bool(ends) and (seen.packet or 0) > min(ends)


def _ignored_reset(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    resets = [one for by, one in aspect.lone if by == "tshark" and one.what == "RST"]
    return seen.what == "RST" and len(resets) <= pair.connection.notes.resets_ignored


def _copy(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    """Identification and sequence number of an earlier packet. An identification of 0 says nothing, unless other
    packets of the connection are there twice."""
    copies = {(fact.packet, fact.value.split()[0]) for fact in _copies(pair)}
    own = next((number for packet, number in copies if packet == seen.packet), None)
    return own is not None and any(int(number, 0) for _, number in copies)


def _copy_without_identification(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    """The same numbers again in IPv6, and as many copies noticed."""
    copies = [fact.packet for fact in _copies(pair)]
    return (
        ":" in pair.connection.client.address
        and seen.packet in copies
        and pair.connection.notes.duplicates >= len(copies)
    )


def _behind_a_cut(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    return pair.connection.notes.cut_segments > 0


def _copies(pair: Pair) -> Iterator[Fact]:
    known = set()
    for fact in pair.theirs("SYN", "SYN-ACK", "FIN"):
        identity = (fact.kind, fact.source, fact.value)
        if identity in known:
            yield fact
        known.add(identity)


def _opening_not_judged(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    return pair.connection.open.outcome == "unseen" and not aspect.ours


def _already_open(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    """The handshake was complete before this packet."""
    steps = pair.connection.open.steps
    complete = pair.connection.open.outcome in ("documented", "variant") and bool(steps)
    return complete and (seen.packet or 0) > steps[-1].last_packet


def _of_another_opening(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    """The SYN-ACK acknowledges another number than that of the SYN."""
    number = pair.connection.tcp.client.initial_sequence_number
    fact = next((fact for fact in pair.theirs("SYN-ACK") if fact.packet == seen.packet), None)
    if fact is None or number is None or seen.side != "server":
        return False
    return int(fact.value.split()[2]) != (number + 1) % 2**32


def _contradicting_flags(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    """One packet that opens and closes."""
    opening = {fact.packet for fact in pair.theirs("SYN", "SYN-ACK")}
    return seen.packet in opening.intersection(fact.packet for fact in pair.theirs("FIN", "RST"))


def _fault(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    layer = "tls" if aspect.name in ("TLS messages", "alerts") else "tcp"
    return any(fault.layer == layer and fault.packet == seen.packet for fault in pair.connection.faults)


def _fragments(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    ours = pair.connection.packets.client + pair.connection.packets.server
    return sum(pair.stream.packets.values()) - ours == len(pair.stream.fragments)


def _everything_again(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    """tshark counts each packet as many times as the next one, and they are copies."""
    counted = (pair.connection.packets.client, pair.connection.packets.server)
    client = (pair.connection.client.address, pair.connection.client.port)
    theirs = pair.stream.packets.get(client, 0), sum(n for end, n in pair.stream.packets.items() if end != client)
    times = theirs[0] // max(1, counted[0])
    return times > 1 and theirs == (counted[0] * times, counted[1] * times) and next(_copies(pair), None) is not None


def splits_restarts(pair: Pair) -> bool:
    return pair.version is not None and pair.version >= (4, 2)


def _others_counted(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    return 0 < pair.stream.hidden == pair.stream.number - (pair.connection.tcp_stream or 0)


def _renumbered(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    return splits_restarts(pair) and pair.stream.number > (pair.connection.tcp_stream or 0)


def _begins_later(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    """tshark counts the first packets to another stream; there was a reset among them."""
    later = pair.stream.first_packet > pair.connection.first_packet and pair.connection.notes.resets > 0
    return splits_restarts(pair) and later and (seen.packet or 0) < pair.stream.first_packet


def _closed_before_opened(connection: model.Connection) -> bool:
    """The file has the packets of one direction behind those of the other."""
    return bool(connection.open.steps and connection.close.steps) and max(
        step.packet for step in connection.open.steps
    ) > min(step.packet for step in connection.close.steps)


def _behind_the_fin(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    return splits_restarts(pair) and _closed_before_opened(pair.connection)


# TLS.


def _handshake(pair: Pair, what: str, side: model.Side) -> list[Fact]:
    return [fact for fact in pair.theirs("handshake") if fact.value == what and pair.side(fact) == side]


def _after_handshake(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    finished = _handshake(pair, "Finished", "client")
    return _is_1_3(pair) and bool(finished) and (seen.packet or 0) > finished[0].packet


def _authenticated_later(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    finished = _handshake(pair, "Finished", "client")
    return _is_1_3(pair) and len(finished) > 1 and seen.side == "client" and (seen.packet or 0) > finished[-1].packet


def _is_1_3(pair: Pair) -> bool:
    return any(tls.version == "TLS 1.3" for tls in words.secured(pair.connection))


def _no_hello(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    """There is no hello of either side, so that nobody knows which handshake this is from."""
    return not _handshake(pair, "ClientHello", "client") and not _handshake(pair, "ServerHello", "server")


def _inside_another(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    """What we say nothing of runs in a protocol that is not read here."""
    return not aspect.ours and bool(pair.stream.carriers - _CARRIERS)


def _rejected_early_data(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    """Sent before the server's first flight, and not accepted in it."""
    finished = _handshake(pair, "Finished", "server")
    early = bool(finished) and (seen.packet or 0) < finished[0].packet
    verdicts = [verdict for tls in words.secured(pair.connection) for verdict in tls.handshakes]
    accepted = any(step.step == "EndOfEarlyData" for verdict in verdicts for step in verdict.steps)
    return _is_1_3(pair) and early and not accepted


def _shown_later(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    """The other one has the same alert, a few packets away."""
    same = [one for _, one in aspect.lone if (one.what, one.side) == (seen.what, seen.side)]
    return len(same) == 2 and same[0].packet != same[1].packet and _ends_with_connection(pair)


def _ends_with_connection(pair: Pair) -> bool:
    return any(one.response is not None and not _framed(one.response) for one in _exchanges(pair))


def _answered_in_plain(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    return any(fault.layer == "tls" and fault.packet == seen.packet for fault in pair.connection.faults)


# HTTP.


def _exchanges(pair: Pair) -> Iterator[model.Exchange]:
    for http in words.spoken(pair.connection):
        yield from http.exchanges


def _of(pair: Pair, seen: Seen) -> Iterator[model.Exchange]:
    """The exchanges that something seen here may be from."""
    for one in _exchanges(pair):
        for message in (one.request, one.response):
            if one.stream == seen.stream and message is not None and message.packet == seen.packet:
                yield one


def _header(headers: list[tuple[str, str]] | None, name: str) -> str | None:
    return next((value for field, value in headers or () if field.lower() == name), None)


def _upgraded(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    before = [one for one in aspect.ours if one.stream is None and one.what == seen.what]
    return seen.stream == 1 and any(one.packet == seen.packet for one in before)


def _in_fragments(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    """Bytes of the stream came in IP fragments, which are not put together here."""
    fragments = pair.stream.fragments
    return bool(fragments) and (seen.packet or 0) >= fragments[0]


def _in_tunnel(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    tunnel = pair.connection.tunnel
    if tunnel is None or tunnel.http is None or not tunnel.after.startswith("CONNECT"):
        return False
    inside = (message for one in tunnel.http.exchanges for message in (one.request, one.response))
    return any(message is not None and message.packet == seen.packet for message in inside)


def _unknown_method(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    return seen.what.split(" ")[0] not in _METHODS


def _http09(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    """Its response has no status line."""
    return any(one.response is not None and one.response.status is None for one in _of(pair, seen))


def _without_end(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    for one in _of(pair, seen):
        response = one.response
        if response is None or response.packet != seen.packet:
            continue
        return not response.complete or response.body_bytes_lost > 0 or not _framed(response)
    return False


def _framed(response: model.Response) -> bool:
    """Whether its end shows in its header section (RFC 9112 §6.3)."""
    return any(_header(response.headers, name) is not None for name in ("content-length", "transfer-encoding"))


def _body_missing(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    for one in _of(pair, seen):
        length = _header(one.request.headers, "content-length") if one.request else None
        if one.request is not None and length is not None and length.isdecimal():
            return one.request.body_bytes - one.request.body_bytes_lost < int(length)
    return False


def _lost(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    """Bytes are missing in the capture before this, as both noticed."""
    if not (pair.connection.notes.lost_segments or pair.connection.open.outcome == "unseen"):
        return False
    lost = [fact.packet for fact in pair.theirs("lost")]
    return bool(lost) and (seen.packet is None or seen.packet >= min(lost))


def _begins_inside(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    return pair.connection.open.cause == "mid-stream"


def _not_decompressed(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    return seen.stream is not None and bool(pair.stream.unclear)


def _after_reset(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    resets = [
        fact for fact in pair.theirs("frame") if fact.value.startswith("RST_STREAM") and fact.stream == seen.stream
    ]
    return any(fact.packet < (seen.packet or 0) for fact in resets)


def _over_http2(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    return not aspect.theirs and any(one.protocol == "websocket" for one in _exchanges(pair))


def _stream_over(pair: Pair, seen: Seen, aspect: Aspect) -> bool:
    """The exchange was complete before the reset."""
    for one in _exchanges(pair):
        if one.stream == seen.stream and one.response is not None and one.response.complete:
            return one.response.last_packet <= (seen.packet or 0)
    return False


RESTART = "from 4.2 on Wireshark counts a SYN repeated after a reset as another stream"
BEHIND_THE_FIN = "from 4.2 on Wireshark begins another stream at a SYN-ACK that the file has behind the client's FIN"
FRAGMENTS = "put together by tshark from IP fragments that contradict one another, which is not done here (RFC 5722 §3)"
TUNNELS = "Wireshark has one stream where several tunnels have the same ends inside; here they are several connections"
TOO_DEEP = "inside more headers than are looked through here"
OTHERS = "Wireshark also counts streams that are no connections here: inside SOCKS, in tunnels, on other link layers"
BOTH: tuple[By, ...] = ("analyzer", "tshark")
MESSAGES = ("requests", "responses")
HTTP2 = ("HTTP/2 frames", "resets", "GOAWAY")

KNOWN: tuple[Known, ...] = (
    Known(
        "after the connection was over: such a segment is answered or ignored, and is no step of the close "
        "(RFC 9293 §3.5.2, §3.10.7.1)",
        ("close",), "tshark", _after_the_end,
    ),
    Known(
        "a reset that was ignored: not at the number expected, or the receiver went on (RFC 5961 §3.2)",
        ("close",), "tshark", _ignored_reset,
    ),
    Known("a copy of a packet captured twice (RFC 791 §3.1: same identification)", ("open", "close"), "tshark", _copy),
    Known(
        "a copy of a packet captured twice: the same bytes and timestamps (RFC 7323 §3.2)",
        ("open", "close"), "tshark", _copy_without_identification,
    ),
    Known("tshark goes no further where packets were cut short by the snaplen", MESSAGES, "analyzer", _behind_a_cut),
    Known(
        "the SYN was not captured, so that the opening is not judged (unseen)", ("open",), "tshark", _opening_not_judged
    ),
    Known(
        "the connection was open by then: a SYN or SYN-ACK again is answered, and is no step (RFC 9293 §3.10.7.4)",
        ("open",), "tshark", _already_open,
    ),
    Known(
        "a SYN-ACK that does not acknowledge this SYN (RFC 9293 §3.10.7.3)", ("open",), "tshark", _of_another_opening
    ),
    Known(
        "flags that contradict each other: a SYN that also closes is no step (RFC 9293 §3.10.7)",
        ("open", "close"), "tshark", _contradicting_flags,
    ),
    Known("reported here as a fault of the traffic", ("open", "close", "TLS messages", "alerts"), "tshark", _fault),
    *(Known(OTHERS, ("stream",), by, _others_counted) for by in BOTH),
    *(
        Known(
            FRAGMENTS, ("packets",), by, _fragments,
        )
        for by in BOTH
    ),
    *(Known(TUNNELS, ("packets",), by, _everything_again) for by in BOTH),
    *(Known(RESTART, ("stream",), by, _renumbered) for by in BOTH),
    *(Known(RESTART, ("packets", "open", "close"), by, _begins_later) for by in BOTH),
    *(Known(BEHIND_THE_FIN, ("stream", "packets", "open", "close"), by, _behind_the_fin) for by in BOTH),
    Known(
        "neither hello was captured, so that no handshake is reported", ("TLS messages",), "tshark", _no_hello
    ),
    Known(
        "inside a protocol that is not read here",
        ("TLS version", "cipher suite", "server name", "ALPN", "TLS messages", "alerts", "requests", "responses"),
        "tshark", _inside_another,
    ),
    Known(
        "after the handshake: authentication on request is not part of it (RFC 8446 §4.6.2)",
        ("TLS messages",), "tshark", _after_handshake,
    ),
    Known(
        "tshark takes the Finished of a later authentication for one that changes keys (RFC 8446 §4.6.2)",
        ("alerts", *MESSAGES), "analyzer", _authenticated_later,
    ),
    *(
        Known(
            "tshark shows what follows a response without a length when the connection ends (RFC 9112 §6.3)",
            ("alerts",), by, _shown_later,
        )
        for by in BOTH
    ),
    Known(
        "early data that the server rejected, so that it is no request (RFC 8446 §4.2.10)",
        ("requests",), "tshark", _rejected_early_data,
    ),
    Known(
        "plain HTTP in answer to a ClientHello: here a fault of TLS, for there was no request",
        ("responses",), "tshark", _answered_in_plain,
    ),
    Known(
        FRAGMENTS,
        ("open", "close", "TLS version", "cipher suite", "server name", "ALPN", "TLS messages", "alerts", *MESSAGES),
        "tshark", _in_fragments,
    ),
    Known("the request before the upgrade is also stream 1's (RFC 7540 §3.2)", ("requests",), "analyzer", _upgraded),
    Known(
        "tshark does not look into this tunnel (CONNECT, RFC 9110 §9.3.6)", MESSAGES, "analyzer", _in_tunnel
    ),
    Known(
        "a method that Wireshark does not know; any token is one (RFC 9110 §9.1)",
        ("requests",), "analyzer", _unknown_method,
    ),
    Known("HTTP/0.9, which tshark does not read (RFC 1945 §4.1)", ("requests",), "analyzer", _http09),
    Known(
        "tshark shows a response when it has its whole body, and not if that is cut off or ends with the connection "
        "(RFC 9112 §6.3, §8)",
        ("responses",), "analyzer", _without_end,
    ),
    Known(
        "tshark shows a request when it has its whole body, which never came (RFC 9110 §10.1.1)",
        ("requests",), "analyzer", _body_missing,
    ),
    Known(
        "bytes are missing in the capture, after which tshark does not find its way back",
        ("TLS messages", "alerts", *MESSAGES, *HTTP2, "WebSocket frames"), "analyzer", _lost,
    ),
    Known(
        "the capture begins inside the connection, where tshark does not find a beginning",
        ("TLS messages", "alerts", *MESSAGES, *HTTP2, "WebSocket frames"), "analyzer", _begins_inside,
    ),
    Known(
        "tshark could not decompress a field block (RFC 7541 §4.2, §6.3)", MESSAGES, "analyzer", _not_decompressed
    ),
    Known(
        "frames of a stream that the client had reset are ignored (RFC 9113 §5.1)",
        ("responses",), "tshark", _after_reset,
    ),
    Known(
        "tshark does not look into WebSocket over HTTP/2 (RFC 8441 §5)", ("WebSocket frames",), "analyzer", _over_http2
    ),
    Known(
        "a reset of a stream that was over changes nothing (RFC 9113 §5.1)", ("resets",), "tshark", _stream_over
    ),
)  # fmt: skip
