"""What crosscheck makes of what tshark says, without a tshark: fields in, aspects and reasons out."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import model
from analyzer.errors import InputError
from analyzer.reporter.crosscheck import known
from analyzer.reporter.crosscheck.comparing import Pair, aspects
from analyzer.reporter.crosscheck.streams import MOST_FACTS, Streams
from analyzer.reporter.outputs.crosschecks import Item
from tests.cases import analysed

CLIENT, SERVER = ("10.0.0.1", 50000), ("10.0.0.2", 80)
FLAGS = {"SYN": 0x02, "SYN-ACK": 0x12, "ACK": 0x10, "FIN": 0x11, "RST": 0x04, "DATA": 0x18}


def fields(number, side="C", flag="ACK", *, stream=0, **more):
    """A packet as tshark prints it: `fields(1, "C", "SYN")`, with further fields by name."""
    (source, port), (target, other) = (CLIENT, SERVER) if side == "C" else (SERVER, CLIENT)
    found = {
        "frame.number": [str(number)],
        "frame.protocols": ["eth:ethertype:ip:tcp"],
        "ip.src": [source],
        "ip.dst": [target],
        "tcp.srcport": [str(port)],
        "tcp.dstport": [str(other)],
        "tcp.stream": [str(stream)],
        "tcp.flags": [f"0x{FLAGS[flag]:04x}"],
        "tcp.seq_raw": [str(number * 100)],
    }
    return found | {name.replace("__", "."): value for name, value in more.items()}


def stream_of(*packets):
    streams = Streams()
    for packet in packets:
        streams.add(packet)
    (stream,) = streams.rest()
    return stream


def facts(*packets):
    return [(fact.kind, fact.value, fact.stream) for fact in stream_of(*packets).facts if fact.kind != "frame"]


def http2(number, side, types, flags, numbers, **more):
    return fields(
        number,
        side,
        "DATA",
        **{"http2__type": types, "http2__flags": flags, "http2__streamid": numbers} | more,
    )


# Fields to facts.


def test_segments():
    found = stream_of(fields(1, "C", "SYN"), fields(2, "S", "SYN-ACK"), fields(3, "C"), fields(4, "C", "RST"))
    assert [(fact.kind, fact.source, fact.packet) for fact in found.facts] == [
        ("SYN", CLIENT, 1), ("SYN-ACK", SERVER, 2), ("RST", CLIENT, 4),
    ]  # fmt: skip
    assert found.packets == {CLIENT: 3, SERVER: 1}


def test_a_hello_retry_request_is_told_by_its_random():
    retry = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
    hello = {"tls__handshake__type": ["2"], "tls__handshake__random": [retry], "tls__handshake__version": ["0x0303"]}
    assert ("handshake", "HelloRetryRequest", None) in facts(fields(1, "S", "DATA", **hello))
    hello["tls__handshake__random"] = ["00" * 32]
    assert ("handshake", "ServerHello", None) in facts(fields(1, "S", "DATA", **hello))


def test_field_blocks_belong_to_the_frames_that_end_them():
    """HEADERS 1 is continued, HEADERS 3 is whole, and begins with a size update of the table."""
    packet = http2(
        1, "C", ["1", "9", "0", "1"], ["0x01", "0x04", "0x01", "0x05"], ["1", "1", "7", "3"],
        http2__header__count=["2", "3"],
        http2__header__repr=["Indexed", "Indexed", "Maximum Dynamic Table Size Update", "Indexed", "Indexed"],
        http2__header__name=[":method", ":path", ":method", ":path"],
        http2__header__value=["GET", "/a", "POST", "/b"],
    )  # fmt: skip
    assert facts(packet) == [("request", "GET /a", 1), ("request", "POST /b", 3)]


def test_a_pushed_request_belongs_to_the_promised_stream():
    packet = http2(
        1, "S", ["5", "1"], ["0x04", "0x04"], ["1", "1"],
        http2__push_promise__promised_stream_id=["2"],
        http2__header__count=["2", "1"],
        http2__header__repr=["Indexed"] * 3,
        http2__header__name=[":method", ":path", ":status"],
        http2__header__value=["GET", "/a", "200"],
    )  # fmt: skip
    assert facts(packet) == [("request", "GET /a", 2), ("response", "200", 1)]


def test_field_blocks_that_tshark_could_not_read_are_not_guessed():
    packet = http2(1, "C", ["1", "1"], ["0x05", "0x05"], ["1", "3"], http2__header__count=["2"])
    found = stream_of(packet)
    assert found.unclear == [1]
    assert {fact.kind for fact in found.facts} == {"frame"}


def test_what_is_kept_of_a_stream_is_bounded():
    found = stream_of(*(fields(number, "C", "RST") for number in range(1, MOST_FACTS + 10)))
    assert (len(found.facts), found.complete) == (MOST_FACTS, False)


def test_a_stream_is_given_once_and_what_comes_later_is_passed_over():
    streams = Streams()
    streams.add(fields(1, "C", "SYN"))
    ends = frozenset({CLIENT, SERVER})
    assert streams.take(ends, 2, 5) is None
    assert streams.take(ends, 1, 5).number == 0
    streams.add(fields(7, "S", "RST"))
    assert streams.take(ends, 1, 7) is None
    assert streams.rest() == []
    streams.add(fields(8, "C", "SYN", stream=1))
    assert streams.take(ends, 8, 8).number == 1


def test_streams_that_are_not_read_here_are_told_apart():
    """Wireshark numbers them all the same."""
    streams = Streams()
    streams.add(fields(1, stream=0))
    streams.add(fields(2, stream=1, frame__protocols=["eth:ethertype:macsec:ip:tcp"]))
    streams.add(fields(3, stream=2, frame__protocols=["eth:ethertype:ip:esp:ip:tcp"]))
    streams.add(fields(4, stream=4, frame__protocols=["eth:ethertype:vlan:ethertype:ipv6:ipv6.hopopts:tcp"]))
    found = [(stream.number, stream.below, stream.hidden) for stream in streams.rest()]
    assert found == [(0, None, 0), (1, "macsec", 0), (2, "esp", 1), (4, None, 3)]
    alone = [list(known.reasons_alone(stream, None, 0)) for stream in streams.rest()]
    assert alone == [[], ["on macsec, which is not read here"], ["on esp, which is not read here"], []]


def test_the_innermost_addresses_are_the_ends():
    """Newer tsharks do not name IP behind MPLS."""
    both = {"ipv6__src": ["2001:db8::1"], "ipv6__dst": ["2001:db8::2"]}
    for protocols, more in (("eth:ethertype:mpls:tcp", {}), ("eth:ethertype:ipv6:ip:tcp", both)):
        streams = Streams()
        streams.add(fields(1, frame__protocols=[protocols], **more))
        assert streams.rest()[0].ends == frozenset({CLIENT, SERVER})


def test_a_stream_of_fragments_is_known():
    piece = {"ip__fragment__count": ["2"]}
    assert list(known.reasons_alone(stream_of(fields(1, **piece), fields(5, **piece)), None, 0)) == [known.FRAGMENTS]
    assert list(known.reasons_alone(stream_of(fields(1, **piece), fields(5)), None, 0)) == []


VALUES = st.lists(
    st.one_of(st.integers(-5, 300).map(str), st.text("0x:-,agé ", max_size=8), st.just("0x04")), max_size=4
)


NAMES = [
    *fields(1), "http2.type", "http2.flags", "http2.streamid", "http2.header.count", "http2.header.name",
    "http2.header.value", "http2.header.repr", "http2.push_promise.promised_stream_id", "tls.handshake.type",
    "tls.handshake.random", "tls.handshake.version", "tls.handshake.ciphersuite", "tls.alert_message.desc",
    "http.request.method", "http.request.uri", "http.response.code", "websocket.opcode",
]  # fmt: skip


@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_whatever_tshark_prints(more):
    """It is taken, or refused in words; nothing else comes out."""
    streams = Streams()
    with contextlib.suppress(InputError):
        streams.add(fields(1, "C", "DATA") | more)
    assert len(streams.rest()) <= 1


# What is not the same is found, and not explained away.


def differing(connection: model.Connection, *packets) -> dict[str, list[str] | None]:
    pair = Pair(connection, stream_of(*packets), (4, 0))
    return {aspect.name: known.reasons(pair, aspect) for aspect in aspects(pair) if aspect.lone}


def four_way() -> tuple[model.Connection, list]:
    """A recorded connection, and what tshark prints for its packets, made of what is reported."""
    (connection,) = analysed("tcp/four-way-client")[0]
    connection = msgspec.structs.replace(connection, client=model.Endpoint(*CLIENT), server=model.Endpoint(*SERVER))
    said = {step.packet: step for verdict in (connection.open, connection.close) for step in verdict.steps}
    packets = []
    for number in range(1, connection.last_packet + 1):
        step = said.get(number)
        side = "C" if step is None or step.side == "client" else "S"
        packets.append(fields(number, side, "ACK" if step is None or step.step not in FLAGS else step.step))
    counted = stream_of(*packets).packets
    sent = model.PerSide(counted[CLIENT], counted[SERVER])
    return msgspec.structs.replace(connection, packets=sent), packets


def test_the_same_is_the_same():
    connection, packets = four_way()
    assert differing(connection, *packets) == {}


@pytest.mark.parametrize("kind", ["SYN", "SYN-ACK", "FIN"])
def test_a_segment_that_only_one_of_them_saw_is_a_disagreement(kind):
    connection, packets = four_way()
    at = next(n for n, packet in enumerate(packets) if packet["tcp.flags"] == [f"0x{FLAGS[kind]:04x}"])
    packets[at] = packets[at] | {"tcp.flags": ["0x0010"]}
    aspect = "close" if kind == "FIN" else "open"
    assert differing(connection, *packets) == {aspect: None}


def test_a_reset_that_was_not_reported_is_a_disagreement():
    connection, packets = four_way()
    packets[5] = packets[5] | {"tcp.flags": ["0x0004"]}
    assert differing(connection, *packets)["close"] is None


def test_a_syn_ack_again_is_known_once_the_connection_is_open():
    connection, packets = four_way()
    late = connection.open.steps[-1].last_packet
    packets[late] = packets[late] | {"tcp.flags": ["0x0012"], "ip.src": [SERVER[0]], "ip.dst": [CLIENT[0]],
                                     "tcp.srcport": [str(SERVER[1])], "tcp.dstport": [str(CLIENT[1])]}  # fmt: skip
    (reason,) = differing(connection, *packets)["open"]
    assert reason.startswith("the connection was open by then")


def test_another_number_is_known_if_that_many_streams_are_hidden():
    connection, packets = four_way()
    other = [packet | {"tcp.stream": ["2"]} for packet in packets]
    assert differing(connection, *other) == {"stream": [known.OTHERS]}
    before = [fields(1, stream=0), fields(2, stream=1)]  # two connections that are read here
    shifted = [packet | {"frame.number": [str(n + 3)], "tcp.stream": ["2"]} for n, packet in enumerate(packets)]
    streams = Streams()
    for packet in (*before, *shifted):
        streams.add(packet)
    pair = Pair(connection, streams.rest()[2], (4, 0))
    aspect = next(aspect for aspect in aspects(pair) if aspect.name == "stream")
    assert known.reasons(pair, aspect) is None


def test_a_late_segment_is_known():
    connection, packets = four_way()
    packets.append(fields(connection.last_packet + 1, "S", "RST"))
    (reason,) = differing(connection, *packets)["close"]
    assert reason.startswith("after the connection was over")


def test_a_request_or_status_that_only_tshark_saw_is_a_disagreement():
    connection, packets = four_way()
    packets[4] = packets[4] | {"http.request.method": ["GET"], "http.request.uri": ["/"]}
    packets[5] = packets[5] | {"http.response.code": ["200"]}
    found = differing(connection, *packets)
    assert (found["requests"], found["responses"]) == (None, None)


def test_a_message_cannot_come_before_its_first_byte():
    (connection,) = analysed("http1/single-exchange")[0]
    connection = msgspec.structs.replace(connection, client=model.Endpoint(*CLIENT), server=model.Endpoint(*SERVER))
    exchange = connection.http.exchanges[0]
    request = f"{exchange.request.method} {exchange.request.target}".split()

    def requests(packet):
        said = {"http__request__method": [request[0]], "http__request__uri": [request[1]]}
        return differing(connection, fields(packet, "C", "DATA", **said)).get("requests", [])

    assert requests(exchange.request.packet) == []
    assert requests(exchange.request.packet + 3) == []
    assert requests(exchange.request.packet - 1) is None


def test_every_rule_names_aspects_that_there_are():
    names = {"stream", "packets", "open", "close", "TLS version", "cipher suite", "server name", "ALPN",
             "TLS messages", "alerts", "requests", "responses", "HTTP/2 frames", "resets", "GOAWAY",
             "WebSocket frames"}  # fmt: skip
    for rule in known.KNOWN:
        assert set(rule.aspects) <= names


def test_long_lists_show_only_what_differs():
    (connection,) = analysed("http2/many")[0]
    connection = msgspec.structs.replace(connection, client=model.Endpoint(*CLIENT), server=model.Endpoint(*SERVER))
    pair = Pair(connection, stream_of(fields(1, "C", "SYN")), None)
    item = next(Item.of(aspect, None) for aspect in aspects(pair) if aspect.name == "requests")
    assert item.ours.endswith("more")
    assert (item.tshark, item.explained) == (None, False)
