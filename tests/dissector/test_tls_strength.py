"""How strong a cipher suite is, and who says so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector.tls.strength import strength
from tests.capture.strategies import patiently


@pytest.mark.parametrize(
    ("suite", "version", "level", "source"),
    [
        # What the article calls usual, C16.
        ("TLS_RSA_WITH_AES_128_CBC_SHA", "TLS 1.2", "weak", "no forward secrecy (RFC 9325 §4.1)"),
        ("TLS_RSA_WITH_RC4_128_SHA", "TLS 1.2", "broken", "RFC 7465"),
        ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", "TLS 1.2", "weak", "3DES has less than 128 bits"),
        # And what is recommended, RFC 9325 §4.2, RFC 8446 §9.1.
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS 1.2", "strong", "RFC 9325 §4.2"),
        ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS 1.2", "strong", "RFC 9325 §4.2"),
        ("TLS_AES_128_GCM_SHA256", "TLS 1.3", "strong", "RFC 8446"),
        ("TLS_CHACHA20_POLY1305_SHA256", "TLS 1.3", "strong", "RFC 8446"),
        ("TLS_AES_128_CCM_8_SHA256", "TLS 1.3", "acceptable", "64 bits"),
        ("TLS_SM4_GCM_SM3", "TLS 1.3", "acceptable", "RFC 8998"),
        ("TLS_SHA256_SHA256", "TLS 1.3", "broken", "RFC 9150"),
        ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "TLS 1.2", "acceptable", "AEAD"),
        ("TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256", "TLS 1.2", "acceptable", "64 bits"),
        ("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", "TLS 1.2", "acceptable", "finite-field"),
        ("TLS_ECDH_RSA_WITH_AES_128_GCM_SHA256", "TLS 1.2", "weak", "static ECDH"),
        ("TLS_PSK_WITH_AES_128_GCM_SHA256", "TLS 1.2", "weak", "RFC 4279"),
        ("TLS_RSA_PSK_WITH_AES_128_GCM_SHA256", "TLS 1.2", "weak", "static RSA"),
        ("TLS_SRP_SHA_WITH_AES_128_CBC_SHA", "TLS 1.2", "acceptable", "RFC 5054"),
        ("TLS_KRB5_WITH_RC4_128_SHA", "TLS 1.0", "broken", "RFC 7465"),
        ("TLS_DH_anon_WITH_AES_128_GCM_SHA256", "TLS 1.2", "broken", "nobody is authenticated"),
        ("TLS_ECDH_anon_WITH_AES_128_CBC_SHA", "TLS 1.2", "broken", "nobody is authenticated"),
        ("TLS_RSA_EXPORT_WITH_RC4_40_MD5", "TLS 1.0", "broken", "export"),
        ("TLS_RSA_EXPORT1024_WITH_RC2_CBC_56_MD5", "TLS 1.0", "broken", "less than 112 bits"),
        ("TLS_RSA_WITH_DES_CBC_SHA", "TLS 1.0", "broken", "56 bits"),
        ("TLS_RSA_WITH_IDEA_CBC_SHA", "TLS 1.0", "weak", "RFC 5469"),
        ("TLS_ECDHE_RSA_WITH_NULL_SHA", "TLS 1.2", "broken", "does not encrypt"),
        ("TLS_NULL_WITH_NULL_NULL", "TLS 1.2", "broken", "no key exchange"),
        ("TLS_GOSTR341112_256_WITH_28147_CNT_IMIT", "TLS 1.2", "weak", "64 bits"),
        ("TLS_GOSTR341112_256_WITH_KUZNYECHIK_MGM_L", "TLS 1.3", "acceptable", "RFC 9367"),
        ("SSL_RSA_FIPS_WITH_3DES_EDE_CBC_SHA", "SSL 3.0", "broken", "RFC 7568"),
        # A version spoils the best of them.
        ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS 1.0", "weak", "RFC 8996"),
        ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS 1.1", "weak", "RFC 8996"),
        ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "SSL 3.0", "broken", "RFC 7568"),
        ("TLS_ECDHE_RSA_WITH_SOMETHING_NEW", "TLS 1.2", "acceptable", "not among the recommended"),
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", None, "strong", "RFC 9325"),
    ],
)
def test_levels_and_their_sources(suite, version, level, source):
    found = strength(suite, version)
    assert found.level == level
    assert source in found.reason


def test_the_worst_reason_comes_first():
    reason = strength("TLS_RSA_WITH_RC4_128_MD5", "TLS 1.0").reason
    assert reason.startswith("RC4")
    assert "RFC 8996" in reason
    assert "static RSA" in reason


@pytest.mark.parametrize("name", ["0x1a2b", "", "GREASE"])
def test_a_number_says_nothing(name):
    assert strength(name, "TLS 1.2") is None


@patiently
@given(st.text(max_size=60).map("TLS_{}".format), st.none() | st.sampled_from(["TLS 1.3", "TLS 1.0", "?"]))
def test_any_name(suite, version):
    found = strength(suite, version)
    assert found.reason
    assert found.level in ("strong", "acceptable", "weak", "broken")
