"""Conversations that another implementation has made: the h2 library speaks, and knows what it said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector.http2.connection import CLIENT, SERVER, Dissector
from tests.capture.strategies import patiently

h2_connection = pytest.importorskip("h2.connection")
h2_config = pytest.importorskip("h2.config")

REQUEST = [(":method", "POST"), (":scheme", "https"), (":authority", "a.test"), (":path", "/")]


class Peers:
    def __init__(self):
        self.ends = [
            h2_connection.H2Connection(h2_config.H2Configuration(client_side=client)) for client in (True, False)
        ]
        self.dissector = Dissector(keep_fields=True)
        self.packet = 0
        for end in self.ends:
            end.initiate_connection()
        self.pump()

    def pump(self):
        """Carries what both have to say, seen on the way."""
        while True:
            said = [end.data_to_send() for end in self.ends]
            if not any(said):
                return
            for side, what in enumerate(said):
                if what:
                    self.packet += 1
                    self.dissector.feed(side, what, self.packet * 10, self.packet)
                    self.ends[1 - side].receive_data(what)


bodies = st.lists(st.binary(max_size=300), max_size=4)
fields = st.lists(
    st.tuples(st.sampled_from(["x-a", "x-b", "cookie", "accept"]), st.text("abc/=;", min_size=1, max_size=30)),
    max_size=5,
)
calls = st.tuples(fields, bodies, fields, bodies, st.sampled_from([200, 404, 503]), st.integers(0, 3))


@patiently
@given(st.lists(calls, min_size=1, max_size=8), st.data())
def test_what_was_said_is_what_is_found(conversation, choice):
    """Requests at once; the frames of the responses in any order."""
    peers = Peers()
    client, server = peers.ends
    expected = {}
    waiting = {}
    for number, (asked, request_bodies, answered, response_bodies, status, _) in enumerate(conversation):
        stream = client.get_next_available_stream_id()
        path = f"/{number}"
        client.send_headers(stream, [*REQUEST[:3], (":path", path), *asked])
        for body in request_bodies:
            client.send_data(stream, body)
        client.end_stream(stream)
        waiting[stream] = [
            ("headers", [(":status", str(status)), *answered]),
            *(("data", body) for body in response_bodies),
        ]
        expected[stream] = (
            path,
            asked,
            sum(map(len, request_bodies)),
            status,
            answered,
            sum(map(len, response_bodies)),
        )
    peers.pump()
    while waiting:
        stream = choice.draw(st.sampled_from(sorted(waiting)))
        kind, what = waiting[stream].pop(0)
        if kind == "headers":
            server.send_headers(stream, what)
        else:
            server.send_data(stream, what)
        if not waiting[stream]:
            server.end_stream(stream)
            del waiting[stream]
        if choice.draw(st.booleans()):
            peers.pump()
    peers.pump()
    found = {
        exchange.stream: (
            exchange.request.target,
            exchange.request.fields[4:],
            exchange.request.body_bytes,
            exchange.response.status,
            exchange.response.fields[1:],
            exchange.response.body_bytes,
        )
        for exchange in peers.dissector.exchanges
    }
    assert found == expected
    assert all(exchange.response.complete for exchange in peers.dissector.exchanges)
    assert peers.dissector.max_concurrent == len(expected)
    assert peers.dissector.faults == []


def test_windows_are_as_the_peers_count_them():
    peers = Peers()
    client, server = peers.ends
    client.send_headers(1, [*REQUEST])
    client.end_stream(1)
    peers.pump()
    server.send_headers(1, [(":status", "200")])
    sent = 0
    for _ in range(20):
        window = server.local_flow_control_window(1)
        length = min(window, 16_384)
        if length:
            server.send_data(1, bytes(length))
            sent += length
        peers.pump()
        flow = peers.dissector.flow
        assert flow.window(SERVER, None) == server.outbound_flow_control_window
        assert flow.window(SERVER, peers.dissector._streams[1]) == window - length
        if not window - length:
            client.increment_flow_control_window(30_000)
            client.increment_flow_control_window(20_000, 1)
            peers.pump()
    server.end_stream(1)
    peers.pump()
    assert peers.dissector.exchanges[0].response.body_bytes == sent
    assert {stall.stream for stall in peers.dissector.stalls} == {0, 1}
    assert peers.dissector.faults == []


def test_settings_push_and_goaway():
    peers = Peers()
    client, server = peers.ends
    server.update_settings({1: 8192, 4: 1000})
    peers.pump()
    client.send_headers(1, [*REQUEST], end_stream=True)
    peers.pump()
    server.push_stream(1, 2, [(":method", "GET"), *REQUEST[1:3], (":path", "/pushed")])
    server.send_headers(1, [(":status", "200")], end_stream=True)
    server.send_headers(2, [(":status", "204")], end_stream=True)
    peers.pump()
    client.ping(b"12345678")
    client.close_connection(error_code=2, additional_data=b"bye")
    peers.pump()
    dissector = peers.dissector
    assert dissector.settings[SERVER]["INITIAL_WINDOW_SIZE"] == 1000
    assert [(each.stream, each.pushed, each.request.target) for each in dissector.exchanges] == [
        (1, False, "/"),
        (2, True, "/pushed"),
    ]
    (said,) = dissector.goaways
    assert (said.side, said.error, said.debug) == ("client", "INTERNAL_ERROR", "bye")
    assert dissector.frame_counts[CLIENT]["PING"] == 1
    assert dissector.faults == []
