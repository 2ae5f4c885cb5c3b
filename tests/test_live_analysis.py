"""Live analysis without an interface: recorded captures through a pipe are told as the file is, step by step."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import threading
import time

import pytest

import analyzer
from analyzer import model
from analyzer.errors import InputError, UsageError
from tests.capture.builders import pcap
from tests.cases import CASES, ROOT, analysed, capture_of, keys_of
from tests.conversations import HANDSHAKE, Conversation

WEB = "tcp/web-page"


def nameless(connections: list[model.Connection]) -> list[dict]:
    import msgspec

    return [{**msgspec.to_builtins(one), "capture": ""} for one in sorted(connections, key=lambda one: one.id)]


def told(source, **options) -> tuple[list[model.LiveEvent], list[model.Connection], model.LiveSummary]:
    with analyzer.live(source=source, **options) as live:
        said = list(live)
    events = [one for one in said if isinstance(one, model.LiveEvent)]
    connections = [one for one in said if isinstance(one, model.Connection)]
    assert len(said) == len(events) + len(connections) + 1
    return events, connections, said[-1]


@pytest.mark.parametrize("case", CASES)
def test_live_says_what_the_file_says(case):
    with capture_of(case).open("rb") as file:
        events, connections, summary = told(file, keys=keys_of(case))
    expected, totals, _ = analysed(case)
    assert nameless(connections) == nameless(expected)
    assert (summary.packets, summary.connections) == (totals["packets"], totals["connections"])
    steps = {(one.connection, one.scope, one.side, one.step, one.packet) for one in events}
    for connection in connections:
        if connection.oriented_by != "syn" or connection.notes.resets_ignored or connection.faults:
            continue  # what it looked like at first may be not what it was
        for scope, verdict in (("tcp-open", connection.open), ("tcp-close", connection.close)):
            for step in verdict.steps:
                assert (connection.id, scope, step.side, step.step, step.packet) in steps
        if connection.http and connection.http.version != "HTTP/2":
            for step in connection.http.connection.steps:
                assert (connection.id, "http1", step.side, step.step, step.packet) in steps


def test_an_event_says_what_and_whose_it_is():
    with capture_of(WEB).open("rb") as file:
        events, _, _ = told(file)
    first = events[0]
    assert (first.step, first.side, first.scope, first.connection, first.packet) == ("SYN", "client", "tcp-open", 0, 1)
    assert first.client.address == "10.0.0.1"
    assert next(one.detail for one in events if one.step == "HTTP Request").startswith("GET /")
    assert [one.packet for one in events] == sorted(one.packet for one in events)


@pytest.mark.parametrize(("case", "number"), [(WEB, 0), ("tcp/open-at-end", 1), ("tcp/half-open", 1)])
def test_only_what_has_not_closed_is_open_at_the_end(case, number):
    with capture_of(case).open("rb") as file:
        _, _, summary = told(file)
    assert summary.open_at_end == number


def test_packets_end_it():
    with capture_of(WEB).open("rb") as file:
        _, connections, summary = told(file, packets=3)
    assert (summary.packets, summary.ended) == (3, "packets")
    assert connections[0].close.cause == "open-at-end"


def test_async():
    async def everything() -> list:
        with capture_of(WEB).open("rb") as file:
            return [one async for one in analyzer.live(source=file)]

    said = asyncio.run(everything())
    with capture_of(WEB).open("rb") as file:
        events, connections, _ = told(file)
    assert len(said) == len(events) + len(connections) + 1


def test_async_cancelled_closes_the_capture():
    """While it waits for packets that do not come."""
    read, write = os.pipe()
    descriptors = len(os.listdir("/proc/self/fd"))

    async def waits() -> None:
        with os.fdopen(read, "rb", buffering=0) as pipe:
            live = analyzer.live(source=pipe)

            async def consume() -> None:
                async for _ in live:
                    pass

            task = asyncio.create_task(consume())
            await asyncio.sleep(0.3)
            task.cancel()
            os.write(write, b"no capture, so that the thread that opens it ends\n" * 2)
            with pytest.raises((asyncio.CancelledError, InputError)):
                await task
            assert live.capture.ended is not None

    asyncio.run(waits())
    os.close(write)
    assert len(os.listdir("/proc/self/fd")) <= descriptors


def test_stop_from_another_thread():
    read, write = os.pipe()
    with os.fdopen(read, "rb", buffering=0) as pipe, analyzer.live(source=pipe) as live:
        os.write(write, capture_of(WEB).read_bytes())
        threading.Timer(0.5, live.stop).start()
        said = list(live)
    os.close(write)
    assert said[-1].ended == "stopped"
    assert said[-1].packets > 0


def test_leaving_the_loop_closes_it():
    with capture_of(WEB).open("rb") as file:
        live = analyzer.live(source=file)
        for _ in live:
            break
        live.close()
        assert live.capture.ended is not None


@pytest.mark.parametrize(
    ("interfaces", "options"), [((), {}), (("eth0",), {"source": "-"}), ((), {"source": io.BytesIO(), "nonsense": 1})]
)
def test_wrong_calls(interfaces, options):
    with pytest.raises(UsageError, match="live"):
        analyzer.live(*interfaces, **options)


def test_what_is_no_capture():
    with pytest.raises(InputError, match="is text, not a capture"):
        told(io.BytesIO(b"hello world\n" * 100))


def test_live_loads_no_scapy_for_a_pipe():
    """And neither asyncio, nor pyshark, nor what captures."""
    code = (
        "import sys, analyzer\n"
        f"with open({str(capture_of(WEB))!r}, 'rb') as file: list(analyzer.live(source=file))\n"
        "print(*(name for name in ('scapy', 'pyshark', 'asyncio') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == ""


def test_a_clock_that_is_set_back_while_packets_flow():
    """What has closed is reported two seconds later by the new clock, not when it has caught up with the old one."""
    hour = 3600 * 10**9
    close = ("C FIN", "S FIN", "C ACK")
    beginning = Conversation().say(*HANDSHAKE, *close).packets
    later = Conversation(client_port=40001).say(*HANDSHAKE, "silence 3", "C DATA 1").packets
    whole = pcap(*(one._replace(at_ns=one.at_ns + 3 * hour) for one in beginning))
    header = len(pcap())
    read, write = os.pipe()

    def send() -> None:
        os.write(write, whole)
        for packets in (later[:3], later[3:]):
            time.sleep(0.4)
            os.write(write, pcap(*(one._replace(at_ns=one.at_ns + hour) for one in packets))[header:])
        time.sleep(0.4)
        os.close(write)

    threading.Thread(target=send).start()
    with os.fdopen(read, "rb", buffering=0) as pipe, analyzer.live(source=pipe) as live:
        rounds = list(live.rounds())
    assert [(one.id, part.last) for part in rounds for one in part.connections] == [(0, False), (1, True)]
