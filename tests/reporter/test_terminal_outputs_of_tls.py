"""TLS in the table, the evidence and the summary. What they look like as a whole is in `golden/tls-*.txt`."""

import re

from analyzer import model
from analyzer.reporter.outputs.evidence import Evidence
from analyzer.reporter.outputs.summary import Summary
from analyzer.reporter.outputs.table import Table
from tests.reporter.builders import NO_KEYS, certificate, connection, exchange, handshake, http, rejected, showcase, tls
from tests.reporter.terminal import printed, summed_up


def lines_below(one, width=100):
    return [line for line in printed(Table, [one], width=width).splitlines() if line.startswith("    ")]


def test_a_table_says_who_rejected_a_handshake_and_how():
    alert = model.Alert("server", "fatal", "protocol_version", 6)
    one = connection(tls=tls(rejected(), version=None, alpn=None, cipher_suite=None, key_exchange=None, alerts=[alert]))
    assert lines_below(one) == ["    TLS  ~ rejected by the server: protocol_version  example.test"]


def test_a_table_says_what_is_wrong_with_tls_at_every_width():
    bad = certificate(problems=["expired by 3 days at the time of the capture", "weak key: RSA of 512 bits, …"])
    one = connection(tls=tls(certificates=[bad]))
    for width in (60, 120, 250):
        assert lines_below(one, width)[1] == "    ! certificate: expired by 3 days, weak key"


def test_a_table_says_why_it_was_not_decrypted_where_there_is_room():
    one = connection(tls=tls(decrypted=False, decryption=NO_KEYS))
    assert "not decrypted: no secret for client random 4f2ac3d4e5f60718\n" in printed(Table, [one], width=250)
    assert "not decrypted" not in printed(Table, [one], width=100)


def test_what_is_inside_stands_below():
    inside = tls(server_name="inside.test")
    tunnel = model.Tunnel("CONNECT a:443", model.PerSide(), inside)
    connect = http(exchange("CONNECT a:443", 200, 0))
    last = "TLS 1.3  ~ 1.3-full  inside.test  after CONNECT a:443  h2  TLS_AES_128_GCM_SHA256  x25519"
    ways = [
        connection(http=connect, tunnel=tunnel),
        connection(http=connect, tunnel=tunnel, tls=inside),  # the outermost TLS is the tunnel's
        connection(http=connect, tunnel=tunnel, tls=tls(server_name="outside.test")),  # a proxy that is reached by TLS
    ]
    for one in ways[:2]:
        assert [line.split()[0] for line in lines_below(one)] == ["CONNECT", "TLS"]
        assert lines_below(one)[1].strip() == last
        assert printed(Evidence, [one]).count("inside.test") == 1
    assert [line.split()[0] for line in lines_below(ways[2])] == ["TLS", "CONNECT", "TLS"]
    assert "outside.test" in lines_below(ways[2])[0]
    evidence = printed(Evidence, [ways[2]])
    assert evidence.index("outside.test") < evidence.index("  tunnel   after CONNECT") < evidence.index("inside.test")


def test_http_of_a_socks_tunnel_stands_there_alone():
    talk = http(exchange("GET /only", 200))
    one = connection(http=talk, tunnel=model.Tunnel("SOCKS5 a:80", model.PerSide(), http=talk))
    text = printed(Evidence, [one])
    assert text.count("GET /only") == 1
    assert text.index("SOCKS5") < text.index("  inside   ") < text.index("GET /only")


def test_evidence_marks_what_was_not_observed():
    text = printed(Evidence, [connection(tls=tls())])
    (finished,) = re.findall(r".*│─.* Finished .*▶│.*", text)
    assert finished.endswith("  ✓ hidden")
    assert not re.search(r"ClientHello.*(hidden|inferred)", text)


def test_evidence_has_a_ladder_for_every_handshake():
    again = handshake("C ClientHello 21 9.4, S ServerHello 22 9.9", flow="tls/1.2-renegotiation")
    text = printed(Evidence, [connection(tls=tls(handshake(), again, again))])
    assert [text.count(f"─ {name} ─") for name in ("ClientHello", "ServerHello")] == [3, 3]
    assert text.count("tls/1.2-renegotiation") == 2


def test_evidence_of_many_handshakes_and_alerts_is_bounded():
    many = tls(*[rejected()] * 1000, alerts=[model.Alert("client", "warning", "user_canceled", 5)] * 1000)
    text = printed(Evidence, [connection(tls=many)])
    assert len(text.splitlines()) < 700
    assert "… and 900 more handshakes" in text
    assert "… and 900 more\n" in text


def test_evidence_says_how_each_side_ended():
    text = printed(Evidence, [connection(tls=tls(close_notify=model.PerSide(0, 41)))])
    assert "close_notify: client none, server in packet 41" in text
    assert "close_notify" not in printed(Evidence, [connection(tls=tls(close_notify=None))])


def test_a_summary_groups_why_tls_was_not_decrypted():
    reasons = [NO_KEYS.replace("4f2ac3d4e5f60718", f"{number:016x}") for number in range(50)]
    reasons += [NO_KEYS.replace("4f2ac3d4e5f60718", "4f2a…"), "the handshake was not captured"]
    ones = [connection(tls=tls(decrypted=False, decryption=reason)) for reason in reasons]
    ones += [connection(tls=tls()), connection(tls=tls(rejected(), decrypted=False, decryption=None))]
    assert (
        "  decrypted  1 of 53\n"
        "             51 not: no secret for client random …; was SSLKEYLOGFILE set before the browser started?\n"
        "             1 not: the handshake was not captured\n"
    ) in summed_up(ones, width=120)


def test_a_summary_names_each_certificate_with_problems_once():
    bad = certificate(sha256="ab" * 32, subject="CN=bad", problems=["self-signed, and not trusted itself"])
    twice = certificate(sha256="ab" * 32, subject="CN=bad", problems=["sent twice"])
    worse = certificate(sha256="cd" * 32, subject="CN=worse", problems=["expired"])
    ones = [connection(id=n, tls=tls(certificates=[bad, twice])) for n in range(4)]
    ones.append(connection(id=4, tls=tls(client_certificates=[worse])))
    text = summed_up(ones, width=160)
    who = "10.0.0.1:50112 → 10.0.0.2:80"
    assert f"  certs      #0 {who}  server CN=bad: self-signed, and not trusted itself (4 connections)\n" in text
    assert f"             #4 {who}  client CN=worse: expired\n" in text


def test_a_summary_of_tls_is_bounded():
    summary = Summary(width=100)
    for n in range(3000):
        one = tls(
            rejected(), version=f"TLS {n}", cipher_suite=f"SUITE_{n}", server_name=f"{n}." + 60_000 * "x",
            decrypted=False, decryption=f"reason {n} " + 60_000 * "x", alerts=[model.Alert("client", None, f"a{n}", 1)],
            certificates=[certificate(sha256=f"{n:064x}", subject=60_000 * "x", problems=[60_000 * "x"])],
        )  # fmt: skip
        summary.add(connection(id=n, tls=one))
    for tally in ("versions", "suites", "names", "alerts", "reasons"):
        assert len(getattr(summary._tls, tally)) == 1000
    assert len(summary._tls._troubled) == 1000
    text = summary.text()
    assert len(text) < 20_000
    assert "names      more than 1,000: 0.xxx" in text
    assert "… and 2,992 more: -v --filter 'certificate.problem!=none'" in text


def test_a_summary_counts_alerts_but_not_the_proper_end():
    alerts = [model.Alert("server", "warning", "close_notify", 9), model.Alert("client", "fatal", "decode_error", 8)]
    text = summed_up([connection(tls=tls(alerts=alerts))] * 3)
    assert "  alerts     client decode_error 3\n" in text
    assert "close_notify" not in text


def test_no_line_of_a_summary_ends_between_a_name_and_its_number():
    for width in range(60, 140):
        ones = [connection(tls=tls(cipher_suite=f"TLS_ECDHE_ECDSA_WITH_CIPHER_{n}_SHA256")) for n in range(9)]
        assert not re.search(r"SHA256$|^ +1\b", summed_up(ones, width=width), re.MULTILINE)


def test_a_summary_without_tls_does_not_speak_of_it():
    text = summed_up(showcase())
    for word in ("tls", "versions", "suites", "names", "decrypted", "alerts", "certs", "tls time"):
        assert f"  {word} " not in text
