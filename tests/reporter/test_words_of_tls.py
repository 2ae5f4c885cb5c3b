import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import model
from analyzer.reporter import words, words_of_tls
from tests.reporter.builders import NO_KEYS, certificate, connection, handshake, opened, rejected, tls, unknown

BARE = {"alpn": None, "cipher_suite": None, "key_exchange": None}


def said(one, width=120, after=None):
    return "".join(text for text, _ in words_of_tls.line(one, width, after))


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (80, "TLS 1.3  ~ 1.3-full  example.test  h2  TLS_AES_128_GCM_SHA256  x25519"),
        (68, "TLS 1.3  ~ 1.3-full  example.test  h2  TLS_AES_128_GCM_SHA256"),
        (60, "TLS 1.3  ~ 1.3-full  example.test  h2"),
        (36, "TLS 1.3  ~ 1.3-full  example.test"),
        (32, "TLS 1.3  ~ 1.3-full"),
        (15, "TLS 1.3  ~ 1.3…"),
    ],
)
def test_what_matters_least_goes_first(width, shown):
    assert said(tls(), width) == shown


def test_a_long_name_is_shortened_where_there_is_more_to_say():
    one = tls(server_name="a." * 100 + "test")
    assert said(one, 90).endswith("…  h2  TLS_AES_128_GCM_SHA256  x25519")
    assert words.cells(said(one, 90)) == 90


@pytest.mark.parametrize(
    ("handshakes", "shown"),
    [
        ([opened("", **unknown())], "? mid-stream"),
        ([handshake(outcome="incomplete", cause="open-at-end")], "… 1.3-full (open-at-end)"),
        ([handshake(outcome="documented", flow="tls/1.2-rsa")], "✓ 1.2-rsa"),
        ([handshake(), handshake(flow="tls/1.2-renegotiation")], "~ 1.3-full  ~ 1.2-renegotiation"),
        ([handshake(flow="tls/1.2-renegotiation")] * 4, "~ 1.2-renegotiation ×4"),
        ([handshake(flow=f"tls/{n}") for n in range(9)], "~ 0  ~ 1  ~ 2  …"),
        ([rejected()], "~ rejected by the server"),
        ([rejected("S ServerHello 5 1, C Alert 6 1")], "~ rejected by the client: unknown_ca"),
        ([rejected("S Encrypted! 8 1, C Encrypted! 9 1")], "~ rejected by the client (encrypted alert)"),
        ([rejected("C ClientHello 5 1")], "~ rejected"),
    ],
)
def test_handshakes_on_a_line(handshakes, shown):
    alerts = [model.Alert("client", "fatal", "unknown_ca", 6), model.Alert("server", "fatal", "decode_error", 7)]
    assert said(tls(*handshakes, server_name=None, alerts=alerts, **BARE)) == f"TLS 1.3  {shown}"


def test_a_line_has_the_colours_of_its_verdicts():
    parts = dict(words_of_tls.line(tls(handshake(), opened("", **unknown("diverged", None))), 120))
    assert (parts["~ 1.3-full"], parts["✗ diverged"], parts["example.test"]) == ("cyan", "red", None)


def test_nothing_is_said_of_what_is_absent():
    assert said(tls(handshake(), version=None, server_name=None, **BARE)) == "TLS  ~ 1.3-full"


@given(
    st.text(), st.text() | st.none(), st.text() | st.none(), st.text() | st.none(), st.integers(10, 200),
    st.integers(0, 5),
)  # fmt: skip
def test_a_line_fits_every_width(name, alpn, suite, after, width, handshakes):
    one = tls(*[handshake(flow=f"tls/{n}{name}") for n in range(handshakes)], server_name=name, alpn=alpn,
              cipher_suite=suite)  # fmt: skip
    line = said(one, width, after)
    assert words.cells(line) <= width
    assert line.isprintable()


def problems(**given):
    return words_of_tls.problems(tls(**given))


def test_there_is_nothing_to_see_in_good_tls():
    assert problems(alerts=[model.Alert("client", "warning", "close_notify", 9)]) == []


def test_problems_of_certificates_in_few_words():
    first = certificate(problems=["not yet valid at the time of the capture, begins 3 days later", "weak key: RSA …"])
    second = certificate(problems=["CA flag missing: it may not be an issuer (RFC 5280 §4.2.1.9)"])
    of_client = certificate(problems=["extended key usage does not allow it for a client (RFC 5280 §4.2.1.12)"])
    assert problems(certificates=[first, second], client_certificates=[certificate(), of_client]) == [
        "certificate: not yet valid, weak key",
        "certificate 2: CA flag missing",
        "client certificate 2: extended key usage does not allow it for a client",
    ]


def test_fatal_alerts_are_problems_unless_a_rejection_tells_of_them():
    later = model.Alert("client", "fatal", "bad_record_mac", 20)
    assert problems(alerts=[later]) == ["fatal alert at packet 20: client bad_record_mac"]
    alerts = [model.Alert("server", "fatal", "handshake_failure", 6), later]
    assert words_of_tls.problems(tls(rejected(), alerts=alerts)) == ["fatal alert at packet 20: client bad_record_mac"]


@pytest.mark.parametrize(
    ("strength", "said"),
    [
        ("strong", []),
        ("acceptable", []),
        ("weak", ["weak: static RSA"]),
        ("broken", ["broken: static RSA"]),
        (None, []),
    ],
)
def test_weak_encryption_is_a_problem(strength, said):
    assert problems(strength=strength, strength_reason="static RSA: no forward secrecy (RFC 9325 §4.1)") == said


def test_problems_are_few_and_short():
    bad = certificate(problems=["x" * 100_000] * 50)
    found = problems(certificates=[bad] * 50, alerts=[model.Alert("client", "fatal", "x", n) for n in range(50)])
    assert len(found) == 6
    assert max(map(len, found)) < 600


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "decrypted with a key log"),
        ({"decryption": "rsa-key"}, "decrypted with the server's RSA key"),
        ({"decryption": "pcapng"}, "decrypted with secrets in the capture"),
        ({"decrypted": False, "decryption": NO_KEYS}, f"not decrypted: {NO_KEYS}"),
    ],
)
def test_decryption(given, said):
    assert said in words_of_tls.traffic(tls(**given))


def test_nothing_is_said_of_decryption_where_there_was_nothing_to_decrypt():
    assert not any("decrypted" in each for each in words_of_tls.traffic(tls(decrypted=False, decryption=None)))


@pytest.mark.parametrize(
    ("alert", "said"),
    [
        (model.Alert("server", "fatal", "handshake_failure", 6), "server fatal handshake_failure"),
        (model.Alert("client", None, None, 6, encrypted=True), "client alert (encrypted)"),
        (model.Alert("client", "warning", None, 6), "client warning alert"),
    ],
)
def test_alerts(alert, said):
    assert words_of_tls.alert_words(alert, level=True) == said


def test_verdicts_have_every_handshake_of_every_tls():
    again, inside = handshake(flow="tls/1.2-renegotiation"), handshake("", **unknown())
    one = connection(tls=tls(handshake(), again), tunnel=model.Tunnel("CONNECT a:443", model.PerSide(), tls(inside)))
    assert words.verdicts(one)[2:] == [("tls", handshake()), ("tls", again), ("tls", inside)]
    same = connection(tls=tls(inside), tunnel=model.Tunnel("STARTTLS smtp", model.PerSide(), tls(inside)))
    assert words.verdicts(same)[2:] == [("tls", inside)]
