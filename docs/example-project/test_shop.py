"""What the shop promises about its traffic, on a recording and while it runs."""

from __future__ import annotations

import threading

import client
import pytest
import shop


@pytest.fixture
def port():
    with shop.serve() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_login_and_cart_share_a_connection(live_capture, port):
    with live_capture(f"tcp port {port}") as traffic:
        assert client.buy(port) == b"1 pair of shoes\n"
    connection = traffic.connections.only()
    assert connection.http.connection.flow == "http1/keep-alive"
    assert [one.response.status for one in connection.http.exchanges] == [302, 200]
    assert connection.close.closed_by == "client"


def test_it_did_so_when_it_was_recorded(capture):
    connection = capture("traffic/login/capture.pcap").only("server.port=8080")
    assert connection.open.outcome == "documented"
    assert connection.close.outcome in ("documented", "variant")
    assert not connection.faults
