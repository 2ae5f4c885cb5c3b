"""Records: framing, limits, loss, and finding the next one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector.tls.records import EVERYTHING
from analyzer.dissector.tls.resync import Resync
from tests.capture.strategies import patiently
from tests.dissector.tls_talk import (
    CCS,
    CERTIFICATE,
    FULL_13,
    RSA,
    SERVER_HELLO_DONE,
    alert,
    client_hello,
    data,
    faults,
    message,
    only_fault,
    packets,
    record,
    server_hello,
    steps,
    talk,
)

BIG = message(11, (50_000).to_bytes(3, "big") + (49_997).to_bytes(3, "big") + bytes(49_997))


class TestReassembly:
    def test_a_hello_over_twelve_segments(self):
        hello = record(client_hello(session=b"s" * 32) + b"")
        size = -(-len(hello) // 12)
        pieces = [hello[at : at + size] for at in range(0, len(hello), size)]
        found = talk(*(("C", piece) for piece in pieces))
        assert (steps(found), packets(found)) == (["C ClientHello"], [len(pieces)])

    def test_a_message_over_records(self):
        pieces = [record(BIG[at : at + 16_384]) for at in range(0, len(BIG), 16_384)]
        found = talk(RSA[0], ("S", record(server_hello())), *(("S", piece) for piece in pieces))
        assert steps(found)[2:] == ["S Certificate"]
        assert packets(found)[-1] == 2 + len(pieces)
        assert [len(der) for der in found.certificates] == [49_997]
        assert found.faults == []

    def test_messages_that_share_records_and_end_in_others(self):
        flight = server_hello() + CERTIFICATE + SERVER_HELLO_DONE
        found = talk(RSA[0], ("S", record(flight[:30])), ("S", record(flight[30:-2])), ("S", record(flight[-2:])))
        assert steps(found)[1:] == ["S ServerHello", "S Certificate", "S ServerHelloDone"]
        assert packets(found)[1:] == [3, 3, 4]

    def test_an_alert_between_the_halves_of_a_message(self):
        found = talk(RSA[0], ("S", record(server_hello()[:20]) + alert(1, 112) + record(server_hello()[20:])))
        assert steps(found) == ["C ClientHello", "S ServerHello"]
        assert len(found.alerts) == 1

    def test_a_message_too_large_is_stepped_over(self):
        length = 300_000
        huge = b"\x0b" + length.to_bytes(3, "big") + bytes(length)
        pieces = b"".join(record(huge[at : at + 16_384]) for at in range(0, len(huge), 16_384))
        found = talk(RSA[0], ("S", record(server_hello()) + pieces + record(SERVER_HELLO_DONE)))
        assert steps(found)[1:] == ["S ServerHello", "S ServerHelloDone"]
        assert only_fault(found) == "certificate of 300000 bytes is not read (RFC 8446 §4)"

    def test_bytes_out_of_order_complete_a_message_when_the_last_of_them_comes(self):
        first, second = record(server_hello()), record(CERTIFICATE)
        found = talk(RSA[0])
        found.feed(1, first, 90, 9)
        found.feed(1, second, 50, 5)  # it came before, and was held back
        assert packets(found) == [1, 9, 9]


class TestLimits:
    @pytest.mark.parametrize(("length", "fault"), [
        (16_384, None),
        (16_385, "a record of 16385 bytes, 16384 is the most (RFC 8446 §5.1, §5.2)"),
        (18_433, "a record of 18433 bytes (RFC 8446 §5.1)"),
    ])  # fmt: skip
    def test_in_the_clear(self, length, fault):
        found = talk(("C", record(client_hello() + message(99, bytes(length - 4 - len(client_hello()))))))
        assert found.faults[0].message == (fault or "a handshake message of type 99 (RFC 8446 §4)")

    @pytest.mark.parametrize(("length", "fine"), [(16_640, True), (16_641, False)])
    def test_in_tls13(self, length, fine):
        assert (talk(*FULL_13, ("S", data(length))).faults == []) is fine

    @pytest.mark.parametrize(("length", "fine"), [(18_432, True), (18_433, False)])
    def test_in_tls12(self, length, fine):
        assert (talk(*RSA, ("S", data(length))).faults == []) is fine

    def test_an_empty_record_of_application_data_is_one(self):
        found = talk(*RSA, ("C", data(0)))
        assert (steps(found)[-1], found.faults) == ("C Application Data", [])

    def test_a_change_cipher_spec_that_is_none(self):
        assert only_fault(talk(*RSA[:3], ("S", record(b"\2", kind=20)))) == (
            "a ChangeCipherSpec that is not one byte of 1 (RFC 5246 §7.1)"
        )


class TestSkipping:
    def test_what_remains_of_application_data(self):
        found = talk(*RSA, ("S", data(1000)[:105]))
        assert (found.skippable(0), found.skippable(1)) == (0, 900)
        found.skip(1, 900, 60, 6)
        assert (found.skippable(1), found.application_bytes) == (0, (0, 1000))

    def test_nothing_of_a_handshake(self):
        assert talk(("C", RSA[0][1][:30])).skippable(0) == 0

    def test_everything_after_the_end(self):
        assert talk(*RSA, ("C", "fin")).skippable(0) == EVERYTHING

    def test_more_than_was_offered_is_a_gap(self):
        found = talk(*RSA, ("S", data(100)[:50]))
        found.skip(1, 200, 60, 6)
        found.feed(1, data(10), 70, 7)
        assert found.application_bytes == (0, 110)
        assert found.lost == "not looked at"


class TestResync:
    def feed(self, *pieces: bytes) -> tuple[bytes | None, int]:
        search = Resync()
        for number, piece in enumerate(pieces, 1):
            found = search.feed(piece, number * 10, number)
            if found is not None:
                assert all(at_ns == packet * 10 for _, at_ns, packet in found)
                return b"".join(piece for piece, _, _ in found), found[0][2]
        return None, search.dropped + search.held

    def test_where_the_search_begins_a_header_is_enough(self):
        assert self.feed(CCS[:5]) == (CCS[:5], 1)

    def test_later_another_must_follow(self):
        assert self.feed(b"x" + data(10)) == (None, 16)
        assert self.feed(b"x" + data(10), CCS) == (data(10) + CCS, 1)
        assert self.feed(b"x" * 9, data(10), CCS) == (data(10) + CCS, 2)

    def test_a_header_that_leads_nowhere_is_passed(self):
        assert self.feed(b"x\x17\3\3\0\4abcd" + data(10) + CCS) == (b"\x17\3\3\0\4abcd" + data(10) + CCS, 1)
        assert self.feed(b"x\x17\3\3\0\3abcd" + data(10) + CCS) == (data(10) + CCS, 1)

    @pytest.mark.parametrize("head", [b"\x13\3\3\0\1", b"\x19\3\3\0\1", b"\x17\2\3\0\1", b"\x17\3\5\0\1",
                                      b"\x17\3\3\xff\0", b"\x15\3\3\0\1", b"\x14\3\3\0\0"])  # fmt: skip
    def test_no_header(self, head):
        assert self.feed(head + bytes(40)) == (None, 45)

    @patiently
    @given(st.lists(st.sampled_from([b"\x17", b"\3", b"\3\3", b"\0\4", b"\0", CCS, data(6), b"x"]), max_size=30))
    def test_cuts_do_not_matter(self, pieces):
        def search(parts):
            it = Resync()
            for at, part in enumerate(parts):
                found = it.feed(part, 0, 0)
                if found is not None:
                    return it.dropped, b"".join([piece for piece, _, _ in found] + list(parts[at + 1 :]))
            return None

        whole = b"".join(pieces)
        assert search([whole]) == search(pieces) == search([bytes([byte]) for byte in whole])


def test_faults_are_bounded():
    found = talk(*RSA, ("S", (b"garbage" * 3 + data(4) + data(4)) * 500))
    assert len(found.faults) == 100
    assert found.faults_beyond > 0


def test_events_are_bounded():
    found = talk(RSA[0], *(("S", record(message(0) * 4000)) for _ in range(4)))
    assert (len(found.events), found.events_beyond) == (10_000, 6_001)
    assert faults(found) == []
