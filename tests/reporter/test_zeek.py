"""Zeek's logs: states and history as conversations, and what the records hold."""

from __future__ import annotations

import io
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import pipeline
from analyzer.dissector.accounts import MOST_LETTERS
from analyzer.reporter.outputs import zeek
from tests.cases import capture_of, keys_of
from tests.conversations import HANDSHAKE, Conversation
from tests.conversations import capture_of as capture

STATES = {"S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR", "OTH"}


def logs(source, **options):
    """The records of each log, in order."""
    if isinstance(source, bytes):
        source = io.BytesIO(source)
    analysis = pipeline.analyze(source, pipeline.Options(accounts=True, headers=True, **options))
    written: list[bytes] = []
    output = zeek.Zeek(dict.fromkeys(zeek.LOGS, written.append), together=True)
    output.begin(analysis.accounts)
    for connection in analysis:
        output.add(connection)
    output.finish()
    found = {log: [] for log in zeek.LOGS}
    for line in b"".join(written).splitlines():
        record = msgspec.json.decode(line)
        found[record["_path"]].append(record)
    return found


def conn(*lines, **options):
    (record,) = logs(capture(Conversation().say(*lines)), **options)["conn"]
    return record


def told(*lines, **options):
    record = conn(*lines, **options)
    return record["conn_state"], record["history"]


ASK = (*HANDSHAKE, "C DATA 10", "S DATA 20", "C ACK")


@pytest.mark.parametrize(
    ("lines", "state", "history"),
    [
        (["C SYN"], "S0", "S"),
        (["C SYN", "C SYN again"], "S0", "S"),
        (["C SYN", "C RST"], "RSTOS0", "SR"),
        (["C SYN", "S RST-ACK"], "REJ", "Sr"),
        (["C SYN", "S SYN-ACK", "C RST"], "RSTO", "ShR"),
        (["C SYN", "C FIN"], "SH", "SF"),
        (HANDSHAKE, "S1", "ShA"),
        (ASK, "S1", "ShADd"),
        ([*ASK, "C FIN", "S FIN", "C ACK"], "SF", "ShADdFf"),
        ([*ASK, "C FIN", "S ACK", "S FIN", "C ACK"], "SF", "ShADdFaf"),
        ([*ASK, "C FIN", "S ACK"], "S2", "ShADdFa"),
        ([*ASK, "S FIN", "C ACK"], "S3", "ShADdf"),
        ([*ASK, "C RST"], "RSTO", "ShADdR"),
        ([*ASK, "S RST"], "RSTR", "ShADdr"),
        ([*ASK, "C FIN", "S RST"], "RSTR", "ShADdFr"),
        ([*ASK, "C DATA again"], "S1", "ShADdT"),
        ([*ASK, *["C DATA again"] * 10], "S1", "ShADdTT"),
        ([*ASK, "C ACK win=0"], "S1", "ShADdW"),
        ([*ASK, "S DATA 100 lost", "C ACK"], "S1", "ShADdg"),
        ([*ASK, "C FIN-RST"], "RSTO", "ShADdI"),
        (["C DATA 10", "S ACK"], "OTH", "Da"),
        (["S SYN-ACK", "C ACK", "C DATA 10"], "S1", "^hAD"),
        (["S SYN-ACK", "S FIN"], "SHR", "^hf"),
    ],
)
def test_state_and_history(lines, state, history):
    assert told(*lines) == (state, history)


def test_a_bad_checksum_is_a_letter_where_it_is_looked_at():
    with_letters = logs(capture_of("traffic/corrupted"), checksums="count")["conn"][0]["history"]
    assert with_letters.lower().count("c") == 1
    assert "c" not in logs(capture_of("traffic/corrupted"))["conn"][0]["history"].lower()


def test_sizes_are_those_of_the_sequence_numbers():
    record = conn(*ASK, "C DATA again", "S DATA 100 lost", "C ACK", "C FIN", "S FIN", "C ACK")
    assert (record["orig_bytes"], record["resp_bytes"], record["missed_bytes"]) == (10, 120, 100)
    assert (record["orig_pkts"], record["resp_pkts"]) == (8, 3)
    assert record["orig_ip_bytes"] == 8 * 40 + 20
    assert record["resp_ip_bytes"] == 3 * 40 + 20


def test_what_the_snapshot_length_cut_off_is_missed():
    record = conn(*HANDSHAKE, "S DATA 100 cut=10", "C ACK")
    assert (record["missed_bytes"], record["history"]) == (100, "ShAdg")


def test_segmentation_offload_leaves_no_hole_in_the_sizes():
    assert conn(*HANDSHAKE, "C DATA 3000 size0")["orig_ip_bytes"] == 40 + 40 + 3040


def test_the_last_acknowledgement_is_not_part_of_the_duration():
    record = conn("C SYN at=0", "S SYN-ACK at=1", "C ACK at=2", "C FIN at=3", "S FIN at=4", "C ACK at=9")
    assert record["duration"] == 4


def test_times_have_six_decimals_and_no_rounding():
    assert bytes(zeek._time(1_795_359_151_578_854_999)) == b"1795359151.578854"
    assert bytes(zeek._time(1_030_000)) == b"0.001030"


def test_history_is_bounded():
    record = conn("C SYN", *[f"C FIN seq={5 * n}" for n in range(300)])
    assert len(record["history"]) == MOST_LETTERS
    assert record["history"].endswith("X")


def test_uids_are_the_same_each_time_and_tie_logs_together():
    found, again = logs(capture_of("tcp/web-page")), logs(capture_of("tcp/web-page"))
    uids = [record["uid"] for record in found["conn"]]
    assert uids == [record["uid"] for record in again["conn"]]
    assert len(set(uids)) == len(uids)
    assert all(re.fullmatch(r"C[0-9A-Za-z]{17}", uid) for uid in uids)
    assert {record["uid"] for record in found["http"]} <= set(uids)


@pytest.mark.parametrize(
    ("case", "version", "history"),
    [
        ("tls/1.2-ecdhe", "TLSv12", "CsxknGIi"),
        ("tls/1.2-rsa", "TLSv12", "CsxnGIi"),
        ("tls/1.3-aes-128", "TLSv13", "CsiI"),
    ],
)
def test_tls(case, version, history):
    record = logs(capture_of(case), keys=keys_of(case))["ssl"][0]
    assert (record["version"], record["established"], record["ssl_history"]) == (version, True, history)
    assert len(record["cert_chain_fps"][0]) == 64


def test_http():
    first, second, *_ = [one for one in logs(capture_of("tcp/web-page"))["http"] if one["trans_depth"] < 3][1:]
    assert (first["method"], first["uri"], first["version"], first["status_code"]) == ("GET", "/", "1.1", 200)
    assert (first["trans_depth"], second["trans_depth"]) == (1, 2)
    assert first["user_agent"].startswith("curl/")
    assert "status_msg" not in first


WORDS = st.sampled_from(["SYN", "SYN-ACK", "ACK", "DATA 5", "FIN", "RST", "RST-ACK", "FIN-RST", "SYN-FIN", "FIN 9"])
LINES = st.lists(
    st.tuples(st.sampled_from("CS"), WORDS, st.sampled_from(["", " seq=+9", " ack=-3", " win=0", " lost"]))
)


@given(LINES)
def test_whatever_is_sent_has_a_state_and_a_history(lines):
    said = [f"{side} {word}{special}" for side, word, special in lines]
    for record in logs(capture(Conversation().say(*said)))["conn"]:
        assert record["conn_state"] in STATES
        assert re.fullmatch(r"\^?[SHADFRTGWIQX]*", record["history"].upper())
        assert all(record[name] >= 0 for name in ("missed_bytes", "orig_ip_bytes", "resp_ip_bytes", "orig_pkts"))
