"""Decryption goes on after bytes were lost, as far as the cipher lets it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector.tls.positions import MOST_TRIES, WORK, Position
from analyzer.dissector.tls.secrets import Secrets
from tests.capture.strategies import patiently
from tests.dissector.tls_sealing import CLIENT_RANDOM, Sealer, Sealer13

WAYS = {
    "gcm": lambda: Sealer(0x0303, 0x009C),
    "gcm-random-nonce": lambda: Sealer(0x0303, 0x009C, first_nonce=0x1234_5678_9ABC),
    "ccm8": lambda: Sealer(0x0303, 0xC0A0),
    "chacha20": lambda: Sealer(0x0303, 0xCCA8),
    "cbc": lambda: Sealer(0x0303, 0xC024),
    "cbc-1.1": lambda: Sealer(0x0302, 0x002F),
    "cbc-etm": lambda: Sealer(0x0303, 0x003D, encrypt_then_mac=True),
    "cbc-1.0": lambda: Sealer(0x0301, 0x002F),
    "cbc-1.0-etm": lambda: Sealer(0x0301, 0x000A, encrypt_then_mac=True),
    "ssl3": lambda: Sealer(0x0300, 0x000A),
    "null": lambda: Sealer(0x0303, 0x0001),
    "rc4": lambda: Sealer(0x0301, 0x0004),
    "rc4-ssl3": lambda: Sealer(0x0300, 0x0005),
    "1.3": lambda: Sealer13(0x1301),
    "1.3-chacha20": lambda: Sealer13(0x1303),
    "1.3-ccm8": lambda: Sealer13(0x1305),
}


def data_of(number: int) -> bytes:
    return b"%d" % number * (1 + number % 7)


def play(sealer, kept: list[bool], known: str) -> list[tuple[int, bool]]:
    """Seals as many records as `kept` has, and loses some. Which were opened, of those that were not lost."""
    opener, found, records, length = sealer.opener(), [], 0, 0
    for number, keep in enumerate(kept):
        sealed = sealer.seal(data_of(number))
        if not keep:
            records, length = records + 1, length + 5 + len(sealed)
            continue
        if records:
            opener.lost(0, records if "records" in known else None, length if "length" in known else None)
            records = length = 0
        opened = opener.open(0, 23, sealer.version, sealed)
        assert opened in (None, (23, data_of(number)))
        found.append((number, opened is not None))
    return found


@pytest.mark.parametrize("known", ["records and length", "length", "records", "nothing"])
@pytest.mark.parametrize("way", WAYS)
def test_after_a_gap(way, known):
    kept = [True] * 5 + [False] * 9 + [True] * 5
    sealer = WAYS[way]()
    opened = play(sealer, kept, known)
    expected = {number for number, keep in enumerate(kept) if keep}
    if sealer.chained:
        expected -= {14}  # its IV is the end of the record before it
    elif "rc4" in way and "length" not in known:
        expected -= set(range(14, 19))
    assert {number for number, fine in opened if fine} == expected


@patiently
@given(st.sampled_from(list(WAYS)), st.lists(st.booleans(), min_size=1, max_size=40))
def test_whatever_is_lost(way, kept):
    sealer = WAYS[way]()
    lost_before = [number > 0 and not kept[number - 1] for number in range(len(kept))]
    for number, fine in play(sealer, kept, "length"):
        assert fine or (sealer.chained and lost_before[number]), number


def test_rc4_after_a_large_gap():
    sealer = WAYS["rc4"]()
    opener, length = sealer.opener(), 0
    for _ in range(300):
        length += 5 + len(sealer.seal(bytes(16_384)))
    opener.lost(0, length=length)
    for data in (b"found", b"again"):
        assert opener.open(0, 23, 0x0301, sealer.seal(data)) == (23, data)


def test_rc4_says_that_it_cannot_go_on():
    sealer = WAYS["rc4"]()
    opener = sealer.opener()
    opener.open(0, 23, 0x0301, sealer.seal(b"x"))
    assert opener.lost(0, length=100) is True
    assert opener.lost(0) is False
    assert opener.why == "bytes are missing, and RC4 cannot go on without knowing how many"
    assert opener.open(0, 23, 0x0301, sealer.seal(b"x")) is None
    assert opener.why == "bytes are missing, and RC4 cannot go on without knowing how many"
    opener.change_cipher(0)
    assert opener.why is None
    assert opener.open(0, 23, 0x0301, WAYS["rc4"]().seal(b"new keys")) == (23, b"new keys")


def test_before_there_are_keys_nothing_resumes():
    sealer = WAYS["gcm"]()
    opener = sealer.opener()
    assert opener.lost(1, length=100) is False  # the server's keys are not in force
    assert opener.lost(0, length=100) is True


@pytest.mark.parametrize("way", WAYS)
def test_something_that_is_no_record_between_records(way):
    """After a resync that was wrong: the bytes look like a record, and are part of one that was lost."""
    sealer = WAYS[way]()
    opener = sealer.opener()
    sealed = [sealer.seal(data_of(number)) for number in range(6)]
    assert opener.open(0, 23, sealer.version, sealed[0]) is not None
    opener.lost(0, length=5 + len(sealed[1]) + 5 + len(sealed[2]) - 30)
    assert opener.open(0, 23, sealer.version, bytes(25)) is None
    assert opener.why is not None
    opened = [opener.open(0, 23, sealer.version, each) for each in sealed[3:]]
    assert opened[1:] == [(23, data_of(4)), (23, data_of(5))]
    assert opened[0] == (None if sealer.chained else (23, data_of(3)))
    assert opener.why is None


def test_a_gap_may_hide_that_keys_changed():
    """TLS 1.3: the client's Finished was lost, and so its last record under handshake keys; later, two KeyUpdates."""
    sealer = Sealer13(0x1302)
    secrets = Secrets()
    secrets.add_keylog(sealer.keylog())
    opener = sealer.opener(secrets)
    opener.begin(client_random=CLIENT_RANDOM, server_random=bytes(32), version=0x0304, cipher_suite=0x1302)
    opener.handshake(0)
    opener.lost(0, length=500)
    application = sealer.secret
    sealer.use(application)
    sealer.seal(b"lost")
    assert opener.open(0, 23, 0x0303, sealer.seal(b"application")) == (23, b"application")
    opener.application(0)  # changes nothing any more
    assert opener.open(0, 23, 0x0303, sealer.seal(b"data")) == (23, b"data")
    sealer.update()
    opener.lost(0, length=100)
    sealer.seal(b"lost")
    assert opener.open(0, 23, 0x0303, sealer.seal(b"updated")) == (23, b"updated")
    sealer.update()
    opener.key_update(0)
    assert opener.open(0, 23, 0x0303, sealer.seal(b"again")) == (23, b"again")


def test_a_key_update_that_nobody_told_of():
    sealer = Sealer13(0x1301)
    opener = sealer.opener()
    for number in range(5):
        assert opener.open(0, 23, 0x0303, sealer.seal(data_of(number))) == (23, data_of(number))
        sealer.update()


def test_many_records_may_be_lost_where_the_nonce_tells_which():
    sealer = WAYS["gcm-random-nonce"]()
    opener = sealer.opener()
    assert opener.open(0, 23, 0x0303, sealer.seal(b"x")) is not None
    sealer.sequence += 50_000_000
    opener.lost(0)
    assert opener.open(0, 23, 0x0303, sealer.seal(b"far")) == (23, b"far")


def test_the_search_is_bounded():
    position = Position()
    position.lost(None, None)
    position.lost(None, 1 << 60)
    assert len(position.tries(0)) <= MOST_TRIES + 1
    worked = 0
    while len(tries := position.tries(16_384)) > 1:
        worked += len(tries) * 16_384
        position.missed(bytes(16_384), counted=False)
    assert worked <= 2 * WORK
    position.opened(7, b"")
    assert position.tries(0) == range(8, 9)
    position.lost(None, 1000)
    assert len(position.tries(0)) > 1
