"""Recorded conversations, read with keys of every kind; what `why` says where none fits."""

from __future__ import annotations

import zlib

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector.tls.decrypt import Opener
from analyzer.dissector.tls.secrets import Secrets
from tests.capture.strategies import patiently
from tests.dissector.tls_sealing import SUITES, Sealer, Sealer13
from tests.dissector.tls_transcripts import DATA, Talk, conversations, names, records, secrets_of

READABLE = [name for name in names() if "ARIA" not in name]
BY_RSA = [
    name for name in READABLE if name.startswith("tlslite") or name.split()[1].startswith(("AES", "CAMELLIA", "NULL"))
]


def said(talk: Talk) -> list[str]:
    return [each.decode() for each in talk.said]


def expected(name: str) -> list[str]:
    conversation = conversations()[name]
    client, server = conversation["said"]
    return [conversation.get("early", "") + client, server]


def rsa_secrets(*keys: bytes) -> Secrets:
    secrets = Secrets()
    for key in keys or [(DATA / "rsa.pem").read_bytes()]:
        secrets.add_rsa_key(key)
    return secrets


def other_rsa_key(size: int = 1024) -> bytes:
    return rsa.generate_private_key(65537, size).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_what_was_recorded():
    """The test data has every cipher suite and every way that this is about."""
    assert len(names(beginning="tls1.2")) > 80
    assert len(names(beginning="tls1.3")) == 12
    assert len(BY_RSA) > 50
    for containing in ("tls1.0", "tls1.1", "no-etm", "CCM8", "CHACHA20", "CAMELLIA", "NULL-MD5", "3.0 rc4", "3des"):
        assert names(containing=containing), containing


@pytest.mark.parametrize("name", READABLE)
def test_a_conversation_opens_with_its_key_log(name):
    talk = Talk(secrets_of(name)).play(name)
    assert said(talk) == expected(name)
    assert talk.unopened == [0, 0]
    assert (talk.opener.why, talk.opener.source, talk.opener.active) == (None, "keylog", [True, True])


@pytest.mark.parametrize("name", BY_RSA)
def test_a_conversation_opens_with_the_servers_rsa_key(name):
    talk = Talk(rsa_secrets()).play(name)
    assert said(talk) == expected(name)
    assert (talk.opener.why, talk.opener.source) == (None, "rsa-key")


def test_other_rsa_keys_do_not_hinder():
    secrets = rsa_secrets(other_rsa_key(), other_rsa_key(2048), (DATA / "rsa.pem").read_bytes())
    for name in BY_RSA[:5]:
        assert said(Talk(secrets).play(name)) == expected(name)


def test_secrets_out_of_a_capture():
    name, secrets = "tls1.3 psk", Secrets()
    secrets.add_keylog("\n".join(conversations()[name]["keylog"]), source="pcapng")
    talk = Talk(secrets).play(name)
    assert (said(talk), talk.opener.source) == (expected(name), "pcapng")


def test_early_data_is_read_whether_accepted_or_not():
    for name in ("tls1.3 early-data", "tls1.3 early-data rejected"):
        talk = Talk(secrets_of(name)).play(name)
        assert (talk.early, said(talk)) == (b"sooner\n", ["sooner\nhello\n", "olleh\n"])


def test_early_data_that_comes_after_it_was_rejected():
    name = "tls1.3 early-data rejected"

    class Hasty(Talk):
        """Takes the client to use handshake keys as soon as the server has said hello."""

        def _server_hello(self, body: bytes) -> None:
            super()._server_hello(body)
            self.opener.handshake(0)

    client, server, *rest = conversations()[name]["turns"]
    talk = Hasty(secrets_of(name))
    turns = [records(bytes.fromhex(data)) for _, data in (client, server)]
    for record in turns[0][:1]:
        talk.record(0, *record)
    for record in turns[1]:
        talk.record(1, *record)
    for record in turns[0][1:]:
        talk.record(0, *record)
    for side, data in rest:
        for record in records(bytes.fromhex(data)):
            talk.record(side, *record)
    assert said(talk) == expected(name)
    assert talk.unopened == [0, 0]


def test_keys_that_change_are_followed():
    assert conversations()["tls1.3 key-update"]["said"][0] == "before\nbetween\nafter\n"
    talk = Talk(secrets_of("tls1.3 key-update")).play("tls1.3 key-update")
    assert said(talk) == ["before\nbetween\nafter\n", "erofeb\nneewteb\nretfa\n"]
    talk = Talk(secrets_of("tls1.2 renegotiation")).play("tls1.2 renegotiation")
    assert said(talk) == ["before\nafter\n", "erofeb\nretfa\n"]
    assert (0, 20) in talk.types  # the second ChangeCipherSpec came protected


@pytest.mark.parametrize("how", ["session-id", "ticket"])
def test_a_resumed_session_needs_no_line_of_its_own(how):
    first, resumed = f"tls1.2 {how} first", f"tls1.2 {how} resumed"
    secrets = secrets_of(first)
    assert said(Talk(secrets).play(resumed)) == ["", ""]
    Talk(secrets).play(first)
    talk = Talk(secrets).play(resumed)
    assert (said(talk), talk.opener.why) == (expected(resumed), None)


def test_a_session_id_in_a_key_log_of_old():
    name = "tls1.2 session-id resumed"
    hello = bytes.fromhex(conversations()[name]["turns"][1][1])
    session_id = hello[44 : 44 + hello[43]].hex()
    master = conversations()[name]["keylog"][-1].split()[2]
    secrets = Secrets()
    secrets.add_keylog(f"RSA Session-ID:{session_id} Master-Key:{master}")
    assert said(Talk(secrets).play(name)) == expected(name)


def test_a_key_log_that_grows_while_records_pass(tmp_path):
    for name in (
        "tls1.3 TLS_AES_128_GCM_SHA256",
        "tls1.2 AES256-SHA",
        "tlslite 3.1 3des sha",
        "tlslite 3.1 rc4 sha etm",
    ):
        path, secrets = tmp_path / name, Secrets()
        secrets.follow(path)
        talk = Talk(secrets)
        for side, data in conversations()[name]["turns"]:
            for record in records(bytes.fromhex(data)):
                talk.record(side, *record)
                if sum(talk.unopened) == 2:  # both sides' Finished, or the like
                    path.write_text("\n".join(conversations()[name]["keylog"]) + "\n")
        assert talk.said[1], name
        assert talk.opener.source == "keylog"


def test_pre_master_secrets_in_key_logs():
    """Of RSA key exchange, by the client random and by the first bytes of what the client encrypted."""
    for name in ("tls1.2 AES128-SHA256", "tls1.0 AES128-SHA", "tlslite 3.0 aes256 sha", "tlslite 3.1 aes256 sha"):
        encrypted = encrypted_pre_master(name)
        key = serialization.load_pem_private_key((DATA / "rsa.pem").read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        pre_master = key.decrypt(encrypted, padding.PKCS1v15()).hex()
        random = bytes.fromhex(conversations()[name]["turns"][0][1])[11:43].hex()
        for line in (f"PMS_CLIENT_RANDOM {random} {pre_master}", f"RSA {encrypted[:8].hex()} {pre_master}"):
            secrets = Secrets()
            secrets.add_keylog(line)
            talk = Talk(secrets).play(name)
            assert (said(talk), talk.opener.source) == (expected(name), "keylog")


def encrypted_pre_master(name: str) -> bytes:
    """The last 128 bytes of the ClientKeyExchange: the key has 1024 bits."""
    for _, data in conversations()[name]["turns"][1:]:
        for kind, _, fragment in records(bytes.fromhex(data)):
            if kind == 22 and fragment[0] == 16:
                return fragment[: 4 + int.from_bytes(fragment[1:4], "big")][-128:]
    raise AssertionError(name)


def test_what_is_wanted():
    """Bulk data that nothing can open need not be given."""
    opener = Opener(Secrets())
    assert not opener.wants(0)
    name = "tls1.3 TLS_AES_128_GCM_SHA256"
    assert [Talk(Secrets()).play(name).opener.wants(side) for side in (0, 1)] == [False, False]
    assert [Talk(secrets_of(name)).play(name).opener.wants(side) for side in (0, 1)] == [True, True]
    growing = Secrets()
    growing.follow("/nonexistent/keys.log")
    assert [Talk(growing).play(name).opener.wants(side) for side in (0, 1)] == [True, True]


class Vandal(Talk):
    """Changes one byte of a protected record."""

    def __init__(self, secrets: Secrets, record: int, at: int, change: int):
        super().__init__(secrets)
        self.countdown, self.at, self.change = record, at, change

    def record(self, side: int, content_type: int, version: int, fragment: bytes) -> None:
        if self.protected[side] and fragment:
            self.countdown -= 1
            if self.countdown == 0:
                at = self.at % len(fragment)
                fragment = fragment[:at] + bytes([fragment[at] ^ self.change]) + fragment[at + 1 :]
        super().record(side, content_type, version, fragment)


@patiently
@given(st.sampled_from(READABLE), st.integers(1, 6), st.integers(0, 2000), st.integers(1, 255))
def test_nothing_false_is_ever_read(name, record, at, change):
    talk = Vandal(secrets_of(name), record, at, change).play(name)
    for found, wanted in zip(said(talk), expected(name), strict=True):
        left = iter(wanted)
        assert all(character in left for character in found)  # some of it, in order


WHY = [
    (
        "tls1.2 AES128-SHA256",
        lambda: secrets_of("tls1.2 AES256-SHA256"),
        "no secret for client random {random}…; was SSLKEYLOGFILE set before the browser started?",
    ),
    (
        "tls1.3 psk",
        lambda: secrets_of("tls1.2 AES256-SHA256"),
        "no secret for client random {random}…; was SSLKEYLOGFILE set before the browser started?",
    ),
    ("tls1.2 AES128-SHA256", lambda: rsa_secrets(other_rsa_key()), "the RSA key does not fit this server"),
    ("tls1.0 AES128-SHA", lambda: rsa_secrets(other_rsa_key(2048)), "the RSA key does not fit this server"),
    (
        "tls1.2 ECDHE-RSA-AES128-SHA256",
        rsa_secrets,
        "cipher suite TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256 cannot be decrypted with an RSA key alone: "
        "it needs a key log",
    ),
    (
        "tls1.3 TLS_AES_128_GCM_SHA256",
        rsa_secrets,
        "cipher suite TLS_AES_128_GCM_SHA256 cannot be decrypted with an RSA key alone: it needs a key log",
    ),
    (
        "tls1.2 ARIA128-GCM-SHA256",
        lambda: secrets_of("tls1.2 AES256-SHA256"),
        "cipher suite TLS_RSA_WITH_ARIA_128_GCM_SHA256 cannot be decrypted by this program: "
        "let the server offer another one",
    ),
    (
        "tls1.2 AES128-SHA256",
        Secrets,
        "no keys were given: use --keys FILE, with a key log (SSLKEYLOGFILE) or the server's RSA key",
    ),
]


@pytest.mark.parametrize(("name", "secrets", "why"), WHY)
def test_why_nothing_opens(name, secrets, why):
    talk = Talk(secrets()).play(name)
    random = bytes.fromhex(conversations()[name]["turns"][0][1])[11:19].hex()
    assert said(talk) == ["", ""]
    assert talk.opener.why == why.format(random=random)
    assert (talk.opener.source, talk.opener.active) == (None, [False, False])


def test_a_secret_that_is_wrong_is_told_from_one_that_is_missing():
    name = "tls1.2 AES128-SHA256"
    line = conversations()[name]["keylog"][-1]
    secrets = Secrets()
    secrets.add_keylog(line[:-96] + "00" * 48)
    talk = Talk(secrets).play(name)
    assert said(talk) == ["", ""]
    assert talk.opener.why is not None
    assert "does not fit these records" in talk.opener.why


def test_half_a_key_log():
    name = "tls1.3 TLS_AES_128_GCM_SHA256"
    secrets = Secrets()
    secrets.add_keylog("\n".join(line for line in conversations()[name]["keylog"] if "SERVER" not in line))
    talk = Talk(secrets).play(name)
    assert said(talk)[1] == ""
    assert talk.opener.why is not None
    assert talk.opener.why.startswith("the key log has no SERVER_")


def test_application_secrets_alone_are_enough_for_application_data():
    name = "tls1.3 TLS_AES_128_GCM_SHA256"
    secrets = Secrets()
    secrets.add_keylog("\n".join(line for line in conversations()[name]["keylog"] if "_TRAFFIC_SECRET_0" in line))
    assert said(Talk(secrets).play(name)) == expected(name)


def in_version(code: int, version: int) -> bool:
    """AEAD and HMAC with SHA-2 came with TLS 1.2."""
    return version == 0x0303 or SUITES[code][3] in ("md5", "sha1")


@pytest.mark.parametrize("encrypt_then_mac", [False, True])
@pytest.mark.parametrize(
    ("version", "code"),
    [(v, code) for v in (0x0300, 0x0301, 0x0302, 0x0303) for code in SUITES if in_version(code, v)],
)
def test_every_cipher_in_every_version(version, code, encrypt_then_mac):
    sealer = Sealer(version, code, encrypt_then_mac=encrypt_then_mac and cbc(code))
    opener = sealer.opener()
    for kind, data in ((22, b"finished"), (23, b""), (23, b"x"), (23, bytes(16_384)), (21, b"\1\0")):
        assert opener.open(0, kind, version, sealer.seal(data, kind)) == (kind, data)


def cbc(code: int) -> bool:
    return SUITES[code][2] in (8, 16)


@pytest.mark.parametrize("code", [0x1301, 0x1302, 0x1303, 0x1304, 0x1305])
def test_padding_of_tls_1_3_is_taken_off(code):
    sealer = Sealer13(code)
    opener = sealer.opener()
    for kind, data, zeros in (
        (23, b"x", 0),
        (23, b"", 100),
        (21, b"\1\0", 1),
        (23, b"zeros\0\0", 3),
        (23, bytes(16_384), 0),
    ):
        assert opener.open(0, 23, 0x0303, sealer.seal(data, kind, zeros)) == (kind, data)
    nothing = sealer.seal(b"", 0, 5)
    assert opener.open(0, 23, 0x0303, nothing) is None


@pytest.mark.parametrize(
    "sealer", [Sealer(0x0303, 0x009C), Sealer(0x0303, 0x002F), Sealer(0x0303, 0xCCA8), Sealer13(0x1301)]
)
def test_what_is_no_record(sealer):
    opener = sealer.opener()
    good = sealer.seal(b"good")
    for fragment in (b"", b"\0", bytes(8), bytes(15), bytes(18_433), bytes(100_000)):
        assert opener.open(0, 23, sealer.version, fragment) is None
    assert opener.why is not None
    assert opener.open(0, 23, sealer.version, memoryview(good)) == (23, b"good")
    assert opener.why is None


@pytest.mark.parametrize("code", [0x009C, 0xC0A0, 0xCCA8, 0x002F, 0xC024, 0x0004, 0x0001])
def test_a_record_that_was_changed_does_not_open(code):
    for at in (0, 9, -1, -20):
        for encrypt_then_mac in (False, cbc(code)):
            sealer = Sealer(0x0303, code, encrypt_then_mac=encrypt_then_mac)
            sealed = bytearray(sealer.seal(b"something longer than two blocks of a block cipher"))
            sealed[at] ^= 1
            assert sealer.opener().open(0, 23, 0x0303, bytes(sealed)) is None
    sealer = Sealer(0x0303, code)
    sealed = sealer.seal(b"something")
    assert sealer.opener().open(0, 22, 0x0303, sealed) is None
    assert sealer.opener().open(0, 23, 0x0302, sealed) is None


def test_compressed_records():
    """RFC 3749: one stream of DEFLATE for all records of a side."""
    sealer, deflate = Sealer(0x0301, 0x002F), zlib.compressobj()
    opener = sealer.opener(compression=1)
    for data in (b"a" * 1000, b"b" * 1000, b"a" * 16_384):
        squeezed = deflate.compress(data) + deflate.flush(zlib.Z_SYNC_FLUSH)
        assert opener.open(0, 23, 0x0301, sealer.seal(squeezed)) == (23, data)
    assert opener.lost(0, records=1, length=40) is False
    assert opener.open(0, 23, 0x0301, sealer.seal(b"x")) is None
    assert opener.why == "bytes are missing, and what follows was compressed together with them"
    opener = sealer.opener(compression=64)
    assert opener.open(0, 23, 0x0301, bytes(48)) is None
    assert opener.why == "compressed with method 64, which this program does not know"


def test_a_bomb_is_cut():
    sealer, deflate = Sealer(0x0303, 0x009C), zlib.compressobj()
    opener = sealer.opener(compression=1)
    bomb = deflate.compress(bytes(10_000_000)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    opened = opener.open(0, 23, 0x0303, sealer.seal(bomb[:16_384]))
    assert opened is None or len(opened[1]) <= 16_384


calls = st.one_of(
    st.tuples(st.just("open"), st.sampled_from([20, 21, 22, 23, 99]), st.binary(max_size=80)),
    st.tuples(
        st.just("begin"),
        st.sampled_from([0, 0x0300, 0x0301, 0x0302, 0x0303, 0x0304, 0x7F17, 0xFFFF]),
        st.sampled_from([0, 4, 10, 0x2F, 0x9C, 0xCCA8, 0x1301, 0x1302, 0xC09C, 0xFFFF]),
        st.booleans(),
        st.binary(max_size=33),
    ),
    st.tuples(st.just("key"), st.binary(max_size=200)),
    st.tuples(st.just("lost"), st.none() | st.integers(0, 1 << 70), st.none() | st.integers(0, 1 << 40)),
    st.tuples(st.sampled_from(["change_cipher", "handshake", "application", "key_update"])),
    st.tuples(st.just("early"), st.lists(st.integers(0, 0xFFFF), max_size=4)),
    st.tuples(st.just("remember"), st.binary(max_size=40)),
)


@patiently
@given(st.lists(st.tuples(st.integers(0, 1), calls), max_size=30))
def test_anything_in_any_order(script):
    secrets = rsa_secrets()
    random = bytes(32)
    for label in (
        "CLIENT_RANDOM",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_EARLY_TRAFFIC_SECRET",
    ):
        secrets.add_keylog(f"{label} {random.hex()} {'33' * 48}")
    opener = Opener(secrets)
    for side, (what, *arguments) in script:
        if what == "open":
            kind, fragment = arguments
            assert opener.open(side, kind, 0x0303, fragment) is None
        elif what == "begin":
            version, suite, agreed, text = arguments
            opener.begin(
                client_random=text if agreed else random,
                server_random=text,
                version=version,
                cipher_suite=suite,
                extended_master_secret=agreed,
                encrypt_then_mac=agreed,
                session_id=text,
                ticket=text,
                compression=len(text) % 3,
            )
        elif what == "key":
            opener.client_key_exchange(arguments[0], lambda name: name.encode())
        elif what == "lost":
            opener.lost(side, records=arguments[0], length=arguments[1])
        elif what == "early":
            opener.early(random, arguments[0])
        elif what == "remember":
            opener.remember(arguments[0], arguments[0])
        else:
            getattr(opener, what)(side)
    assert opener.why is None or opener.why.strip()
    assert all(type(each) is bool for each in opener.active)
