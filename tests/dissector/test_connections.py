"""What is one connection, which side is which, and what is counted on the way."""

from __future__ import annotations

import io

import pytest

import analyzer
from tests.conversations import HANDSHAKE, Conversation, capture_of, play, play_all, report, steps

CLOSE = ("C FIN", "S ACK", "S FIN", "C ACK")


class TestSides:
    def test_the_sender_of_the_syn_is_the_client(self):
        connection = play("C SYN", "S SYN-ACK", client_port=80, server_port=40000)
        assert (connection.client.port, connection.server.port, connection.oriented_by) == (80, 40000, "syn")

    def test_a_syn_ack_alone_tells_it_too(self):
        connection = play("S SYN-ACK", "C ACK", client_port=80, server_port=40000)
        assert (connection.client.port, connection.server.port, connection.oriented_by) == (80, 40000, "syn")

    @pytest.mark.parametrize("first", ["C", "S"])
    @pytest.mark.parametrize(("client_port", "server_port"), [(40000, 80), (1024, 1023), (33000, 8080), (50000, 32767)])
    def test_without_them_the_lower_port_is_the_server(self, first, client_port, server_port):
        connection = play(f"{first} DATA 5", client_port=client_port, server_port=server_port)
        assert (connection.client.port, connection.server.port) == (client_port, server_port)
        assert connection.oriented_by == "port"

    @pytest.mark.parametrize("ports", [(40000, 50000), (5000, 6000), (80, 443), (1023, 1)])
    def test_else_the_first_sender_is_the_client(self, ports):
        connection = play("S DATA 5", "C ACK", client_port=ports[0], server_port=ports[1])
        assert (connection.client.port, connection.server.port) == (ports[1], ports[0])
        assert connection.oriented_by == "first-packet"

    def test_a_syn_captured_late_corrects_a_guess(self):
        lines = ("C SYN lost", "S SYN-ACK lost", "C ACK", "C SYN again", "S SYN-ACK again")
        connection = play(*lines, client_port=80, server_port=40000)
        assert (connection.client.port, connection.oriented_by) == (80, "syn")
        assert connection.packets == type(connection.packets)(2, 1)

    def test_counts_are_per_side(self):
        connection = play(*HANDSHAKE, "C DATA 100", "S ACK", "S DATA 7", "S DATA 8", "C ACK")
        assert (connection.packets.client, connection.packets.server) == (4, 4)
        assert (connection.payload_bytes.client, connection.payload_bytes.server) == (100, 15)

    def test_packets_and_times_are_those_of_the_capture(self):
        first = Conversation().say("C SYN at=1", "S SYN-ACK at=2", "C ACK at=2.5")
        second = Conversation(client_port=40001).say("C SYN at=0.5", "S RST-ACK at=4.000000001")
        one, two = report(capture_of(first, second))
        assert (one.client.port, one.first_packet, one.last_packet, one.id, one.tcp_stream) == (40001, 1, 5, 0, 0)
        assert (two.client.port, two.first_packet, two.last_packet, two.id, two.tcp_stream) == (40000, 2, 4, 1, 1)
        assert (one.start, one.duration_ns) == ("1970-01-01T00:00:00.500000000Z", 3_500_000_001)
        assert [step.at_ns for step in two.open.steps] == [0, 1_000_000_000, 1_500_000_000]
        assert two.timing.handshake_ns == 1_500_000_000

    def test_time_that_runs_backwards_has_no_negative_duration(self):
        connection = play("C SYN at=9", "S SYN-ACK at=3", "C ACK at=2")
        assert connection.duration_ns == 0
        assert connection.open.flow == "tcp-open/three-way-handshake"


class TestLifetimes:
    def test_a_syn_with_another_number_begins_a_new_connection(self):
        first, second = play_all(*HANDSHAKE, "C SYN isn=77777", "S RST-ACK")
        assert first.close.cause == "connection-ended"
        assert second.open.flow == "tcp-open/refused"
        assert (first.tcp_stream, second.tcp_stream) == (0, 1)

    def test_whoever_sends_it(self):
        first, second = play_all(*HANDSHAKE, "S SYN isn=77777", "C SYN-ACK isn=1", "S ACK", server_port=40001)
        assert (first.client.port, second.client.port) == (40000, 40001)
        assert second.open.flow == "tcp-open/three-way-handshake"

    def test_the_same_syn_does_not(self):
        assert play("C SYN", "C SYN again", "C SYN again").notes.retransmissions == 2

    def test_after_a_close(self):
        first, second = play_all(*HANDSHAKE, *CLOSE, "C SYN isn=77777", "S SYN-ACK isn=88888", "C ACK", "C RST")
        assert (first.close.flow, second.close.flow) == ("tcp-close/four-way", "tcp-close/reset")

    def test_segments_soon_after_the_close_still_count(self):
        connection = play(*HANDSHAKE, *CLOSE, "S FIN again at=1.5", "C ACK again")
        assert connection.last_packet == 9
        assert connection.notes.retransmissions == 1

    def test_later_ones_are_passed_over_and_begin_nothing_new(self):
        content = capture_of(Conversation().say(*HANDSHAKE, *CLOSE, "S FIN again at=30", "C ACK again"))
        with analyzer.analyze(io.BytesIO(content)) as analysis:
            (connection,) = analysis
        assert (connection.last_packet, analysis.totals.late) == (7, 2)

    @pytest.mark.parametrize(("linger", "connections"), [(10, 2), (11, 1)])
    def test_how_long_it_lingers(self, linger, connections):
        lines = (*HANDSHAKE, "C RST at=1", "S ACK at=11.5")
        assert len(play_all(*lines, options={"linger_ns": linger * 10**9})) == connections

    def test_an_open_connection_lingers_for_ever(self):
        assert play(*HANDSHAKE, "C DATA 5 at=1000000").open.flow == "tcp-open/three-way-handshake"

    def test_connections_are_reported_as_they_finish(self):
        early = Conversation(client_port=1).say(*HANDSHAKE, "C RST", "silence 100")
        late = Conversation(client_port=2).say("C SYN at=0", "S SYN-ACK at=1", "S RST at=120")
        seen = [connection.client.port for connection in analyzer.analyze(io.BytesIO(capture_of(late, early)))]
        assert seen == [1, 2]

    def test_ports_alone_do_not_make_a_connection(self):
        conversations = [
            Conversation(client, port, server).say("C SYN")
            for client in ("10.0.0.1", "10.0.0.3", "2001:db8::1")
            for server in ("10.0.0.2", "10.0.0.4", "2001:db8::2")
            for port in (40000, 40001)
            if (":" in client) == (":" in server)
        ]
        found = report(capture_of(*conversations))
        assert len(found) == 10
        assert len({(one.client.address, one.client.port, one.server.address) for one in found}) == 10

    def test_an_address_may_talk_to_itself(self):
        connection = play(*HANDSHAKE, *CLOSE, client="127.0.0.1", server="127.0.0.1", client_port=5, server_port=4)
        assert (connection.client.port, connection.close.closed_by) == (5, "client")

    def test_ten_thousand_at_once(self):
        conversations = [
            Conversation(f"10.{n >> 8}.{n & 255}.1", 1024 + n % 7).say("C SYN at=0", "S SYN-ACK at=1", "C ACK at=2")
            for n in range(10_000)
        ]
        found = report(capture_of(*conversations))
        assert len(found) == 10_000
        assert {one.open.flow for one in found} == {"tcp-open/three-way-handshake"}
        assert [one.tcp_stream for one in found] == list(range(10_000))
        assert all((one.packets.client, one.packets.server) == (2, 1) for one in found)


class TestVlan:
    lines = ("C SYN vlan=5", "S SYN-ACK vlan=6", "C ACK vlan=5")

    def test_the_two_directions_may_be_tagged_differently(self):
        connection = play(*self.lines)
        assert (connection.open.flow, connection.vlan) == ("tcp-open/three-way-handshake", [5])

    def test_unless_the_ids_are_part_of_the_key(self):
        first, second = play_all(*self.lines, options={"vlan_key": True})
        assert (first.vlan, second.vlan) == ([5], [6])

    def test_the_key_holds_all_of_them(self):
        one, two = (Conversation().say(f"C SYN at=0 vlan=1,{tag}", f"S SYN-ACK vlan=1,{tag}") for tag in (2, 3))
        assert [found.vlan for found in report(capture_of(one, two), vlan_key=True)] == [[1, 2], [1, 3]]
        assert len(report(capture_of(one, two))) == 1


class TestEviction:
    def crowd(self, *lines: str, count: int) -> list[Conversation]:
        return [Conversation(client_port=1000 + n).say(f"{lines[0]} at={n}", *lines[1:]) for n in range(count)]

    def test_the_longest_idle_one_goes_and_says_so(self):
        found = report(capture_of(*self.crowd(*HANDSHAKE, count=5)), max_connections=3)
        assert [one.close.cause for one in found] == ["evicted", "evicted", "open-at-end", "open-at-end", "open-at-end"]
        assert {one.open.flow for one in found} == {"tcp-open/three-way-handshake"}

    def test_closed_ones_go_first_and_lose_nothing(self):
        closed = Conversation(client_port=9).say("C SYN at=0.5", *HANDSHAKE[1:], *CLOSE)
        found = report(capture_of(closed, *self.crowd(*HANDSHAKE, count=3)), max_connections=3)
        assert {one.client.port: one.close.cause or one.close.flow for one in found} == {
            1000: "open-at-end", 9: "tcp-close/four-way", 1001: "open-at-end", 1002: "open-at-end",
        }  # fmt: skip

    def test_what_comes_after_is_a_connection_seen_from_its_middle(self):
        first = Conversation(client_port=999).say("C SYN at=0", *HANDSHAKE[1:], "C DATA 5 at=50")
        found = report(capture_of(first, *self.crowd(*HANDSHAKE, count=4)), max_connections=2)
        again = [one for one in found if one.client.port == 999]
        assert [one.open.cause for one in again] == [None, "mid-stream"]
        assert again[0].close.cause == "evicted"

    def test_an_opening_that_was_evicted(self):
        found = report(capture_of(*self.crowd("C SYN", count=4)), max_connections=2)
        assert [one.open.cause for one in found] == ["evicted", "evicted", None, "open-at-end"]

    def test_a_busy_one_stays(self):
        data = [f"C DATA 1 at={n}.5" for n in range(3, 8)]
        busy = Conversation(client_port=9).say("C SYN at=3.2", *HANDSHAKE[1:], *data)
        found = report(capture_of(busy, *self.crowd(*HANDSHAKE, count=8)), max_connections=3)
        assert next(one for one in found if one.client.port == 9).close.cause == "open-at-end"


class TestCounting:
    def notes(self, *lines: str) -> dict[str, int]:
        """What was counted after a handshake, without zeros."""
        notes = play(*HANDSHAKE, *lines).notes
        return {name: getattr(notes, name) for name in notes.__struct_fields__ if getattr(notes, name)}

    def test_nothing_special(self):
        assert self.notes("C DATA 100", "S ACK", "S DATA 5", "C DATA 10", *CLOSE) == {}

    @pytest.mark.parametrize("line", ["C DATA again", "C DATA 50 seq=-100", "C DATA 50 seq=-50"])
    def test_retransmission(self, line):
        assert self.notes("C DATA 100", line, "S ACK") == {"retransmissions": 1}

    def test_new_bytes_make_it_no_retransmission(self):
        assert self.notes("C DATA 100", "C DATA 101 seq=-100", "S ACK ack=+1") == {}

    def test_a_fin_sent_again(self):
        assert self.notes("C FIN", "C FIN again", "S ACK") == {"retransmissions": 1}

    def test_a_fin_with_data_sent_again(self):
        assert self.notes("C FIN 20", "C FIN again", "S ACK") == {"retransmissions": 1}

    def test_data_that_comes_late_was_overtaken(self):
        connection = play("C SYN", "S SYN-ACK at=0.1", "C ACK", "C DATA 100 lost", "C DATA 101 at=1",
                          "C DATA 100 seq=-201 at=1.01", "S ACK")  # fmt: skip
        assert (connection.notes.lost_segments, connection.notes.out_of_order) == (1, 1)
        assert connection.notes.retransmissions == 0

    def test_data_that_comes_after_a_round_trip_was_sent_again(self):
        lines = ("C DATA 100 lost", "C DATA 101 at=1", "S ACK ack=-201", "C DATA 100 seq=-201 at=1.5", "S ACK")
        assert self.notes(*lines) == {"lost_segments": 1, "duplicate_acks": 1, "retransmissions": 1}

    def test_a_hole_is_filled_in_pieces(self):
        lines = ("C DATA 300 lost", "C DATA 1 at=1", "C DATA 100 seq=-201 at=1.001", "C DATA 100 seq=-301 at=1.002",
                 "C DATA 100 seq=-101 at=1.003", "C DATA 100 seq=-101 at=1.01")  # fmt: skip
        assert self.notes(*lines) == {"lost_segments": 1, "out_of_order": 3, "retransmissions": 1}

    def test_what_was_acknowledged_and_never_captured(self):
        assert self.notes("C DATA 100 lost", "C DATA 7", "S ACK") == {"lost_segments": 1, "uncaptured_bytes": 100}
        assert self.notes("C DATA 100 lost", "S ACK") == {"uncaptured_bytes": 100}

    def test_what_was_lost_on_the_path_is_not_missing_in_the_capture(self):
        lines = ("C DATA 100 lost", "C DATA 7 at=1", "S ACK ack=-107", "C DATA 100 seq=-107 at=1.5", "S ACK")
        assert "uncaptured_bytes" not in self.notes(*lines)
        assert "uncaptured_bytes" not in self.notes("C DATA 100 lost", "C DATA 7", "S ACK ack=-107")

    def test_cut_segments(self):
        assert self.notes("C DATA 100 cut=10", "C DATA 100", "S ACK") == {"cut_segments": 1}

    def test_duplicate_acknowledgements(self):  # RFC 5681 §2
        lines = ("C DATA 100", "S ACK", "C DATA 1 lost", "C DATA 100", "S ACK ack=-101", "S ACK ack=-101")
        assert self.notes(*lines) == {"duplicate_acks": 2, "lost_segments": 1}

    def test_a_window_update_is_no_duplicate(self):
        lines = ("C DATA 100", "S ACK", "C DATA 100", "S ACK ack=-100 win=99")
        assert self.notes(*lines) == {}

    def test_an_acknowledgement_of_all_there_is_is_no_duplicate(self):
        assert self.notes("C DATA 100", "S ACK", "S ACK") == {}

    @pytest.mark.parametrize("probe", ["C ACK seq=-1", "C DATA 1 seq=-1"])
    def test_keep_alive_probes(self, probe):  # RFC 9293 §3.8.4
        lines = ("C DATA 100", "S ACK", f"{probe} at=60", "S ACK", f"{probe} at=120", "S ACK")
        assert self.notes(*lines) == {"keep_alives": 2}

    def test_zero_windows(self):
        assert self.notes("C DATA 100", "S ACK win=0", "S ACK win=0", "S ACK win=500")["zero_windows"] == 2

    def test_a_reset_has_no_window(self):
        assert self.notes("C RST win=0") == {"resets": 1}

    def test_more_holes_than_are_kept(self):
        lines = [line for _ in range(200) for line in ("C DATA 10 lost", "C DATA 10")]
        connection = play(*HANDSHAKE, *lines, "C FIN", "S ACK", "silence 9")
        assert connection.notes.lost_segments == 200
        assert connection.close.cause == "lost-in-capture"


class TestSequenceNumbers:
    @pytest.mark.parametrize("before", range(5))
    def test_they_wrap(self, before):
        connection = play(
            f"C SYN isn={2**32 - before - 1}", f"S SYN-ACK isn={2**32 - 1}", "C ACK", "C DATA 1", "S ACK", "C DATA 2",
            "S DATA 1", "S ACK", *CLOSE,
        )  # fmt: skip
        assert connection.open.flow == "tcp-open/three-way-handshake"
        assert connection.close.flow == "tcp-close/four-way"
        assert not any(getattr(connection.notes, name) for name in connection.notes.__struct_fields__)

    def test_a_transfer_over_four_gibibytes(self):
        # Segmentation offload makes such segments; of each only the headers are captured.
        connection = play(*HANDSHAKE, *["S DATA 1000000 size0 cut=0", "C ACK"] * 4500, *CLOSE)
        assert connection.payload_bytes.server == 4_500_000_000 > 2**32
        assert connection.close.flow == "tcp-close/four-way"
        assert (connection.notes.retransmissions, connection.notes.lost_segments) == (0, 0)

    def test_numbers_that_come_round_again_are_new_bytes(self):
        # Over 4 GiB in big steps: the second segment with the same number is no retransmission of the first.
        lines = [line for _ in range(8) for line in ("S DATA 536870911 lost", "S DATA 1", "C ACK")]
        connection = play(*HANDSHAKE, *lines, *CLOSE)
        assert (connection.notes.lost_segments, connection.notes.retransmissions) == (8, 0)
        assert connection.close.flow == "tcp-close/four-way"

    def test_segmentation_offload_leaves_the_length_0(self):
        connection = play(*HANDSHAKE, "S DATA 70000 size0", "C ACK", *CLOSE)
        assert connection.payload_bytes.server == 70_000
        assert (connection.notes.lost_segments, connection.close.flow) == (0, "tcp-close/four-way")


class TestIcmp:
    def test_of_a_syn(self):
        assert steps(play("C SYN", "S ICMP").open) == ["C SYN", "S ICMP Unreachable"]

    def test_eight_bytes_of_it_are_enough(self):
        assert play("C SYN", "S ICMP quote=8").open.flow == "tcp-open/icmp-unreachable"

    def test_of_an_ipv6_one(self):
        ends = {"client": "2001:db8::1", "server": "2001:db8::2"}
        assert play("C SYN", "S ICMP", **ends).open.flow == "tcp-open/icmp-unreachable"

    @pytest.mark.parametrize("error", ["S ICMP type=3 code=4", "S ICMP type=11", "S ICMP type=12"])
    def test_other_errors_are_no_step(self, error):
        assert steps(play("C SYN", error).open) == ["C SYN"]

    def test_of_an_open_connection_it_is_soft(self):  # RFC 1122 §4.2.3.9
        connection = play(*HANDSHAKE, "C DATA 9", "S ICMP", "S ACK")
        assert steps(connection.open) == ["C SYN", "S SYN-ACK", "C ACK"]
        assert connection.packets.server == 2  # the error itself is no segment of it

    def test_of_a_segment_with_another_number_it_is_forged(self):  # RFC 5927 §4.1
        assert steps(play("C SYN", "C DATA 9", "S ICMP").open) == ["C SYN"]

    def test_of_a_connection_never_seen_holds_a_number_and_is_no_connection(self):
        quoted, other = Conversation(client_port=1), Conversation(client_port=2)
        quoted.say("C SYN", "S ICMP")
        del quoted.packets[0]
        (connection,) = report(capture_of(quoted, other.say("C SYN at=1")))
        assert (connection.client.port, connection.id, connection.tcp_stream) == (2, 0, 1)
