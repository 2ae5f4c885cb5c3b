"""Names of numbers, out of IANA's tables."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from analyzer.dissector import registries
from analyzer.dissector.registries import name, table

HERE = Path(registries.__file__).parent
REGISTRIES = ("cipher-suites", "content-types", "alerts", "handshake-types", "groups", "signature-schemes",
              "extensions", "certificate-compression", "ssl2-cipher-kinds")  # fmt: skip


@pytest.mark.parametrize(("registry", "code", "called"), [
    ("cipher-suites", 0x1301, "TLS_AES_128_GCM_SHA256"),
    ("cipher-suites", 0x002F, "TLS_RSA_WITH_AES_128_CBC_SHA"),
    ("cipher-suites", 0xC02F, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    ("cipher-suites", 0xCCA8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    ("cipher-suites", 0x00FF, "TLS_EMPTY_RENEGOTIATION_INFO_SCSV"),
    ("cipher-suites", 0xCC13, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    ("cipher-suites", 0xFAFA, "GREASE (0xfafa)"),
    ("cipher-suites", 0xFFFF, "0xffff"),
    ("groups", 29, "x25519"),
    ("groups", 4588, "X25519MLKEM768"),
    ("groups", 25497, "X25519Kyber768Draft00"),
    ("groups", 509, "0x01fd"),
    ("signature-schemes", 0x0804, "rsa_pss_rsae_sha256"),
    ("extensions", 0, "server_name"),
    ("extensions", 65037, "encrypted_client_hello"),
    ("extensions", 17613, "application_settings"),
    ("extensions", 40, "key_share (draft)"),
    ("alerts", 40, "handshake_failure"),
    ("alerts", 200, "0xc8"),
    ("handshake-types", 11, "certificate"),
    ("handshake-types", 67, "next_protocol"),
    ("content-types", 23, "application_data"),
    ("certificate-compression", 2, "brotli"),
    ("ssl2-cipher-kinds", 0x010080, "SSL_CK_RC4_128_WITH_MD5"),
])  # fmt: skip
def test_names(registry, code, called):
    assert name(registry, code) == called


def test_no_such_registry():
    with pytest.raises(KeyError):
        name("colours", 1)


@pytest.mark.parametrize("registry", REGISTRIES)
def test_tables_are_whole(registry):
    names = table(registry)
    assert len(names) >= 3
    assert all(called and called == called.strip() and "\n" not in called for called in names.values())


def test_every_file_is_read():
    read = {file for file, _, _ in registries._FILES.values() if file}
    assert {path.name for path in HERE.glob("*.csv")} == read | {registries._UNREGISTERED}


def test_what_is_unregistered_is_not_in_ianas_tables():
    with (HERE / registries._UNREGISTERED).open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["Registry"] for row in rows} <= set(REGISTRIES)
    for row in rows:
        assert table(row["Registry"])[registries._code(row["Value"])] == row["Name"], row


@pytest.mark.parametrize(("written", "codes"), [
    ("7", range(7, 8)), ("0x0804", range(0x804, 0x805)), ("0x13,0x01", range(0x1301, 0x1302)), ("16-18", range(16, 19)),
    ("0x0204-0x0400", range(0x204, 0x401)), ("0x00,0x1C-1D", range(0x1C, 0x1E)), ("0x0B-12,*", range(0)),
])  # fmt: skip
def test_values_as_iana_writes_them(written, codes):
    assert registries._codes(written) == codes
