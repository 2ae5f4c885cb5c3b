"""Secrets to keys, against published values: RFC 8448, and the vectors for the PRF on the TLS working group's list."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from analyzer.dissector.registries import table
from analyzer.dissector.tls import key_schedule
from analyzer.dissector.tls.ciphers import suite
from analyzer.dissector.tls.decrypt import Opener
from analyzer.dissector.tls.key_schedule import SSL_3_0, TLS_1_0, TLS_1_2, expand_label, prf, traffic_keys
from analyzer.dissector.tls.secrets import Secrets

unhex = bytes.fromhex

# RFC 8448 §3, the traffic secrets of the handshake, and the keys made from them.
SERVER_HANDSHAKE = unhex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")
CLIENT_HANDSHAKE = unhex("b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21")
SERVER_APPLICATION = unhex("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643")
CLIENT_APPLICATION = unhex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5")
CLIENT_EARLY = unhex("3fbbe6a60deb66c30a32795aba0eff7eaa10105586e7be5c09678d63b6caab62")  # §4
KEYS = [
    (SERVER_HANDSHAKE, "3fce516009c21727d0f2e4e86ee403bc", "5d313eb2671276ee13000b30"),
    (CLIENT_HANDSHAKE, "dbfaa693d1762c5b666af5d950258d01", "5bd3c71b836e0b76bb73265f"),
    (SERVER_APPLICATION, "9f02283b6c9c07efc26bb9f2ac92e356", "cf782b88dd83549aadf1e984"),
    (CLIENT_APPLICATION, "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9"),
    (CLIENT_EARLY, "920205a5b7bf2115e6fc5c2942834f54", "6d475f0993c8e564610db2b9"),
]


@pytest.mark.parametrize(("secret", "key", "iv"), KEYS)
def test_traffic_keys_of_rfc_8448(secret, key, iv):
    assert traffic_keys("sha256", secret, 16) == (unhex(key), unhex(iv))


def test_expand_label_derives_the_secrets_of_rfc_8448():
    handshake = unhex("1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac")
    hellos = unhex("860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8")
    assert expand_label("sha256", handshake, b"c hs traffic", hellos, 32) == CLIENT_HANDSHAKE
    assert expand_label("sha256", handshake, b"s hs traffic", hellos, 32) == SERVER_HANDSHAKE
    finished = unhex("008d3b66f816ea559f96b537e885c31fc068bf492c652f01f288a1d8cdc19fc8")
    assert expand_label("sha256", SERVER_HANDSHAKE, b"finished", b"", 32) == finished


def play_rfc_8448(secrets: Secrets, client_random: bytes) -> Opener:
    opener = Opener(secrets)
    opener.begin(client_random=client_random, server_random=bytes(32), version=0x0304, cipher_suite=0x1301)
    return opener


def test_the_records_of_rfc_8448_open():
    client_random = unhex("cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7")
    secrets = Secrets()
    for label, secret in (
        ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", CLIENT_HANDSHAKE),
        ("SERVER_HANDSHAKE_TRAFFIC_SECRET", SERVER_HANDSHAKE),
        ("CLIENT_TRAFFIC_SECRET_0", CLIENT_APPLICATION),
        ("SERVER_TRAFFIC_SECRET_0", SERVER_APPLICATION),
    ):
        secrets.add_keylog(f"{label} {client_random.hex()} {secret.hex()}\n")
    opener = play_rfc_8448(secrets, client_random)
    opener.handshake(0)
    finished = (
        "75ec4dc238cce60b298044a71e219c56cc77b0517fe9b93c7a4bfc44d87f38f80338ac98fc46deb384bd1caeacab6867d726c40546"
    )
    verify_data = "a8ec436d677634ae525ac1fcebe11a039ec17694fac6e98527b642f2edd5ce61"
    assert opener.open(0, 23, 0x0303, unhex(finished)) == (22, unhex("14000020" + verify_data))
    opener.application(0)
    opener.application(1)
    data = (
        "a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5"
        "b46b395bd54a9a20441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4"
    )
    assert opener.open(0, 23, 0x0303, unhex(data)) == (23, bytes(range(50)))
    assert opener.open(0, 23, 0x0303, unhex("c9872760655666b74d7ff1153efd6db6d0b0e3")) == (21, b"\1\0")
    ticket = (
        "3a6b8f90414a97d6959c3487680de5134a2b240e6cffac116e95d41d6af8f6b580dcf3d11d63c758db289a015940252f55713e061dc13e"
        "078891a38efbcf5753ad8ef170ad3c7353d16d9da773b9ca7f2b9fa1b6c0d4a3d03f75e09c30ba1e62972ac46f75f7b981be63439b2999"
        "ce13064615139891d5e4c5b406f16e3fc181a77ca475840025db2f0a77f81b5ab05b94c01346755f69232c86519d86cbeeac87aac347d1"
        "43f9605d64f650db4d023e70e952ca49fe5137121c74bc2697687e248746d6df353005f3bce18696129c8153556b3b6c6779b37bf15985"
        "684f"
    )
    opened = opener.open(1, 23, 0x0303, unhex(ticket))
    assert opened is not None
    assert opened[0] == 22
    assert opened[1].startswith(unhex("040000c90000001efad6aac502000000b2"))
    data = (
        "2e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d"
        "90e6dffc602dcb501a59a8fcc49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d"
    )
    assert opener.open(1, 23, 0x0303, unhex(data)) == (23, bytes(range(50)))
    assert opener.open(1, 23, 0x0303, unhex("b58fd67166ebf599d24720cfbe7efa7a8864a9")) == (21, b"\1\0")
    assert opener.why is None


def test_the_early_data_of_rfc_8448_opens():
    client_random = unhex("1bc3ceb6bbe39cff938355b5a50adb6db21b7a6af649d7b4bc419d7876487d95")
    secrets = Secrets()
    secrets.add_keylog(f"CLIENT_EARLY_TRAFFIC_SECRET {client_random.hex()} {CLIENT_EARLY.hex()}\n")
    opener = Opener(secrets)
    opener.early(client_random, [0x1303, 0x1302, 0x1301])
    assert opener.open(0, 23, 0x0303, unhex("ab1df420e75c457a7cc5d2844f76d5aee4b4edbf049be0")) == (23, b"ABCDEF")


def test_the_prf_of_tls_1_2():
    label = b"test label"
    sha256 = prf(
        TLS_1_2,
        "sha256",
        unhex("9bbe436ba940f017b17652849a71db35"),
        label,
        unhex("a0ba9f936cda311827a6f796ffd5198c"),
        100,
    )
    assert sha256 == unhex(
        "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17"
        "abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66"
    )
    sha384 = prf(
        TLS_1_2,
        "sha384",
        unhex("b80b733d6ceefcdc71566ea48e5567df"),
        label,
        unhex("cd665cf6a8447dd6ff8b27555edb7465"),
        148,
    )
    assert sha384.startswith(
        unhex("7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b1")
    )
    assert len(sha384) == 148


def test_the_prf_of_tls_1_0():
    """48 bytes of 0xab and 64 of 0xcd: the vector that has been used since TLS 1.0 came out."""
    assert prf(TLS_1_0, "", b"\xab" * 48, b"PRF Testvector", b"\xcd" * 64, 104) == unhex(
        "d3d4d1e349b5d515044666d51de32bab258cb521b6b053463e354832fd976754443bcf9a296519bc289abcbc1187e4ebd31e602353776c40"
        "8aafb74cbc85eff69255f9788faa184cbb957a9819d84a5d7eb006eb459d3ae8de9810454b8b2d8f1afbc655a8c9a013"
    )


def test_a_secret_of_odd_length_shares_its_middle_byte():
    """RFC 2246 §5."""
    seed = b"label" + b"seed"

    def first(hashed, half):
        return hmac.digest(half, hmac.digest(half, seed, hashed) + seed, hashed)

    expected = bytes(a ^ b for a, b in zip(first("md5", b"abc"), first("sha1", b"cde"), strict=False))
    assert prf(TLS_1_0, "", b"abcde", b"label", b"seed", 16) == expected


def test_the_master_secret_of_ssl_3():
    """RFC 6101 §6.1, written out."""
    secret, client, server = b"p" * 48, b"c" * 32, b"s" * 32
    expected = b"".join(
        hashlib.md5(secret + hashlib.sha1(salt + secret + client + server).digest()).digest()
        for salt in (b"A", b"BB", b"CCC")
    )
    assert key_schedule.master_secret(SSL_3_0, "", secret, client, server) == expected
    block = key_schedule.key_block(SSL_3_0, "", secret, client, server, 20)
    assert block[:16] == hashlib.md5(secret + hashlib.sha1(b"A" + secret + server + client).digest()).digest()
    assert len(block) == 20


def test_cipher_suites_are_read_from_their_names():
    rsa = suite(0x002F)
    assert rsa is not None
    assert (rsa.key_exchange, rsa.cipher.algorithm, rsa.cipher.mode, rsa.mac, rsa.hash) == (
        "RSA",
        "AES",
        "cbc",
        "sha1",
        "sha256",
    )
    ccm8 = suite(0xC0AF)
    assert ccm8 is not None
    assert (ccm8.key_exchange, ccm8.cipher.tag_length, ccm8.mac, ccm8.hash) == ("ECDHE_ECDSA", 8, None, "sha256")
    cbc384 = suite(0xC028)
    assert cbc384 is not None
    assert (cbc384.mac, cbc384.mac_length, cbc384.hash) == ("sha384", 48, "sha384")


@pytest.mark.parametrize("code", [0x0000, 0x0003, 0x0062, 0x0A0A, 0xCC13, 0xC07A, 0x00FF, 0x5600, 0x1234, 0x10000])
def test_what_cannot_be_undone_is_no_suite(code):
    """Nothing encrypted, export keys, GREASE, the draft of ChaCha20, Camellia-GCM, signals, and numbers of nobody."""
    assert suite(code) is None


def test_every_suite_that_is_understood_has_all_its_parts():
    found = [suite(code) for code in table("cipher-suites")]
    understood = [each for each in found if each is not None]
    assert len(understood) > 200
    for each in understood:
        aead = each.cipher.mode in ("gcm", "ccm", "chacha20")
        assert (each.mac is None) == aead, each.name
        assert each.hash in ("sha256", "sha384"), each.name
