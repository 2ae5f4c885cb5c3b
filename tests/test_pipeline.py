"""The whole program as a library: the same report however the bytes come, and no exception that is not meant."""

from __future__ import annotations

import io
import itertools
import os
import threading

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import analyzer
from analyzer import model
from tests.capture.builders import pcap_header, section
from tests.cases import CASES, analysed, capture_of, keys_of, report_of
from tests.conversations import HANDSHAKE, Conversation
from tests.conversations import capture_of as bytes_of

ENCODER = msgspec.json.Encoder()
CONTENT = {case: capture_of(case).read_bytes() for case in CASES}


def lines(connections: list[model.Connection]) -> bytes:
    """JSON Lines without the name of the capture."""
    return b"\n".join(ENCODER.encode(msgspec.structs.replace(one, capture="")) for one in connections)


def expected(case: str) -> tuple[bytes, dict[str, int], list[str]]:
    connections, totals, warnings = analysed(case)
    return lines(connections), totals, [text.removeprefix(str(capture_of(case))) for text in warnings]


def seen(source, **options) -> tuple[bytes, dict[str, int], list[str]]:
    connections, totals, warnings = report_of(source, **options)
    return lines(connections), totals, warnings


class Dribble:
    """A file that gives as few bytes at a time as it is told, as a pipe may."""

    def __init__(self, content: bytes, sizes: list[int]):
        self.file, self.sizes = io.BytesIO(content), itertools.cycle(sizes)

    def readinto(self, buffer) -> int:
        return self.file.readinto(memoryview(buffer)[: next(self.sizes)])


class TestTheSameReport:
    @pytest.mark.parametrize("case", CASES)
    @pytest.mark.parametrize("chunk_bytes", [64, 1000, 1 << 20])
    def test_for_any_chunk_size(self, case, chunk_bytes):
        assert seen(capture_of(case), chunk_bytes=chunk_bytes, keys=keys_of(case)) == expected(case)

    @settings(max_examples=200)
    @given(st.sampled_from(list(CASES)), st.integers(64, 20_000), st.lists(st.integers(1, 500), min_size=1, max_size=5))
    def test_however_few_bytes_come_at_a_time(self, case, chunk_bytes, sizes):
        assert seen(Dribble(CONTENT[case], sizes), chunk_bytes=chunk_bytes, keys=keys_of(case)) == expected(case)

    @pytest.mark.parametrize("case", CASES)
    def test_from_a_pipe(self, case):
        reading, writing = os.pipe()

        def write() -> None:
            with open(writing, "wb", buffering=0) as pipe:
                for at in range(0, len(CONTENT[case]), 777):
                    pipe.write(CONTENT[case][at : at + 777])

        writer = threading.Thread(target=write)
        writer.start()
        with open(reading, "rb", buffering=0) as pipe:
            report = seen(pipe, keys=keys_of(case))
        writer.join()
        assert report == expected(case)

    def test_for_a_transfer_with_late_and_lost_segments_in_any_chunk(self):
        lines_ = [line for _ in range(30) for line in ("C DATA 90 lost", "C DATA 90", "C DATA 90 seq=-180", "S ACK")]
        content = bytes_of(Conversation().say(*HANDSHAKE, *lines_, "C FIN", "S FIN", "C ACK"))
        reports = {seen(io.BytesIO(content), chunk_bytes=size)[0] for size in (64, 200, 333, 1 << 16)}
        assert len(reports) == 1


KINDS = ("tcp", "udp", "quic", "icmp", "other", "fragments", "protected", "damaged", "filtered_out", "left_out")


@pytest.mark.parametrize("case", sorted(CASES.keys() - {"formats/wireless-a-msdu"}))
def test_every_packet_is_of_one_kind(case):
    _, totals, _ = analysed(case)
    assert totals["packets"] == sum(totals[kind] for kind in KINDS)


def survives(content: bytes) -> None:
    """A report, or the error that is meant for it; anything else is a bug."""
    try:
        connections, totals, _ = report_of(io.BytesIO(content), chunk_bytes=512)
    except analyzer.InputError:
        return
    assert totals["connections"] == len(connections)
    # A frame of IEEE 802.11 may hold several packets.
    assert totals["packets"] <= sum(totals[kind] for kind in KINDS)
    lines(connections)


class TestDamage:
    @settings(max_examples=300)
    @given(st.binary(max_size=300))
    @example(b"")
    def test_any_bytes(self, content):
        survives(content)

    @settings(max_examples=200)
    @given(st.sampled_from([pcap_header(), section()]), st.binary(max_size=300))
    def test_any_bytes_after_a_good_beginning(self, beginning, content):
        survives(beginning + content)

    @settings(max_examples=600)
    @given(
        st.sampled_from(list(CASES)),
        st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 7)), min_size=1, max_size=30),
    )
    def test_flipped_bits(self, case, flips):
        content = bytearray(CONTENT[case])
        for at, bit in flips:
            content[at % len(content)] ^= 1 << bit
        survives(bytes(content))

    @pytest.mark.parametrize(
        "case", ["tcp/four-way-client", "tcp/vlan-double-tagged", "tcp/icmp-unreachable-ipv6", "tcp/big-endian-pcap"]
    )
    def test_cut_anywhere_packets_go_one_by_one(self, case):
        packets = []
        for length in [*range(0, len(CONTENT[case]), 5), len(CONTENT[case])]:
            try:
                packets.append(report_of(io.BytesIO(CONTENT[case][:length]))[1]["packets"])
            except analyzer.InputError:
                assert packets == []
        assert packets[0] == 0
        assert packets[-1] == analysed(case)[1]["packets"]
        assert {after - before for before, after in itertools.pairwise(packets)} == {0, 1}

    def test_half_a_capture_is_read_up_to_the_damage(self):
        content = CONTENT["tcp/four-way-client"]
        connections, totals, warnings = report_of(io.BytesIO(content[: len(content) // 2]))
        assert len(connections) == 1
        assert 0 < totals["packets"] < 11
        assert len(warnings) == 1
        assert "byte offset" in warnings[0]


class TestInterface:
    def test_a_capture_is_an_iterable_of_connections(self):
        flows = [connection.open.flow for connection in analyzer.analyze(capture_of("tcp/four-way-client"))]
        assert flows == ["tcp-open/three-way-handshake"]

    def test_a_path_may_be_text(self):
        path = str(capture_of("tcp/refused"))
        (connection, *_) = analyzer.analyze(path)
        assert (connection.capture, connection.open.flow) == (path, "tcp-open/refused")

    def test_totals_and_warnings_stand_beside(self):
        with analyzer.analyze(capture_of("tcp/cut-mid-record")) as analysis:
            connections = list(analysis)
        assert analysis.totals.connections == len(connections) == 1
        assert analysis.totals.packets == 10
        assert [type(warning.offset) for warning in analysis.warnings] == [int]
        assert analysis.position == analysis.size

    def test_it_may_be_left_early(self):
        with analyzer.analyze(capture_of("tcp/web-page")) as analysis:
            next(iter(analysis))
        assert list(analysis) == []

    def test_options_by_name(self):
        everything = list(analyzer.analyze(capture_of("tcp/vlan-two-ids")))
        apart = list(analyzer.analyze(capture_of("tcp/vlan-two-ids"), vlan_key=True))
        assert (len(everything), len(apart)) == (1, 2)

    def test_a_filter_and_a_time_window_leave_packets_out(self):
        analysis = analyzer.analyze(capture_of("tcp/web-page"), packet_filter="tcp port 8080")
        assert [connection.server.port for connection in analysis] == [8080]
        assert analysis.totals.filtered_out == analysis.totals.packets - 2
        analysis = analyzer.analyze(capture_of("tcp/four-way-client"), time_relative=True, time_to=0)
        assert [connection.packets.client for connection in analysis] == [1]

    def test_an_unknown_option(self):
        with pytest.raises(analyzer.UsageError, match="speed"):
            analyzer.analyze(capture_of("tcp/refused"), speed=11)

    def test_a_wrong_filter(self):
        with pytest.raises(analyzer.UsageError, match="tcp porrt"):
            analyzer.analyze(capture_of("tcp/refused"), packet_filter="tcp porrt 80")

    def test_no_such_file(self, tmp_path):
        with pytest.raises(analyzer.InputError, match="no such file"):
            analyzer.analyze(tmp_path / "nothing.pcap")

    def test_a_page_of_ones_own(self, tmp_path):
        folder = tmp_path / "tcp-open"
        folder.mkdir()
        (folder / "twice.md").write_text(
            "---\nid: tcp-open/twice\nscope: tcp-open\ntitle: Asked twice\ndrawn_in_article: none\nstandard: none\n"
            "either_side: false\n---\n\nA test.\n\n```mermaid\nsequenceDiagram\n    participant Client\n"
            "    participant Server\n    Client->>Server: SYN [payload=0]\n    Client->>Server: SYN [retransmission]\n"
            "    Server->>Client: SYN-ACK\n    Client->>Server: ACK\n```\n"
        )
        content = bytes_of(Conversation().say("C SYN", "C SYN again", "S SYN-ACK", "C ACK"))
        (connection,) = analyzer.analyze(io.BytesIO(content), flows=(str(tmp_path),))
        assert connection.open.flow == "tcp-open/twice"
