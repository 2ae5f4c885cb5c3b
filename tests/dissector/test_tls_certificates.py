"""What a chain of certificates says, at the time of its capture: dates, names, issuers, and whatever is wrong."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector.tls import certificates, chains
from analyzer.dissector.tls.certificates import Roots, examine, matches
from analyzer.errors import InputError
from analyzer.model import Certificate
from tests.capture.strategies import patiently
from tests.cases import ROOT as PROJECT
from tests.dissector.authority import END, LEAF, MIDDLE, NOW, ROOT, START, Issued, issue, ns, signed_anew, uses


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    return trusting(tmp_path_factory.mktemp("roots") / "roots.pem", ROOT)


def trusting(path, *trusted: Issued) -> Roots:
    path.write_bytes(b"".join(each.pem for each in trusted))
    return Roots(path)


def look(roots, *chain, name="example.test", at_ns=NOW, **options) -> list[Certificate]:
    ders = [each.der if isinstance(each, Issued) else each for each in chain]
    return examine(ders, server_name=name, at_ns=at_ns, roots=roots, **options)


def only(words: str, problems: list[str]) -> None:
    assert len(problems) == 1, problems
    assert words in problems[0]


def test_a_chain_with_nothing_wrong(roots):
    leaf, middle, root = look(roots, LEAF, MIDDLE, ROOT)
    assert leaf == Certificate(
        subject="CN=example.test",
        issuer="CN=Middle",
        not_before="2025-01-01T00:00:00Z",
        not_after="2026-01-01T00:00:00Z",
        names=["example.test", "*.example.test", "192.0.2.1", "2001:db8::1"],
        sha256=LEAF.certificate.fingerprint(hashes.SHA256()).hex(),
        valid_at_capture=True,
        name_matches=True,
        trusted=True,
        problems=[],
        serial=f"{LEAF.certificate.serial_number:x}",
        key="EC 256",
        signature="ECDSA with SHA256",
    )
    for other in (middle, root):
        assert (other.name_matches, other.trusted, other.valid_at_capture, other.problems) == (None, None, True, [])


def test_the_root_need_not_be_sent(roots):
    assert look(roots, LEAF, MIDDLE)[0].trusted is True


def test_no_chain_at_all(roots):
    assert look(roots) == []


# Dates


@pytest.mark.parametrize(
    ("at_ns", "problem"),
    [
        (ns(2025, 1, 1), None),  # RFC 5280 §4.1.2.5: both ends belong to it
        (ns(2026, 1, 1), None),
        (ns(2026, 1, 1) + 999_999_999, None),
        (ns(2026, 1, 1, second=1), "expired by less than a day at the time of the capture"),
        (ns(2026, 1, 2), "expired by 1 day at the time of the capture"),
        (ns(2026, 1, 4), "expired by 3 days at the time of the capture"),
        (ns(2024, 12, 31, 12), "not yet valid at the time of the capture, begins less than a day later"),
        (ns(2024, 12, 30), "not yet valid at the time of the capture, begins 2 days later"),
    ],
)
def test_dates_are_judged_at_the_time_of_the_capture(roots, at_ns, problem):
    leaf = look(roots, LEAF, MIDDLE, at_ns=at_ns)[0]
    assert leaf.valid_at_capture is (problem is None)
    assert leaf.problems == ([problem] if problem else [])
    assert leaf.trusted is True, "its own dates have nothing to do with who issued it"


def test_the_same_chain_at_another_time_is_judged_anew(roots):
    assert [look(roots, LEAF, MIDDLE, at_ns=at)[0].valid_at_capture for at in (NOW, ns(2027), NOW)] == [
        True,
        False,
        True,
    ]


def test_an_issuer_out_of_date(roots):
    old = issue("Old", by=ROOT, ca=True, start=dt.datetime(2020, 1, 1), end=dt.datetime(2025, 2, 1))
    leaf, middle = look(roots, issue("l", by=old, names=["example.test"]), old)
    assert (leaf.valid_at_capture, leaf.trusted, middle.valid_at_capture) == (True, False, False)
    only("its issuer CN=Old is expired by 150 days", leaf.problems)
    only("expired by 150 days", middle.problems)


def test_a_root_out_of_date(tmp_path):
    root = issue("Short", ca=True, end=dt.datetime(2025, 6, 30))
    leaf = look(trusting(tmp_path / "r", root), issue("l", by=root, names=["example.test"]))[0]
    assert leaf.trusted is False
    only("its issuer CN=Short is expired by 1 day", leaf.problems)


def test_another_way_to_a_root_is_taken(tmp_path):
    """A root that expired, and the certificate of the same key by another one: the chains of May 2020."""
    old = issue("Old Root", ca=True, end=dt.datetime(2025, 6, 1))
    new = issue("New Root", ca=True)
    middle = issue("Middle", by=old, ca=True)
    cross = issue("Old Root", by=new, ca=True)
    roots = trusting(tmp_path / "r", old, new)
    leaf = issue("l", by=middle, names=["example.test"])
    found = look(roots, leaf, middle, cross)
    assert (found[0].trusted, found[0].problems) == (True, [])
    assert look(roots, leaf, middle)[0].trusted is False


# Names


@pytest.mark.parametrize(
    ("wanted", "name", "found"),
    [
        ("example.test", "example.test", True),
        ("EXAMPLE.test", "example.TEST", True),
        ("example.test.", "example.test", True),
        ("example.test", "example.test.", True),
        ("a.example.test", "*.example.test", True),
        ("A.example.test", "*.EXAMPLE.test", True),
        ("example.test", "*.example.test", False),
        ("a.b.example.test", "*.example.test", False),
        (".example.test", "*.example.test", False),
        ("abc.example.test", "a*.example.test", False),  # RFC 9525 §6.3: the whole label or none
        ("a.b.example.test", "a.*.example.test", False),
        ("test", "*", False),
        ("test", "*.", False),
        ("a.test", "*.test", True),
        ("*.example.test", "*.example.test", True),
        ("bücher.example", "xn--bcher-kva.example", True),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", True),
        ("xn--bcher-kva.example", "*.example", True),
        ("bücher.example", "example.test", False),
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:DB8:0::1", "2001:db8::1", True),
        ("[2001:db8::1]", "2001:db8::1", True),
        ("", "", False),
        ("", "example.test", False),
    ],
)
def test_names_match_as_rfc_9525_says(wanted, name, found):
    kind = "ip" if re.fullmatch(r"[0-9a-f.:]*[.:][0-9a-f.:]+", name) and not name.endswith("t") else "dns"
    assert matches(wanted, [("dns", "other.test"), (kind, name)]) is found


def test_an_address_is_no_dns_name():
    assert not matches("192.0.2.1", [("dns", "192.0.2.1")])
    assert not matches("1.example.test", [("ip", "192.0.2.1")])


@pytest.mark.parametrize("name", ["b.example.test", "192.0.2.1", "2001:db8::1"])
def test_another_name_of_the_same_certificate(roots, name):
    assert look(roots, LEAF, MIDDLE, name=name)[0].name_matches is True


def test_a_name_that_does_not_match(roots):
    leaf = look(roots, LEAF, MIDDLE, name="other.test")[0]
    assert (leaf.name_matches, leaf.trusted) == (False, True)
    only(
        "name mismatch: other.test was asked for, the names are example.test, *.example.test, 192.0.2.1", leaf.problems
    )


def test_without_a_name_there_is_nothing_to_match(roots):
    leaf = look(roots, LEAF, MIDDLE, name=None)[0]
    assert (leaf.name_matches, leaf.problems) == (None, [])


def test_the_common_name_does_not_count(roots):
    leaf = look(roots, issue("example.test", by=MIDDLE), MIDDLE)[0]
    assert (leaf.names, leaf.name_matches) == ([], False)
    only("there is no subjectAltName; the subject's CN does not count (RFC 9525 §2)", leaf.problems)


@pytest.mark.parametrize("name", ["é" * 100, "a..b", "\x00", "x" * 5000, "a" * 70 + ".é"])
def test_any_server_name(roots, name):
    assert look(roots, LEAF, MIDDLE, name=name)[0].name_matches is False


# Issuers


def test_self_signed(roots):
    leaf = look(roots, issue("s", names=["example.test"]))[0]
    assert leaf.trusted is False
    only("self-signed, and not trusted itself", leaf.problems)


def test_self_signed_and_trusted_itself(tmp_path):
    own = issue("s", names=["example.test"], ca=True)
    leaf = look(trusting(tmp_path / "r", own), own)[0]
    assert (leaf.trusted, leaf.problems) == (True, [])


def test_an_unknown_authority(roots):
    root = issue("Nobody", ca=True)
    leaf = look(roots, issue("l", by=root, names=["example.test"]), root)[0]
    assert leaf.trusted is False
    only("unknown authority: the chain ends at CN=Nobody, which is no root of roots.pem", leaf.problems)


def test_a_missing_intermediate(roots):
    leaf = look(roots, LEAF)[0]
    assert leaf.trusted is False
    only("missing intermediate or unknown authority: the issuer is CN=Middle, which was not sent", leaf.problems)
    deeper = issue("Deeper", by=MIDDLE, ca=True)
    leaf = look(roots, issue("l", by=deeper, names=["example.test"]), deeper)[0]
    only("the issuer of CN=Deeper is CN=Middle", leaf.problems)


def test_a_false_root_of_the_same_name(roots):
    false = issue("Root", ca=True, key=LEAF.key)
    leaf = look(roots, issue("l", by=false, names=["example.test"]), false)[0]
    assert leaf.trusted is False
    only("the chain ends at CN=Root, which is no root of roots.pem", leaf.problems)
    leaf = look(roots, issue("l", by=false, names=["example.test"]))[0]
    only("the signature was not made by the root CN=Root of roots.pem", leaf.problems)


def test_an_issuer_without_the_ca_flag(roots):
    """The oldest trick: a server's certificate that issues others."""
    for flag in (False, None):
        issuer = issue("example.test", by=MIDDLE, names=["example.test"], ca=flag)
        found = look(roots, issue("victim", by=issuer, names=["example.test"]), issuer, MIDDLE)
        assert found[0].trusted is False
        only("its issuer CN=example.test is no certificate authority", found[0].problems)
        only("CA flag missing", found[1].problems)


def test_an_issuer_that_may_not_sign(roots):
    issuer = issue("NoSign", by=ROOT, ca=True, more=[uses("digital_signature")])
    found = look(roots, issue("l", by=issuer, names=["example.test"]), issuer)
    assert found[0].trusted is False
    only("may not sign certificates", found[0].problems)
    only("key usage does not allow it to sign certificates", found[1].problems)


def test_a_path_that_is_too_long(roots):
    short = issue("Short", by=ROOT, ca=True, path_length=0)
    below = issue("Below", by=short, ca=True)
    leaf = look(roots, issue("l", by=below, names=["example.test"]), below, short)[0]
    assert leaf.trusted is False
    only("more certificates below CN=Short than its path length allows", leaf.problems)
    assert look(roots, issue("l", by=short, names=["example.test"]), short)[0].trusted is True


def test_name_constraints(roots):
    allowed = x509.NameConstraints([x509.DNSName("other.test")], None)
    issuer = issue("Constrained", by=ROOT, ca=True, more=[(allowed, True)])
    leaf = look(roots, issue("l", by=issuer, names=["example.test"]), issuer)[0]
    assert leaf.trusted is False
    only("the path to CN=Root is refused: no permitted name constraints matched SAN", leaf.problems)


def test_a_critical_extension_nobody_knows(roots):
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    leaf = look(roots, issue("l", by=MIDDLE, names=["example.test"], more=[(strange, True)]), MIDDLE)[0]
    assert leaf.trusted is False
    assert "critical extension 1.2.3.4 is not known (RFC 5280 §4.2)" in leaf.problems
    assert look(roots, issue("l", by=MIDDLE, names=["example.test"], more=[(strange, False)]), MIDDLE)[0].trusted


def test_an_authority_as_server(roots):
    leaf = look(roots, issue("l", by=MIDDLE, names=["example.test"], ca=True), MIDDLE)[0]
    assert leaf.trusted is True
    only("the certificate of an authority (CA flag set), used by a server", leaf.problems)


def test_key_usage(roots):
    leaf = look(roots, issue("l", by=MIDDLE, names=["example.test"], more=[uses("crl_sign")]), MIDDLE)[0]
    only("key usage allows neither signatures nor key exchange", leaf.problems)
    leaf = look(roots, issue("l", by=MIDDLE, names=["example.test"], more=[uses("digital_signature")]), MIDDLE)[0]
    assert leaf.problems == []


def test_extended_key_usage_of_servers_and_clients(roots):
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    made = issue("l", by=MIDDLE, names=["example.test"], more=[(purpose, False)])
    only("extended key usage does not allow it for a server", look(roots, made, MIDDLE)[0].problems)
    of_client = look(roots, made, MIDDLE, client=True)[0]
    assert (of_client.problems, of_client.name_matches) == ([], None)


# Order


def test_a_chain_out_of_order(roots):
    leaf, root, _ = look(roots, LEAF, ROOT, MIDDLE)
    assert leaf.trusted is True
    only("chain out of order: certificate 2 is not the issuer of certificate 1", leaf.problems)
    assert root.problems == []


def test_certificates_that_do_not_belong(roots):
    found = look(roots, LEAF, MIDDLE, MIDDLE, issue("Stranger", ca=True, by=issue("Else", ca=True)))
    assert (found[0].trusted, found[0].problems) == (True, [])
    only("sent twice", found[2].problems)
    only("not part of the chain", found[3].problems)


def test_too_many_certificates(roots):
    chain = [LEAF, MIDDLE] + [issue(f"Nr. {number}", ca=True, by=ROOT) for number in range(23)]
    found = look(roots, *chain)
    assert len(found) == 20
    only("too many certificates: 25 were sent, the first 20 are examined", found[0].problems)


def test_certificates_of_one_name_and_key_end_the_search(roots, monkeypatch):
    """Each signs each other: ways without number."""
    evil = issue("Evil", ca=True)
    ends = [END + dt.timedelta(days=number) for number in range(18)]
    same = [issue("Evil", ca=True, key=evil.key, end=end) for end in ends]
    asked = []
    signed = chains.signed
    monkeypatch.setattr(chains, "signed", lambda one, issuer, budget: asked.append(1) or signed(one, issuer, budget))
    leaf = look(roots, issue("l", by=evil, names=["example.test"]), *same)[0]
    assert leaf.trusted is False
    assert len(asked) < 100
    only("unknown authority", leaf.problems)


def test_signatures_checked_of_a_chain(roots, monkeypatch):
    evil = issue("Evil", ca=True)
    same = [issue("Evil", ca=True, by=evil, key=issue(f"other {n}").key) for n in range(12)]
    monkeypatch.setattr(chains, "MOST_CHECKS", 5)
    leaf = look(roots, issue("l", by=evil, names=["example.test"]), *same)[0]
    assert leaf.trusted is False
    assert leaf.problems == ["unknown authority: more than 5 signatures to check"]


def test_bits_of_a_key_that_signs(roots, monkeypatch):
    """A signature by a longer key is not checked, so it leads to no root."""
    big = issue("Big", ca=True, by=ROOT, kind="rsa2048")
    one, other = (issue(name, by=big, names=["example.test"]) for name in ("one", "other"))
    assert look(roots, one, big)[0].trusted
    monkeypatch.setattr(chains, "MOST_KEY_BITS", 2047)
    found = look(roots, other, big)[0]
    assert found.trusted is False
    assert "unknown authority" in found.problems[0]


# Keys and signatures


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("rsa1024", "weak key: RSA of 1024 bits, 2048 are the least (RFC 9325 §4.5)"),
        ("rsa2048", None),
        ("p192", "weak key: EC of 192 bits, 224 are the least (RFC 9325 §4.5)"),
        ("p224", None),
        ("ed25519", None),
    ],
)
def test_keys(roots, kind, problem):
    leaf = look(roots, issue("l", by=MIDDLE, names=["example.test"], kind=kind), MIDDLE)[0]
    assert leaf.trusted is True
    assert leaf.problems == ([problem] if problem else [])
    assert leaf.key == {"rsa1024": "RSA 1024", "rsa2048": "RSA 2048", "p192": "EC 192", "p224": "EC 224",
                        "ed25519": "Ed25519 256"}[kind]  # fmt: skip


@pytest.mark.parametrize("kind", ["ed25519", "p224", "rsa1024"])
def test_issuers_with_keys_outside_the_rules_of_the_web(tmp_path, kind):
    """They are no reason to call a chain untrusted that leads to the user's own root."""
    root = issue("Own", ca=True, kind=kind)
    middle = issue("Own Middle", by=root, ca=True, kind=kind)
    roots = trusting(tmp_path / "r", root)
    leaf = issue("l", by=middle, names=["example.test"])
    assert look(roots, leaf, middle)[0].trusted is True
    constrained = issue("C", by=root, ca=True, more=[(x509.NameConstraints([x509.DNSName("a.test")], None), True)])
    found = look(roots, issue("l", by=constrained, names=["example.test"]), constrained)[0]
    assert found.trusted is False or kind == "none"
    assert "certain names" in found.problems[0]


def test_weak_signatures(tmp_path):
    root = issue("RSA Root", ca=True, kind="rsa2048")
    roots = trusting(tmp_path / "r", root)
    leaf = issue("l", by=root, names=["example.test"])
    sha1 = look(roots, signed_anew(leaf, root, hashes.SHA1(), 5))[0]
    assert (sha1.trusted, sha1.signature) == (True, "RSA with SHA1")
    only("weak signature: RSA with SHA1", sha1.problems)
    md5 = look(roots, signed_anew(leaf, root, hashes.MD5(), 4))[0]
    assert md5.trusted is False, "anybody can make one"
    assert "weak signature: RSA with MD5 (RFC 8446 §4.4.2.4)" in md5.problems
    forged = bytearray(signed_anew(leaf, root, hashes.SHA1(), 5))
    forged[-1] ^= 1
    assert look(roots, bytes(forged))[0].trusted is False
    own = issue("own", names=["example.test"], kind="rsa2048")
    only("self-signed", look(roots, signed_anew(own, own, hashes.SHA1(), 5))[0].problems)
    only("self-signed", look(roots, signed_anew(own, own, hashes.MD5(), 4))[0].problems)


def test_extensions_that_cannot_be_read(roots):
    """Some write a default that DER leaves out; what names there are is then unknown."""
    flag = bytes.fromhex("0603551d130101ff04023000")
    made = issue("l", by=MIDDLE, names=["example.test"], ca=False).der
    assert flag in made
    found = look(roots, made.replace(flag, flag[:-4] + bytes.fromhex("04023001")), MIDDLE)[0]
    assert (found.subject, found.names, found.name_matches) == ("CN=l", [], None)
    assert found.problems[0].startswith("extensions not parseable: ")


def test_a_raw_public_key(roots):
    raw = LEAF.key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    found = look(roots, raw)[0]
    assert (found.subject, found.valid_at_capture, found.name_matches, found.trusted) == (None, None, None, None)
    assert found.key == "EC 256"
    only("a raw public key (RFC 7250)", found.problems)


def test_a_serial_number_that_is_not_positive(roots, recwarn):
    serial = LEAF.certificate.serial_number.to_bytes(9, "big").lstrip(b"\x00")
    at = LEAF.der.index(serial)
    negative = LEAF.der[:at] + bytes([serial[0] | 0x80]) + LEAF.der[at + 1 :]
    if LEAF.der[at - 1] == 0:  # it had a zero before it for its sign
        negative = LEAF.der[: at - 1] + b"\xff" + LEAF.der[at:]
    found = look(roots, negative, MIDDLE)[0]
    assert found.serial.startswith("-")
    assert "a serial number that is not positive (RFC 5280 §4.1.2.2)" in found.problems
    assert not recwarn.list, "nothing on the terminal"


# The roots


def test_roots_from_a_folder_and_in_der(tmp_path):
    (tmp_path / "a.pem").write_bytes(b"# Root\n" + ROOT.pem)
    (tmp_path / "b.der").write_bytes(issue("Other", ca=True).der)
    (tmp_path / "README").write_bytes(b"no certificate")
    (tmp_path / "below").mkdir()
    roots = Roots(tmp_path)
    roots.load()
    assert roots.unreadable == 1
    assert look(roots, LEAF, MIDDLE)[0].trusted is True
    assert look(roots, issue("l", by=issue("Other", ca=True), names=["example.test"]))[0].trusted is True


def test_an_unreadable_certificate_among_others(tmp_path):
    (tmp_path / "r").write_bytes(ROOT.pem.replace(b"M", b"!", 1) + ROOT.pem)
    roots = Roots(tmp_path / "r")
    assert look(roots, LEAF, MIDDLE)[0].trusted is True
    assert roots.unreadable == 1


@pytest.mark.parametrize(
    "content", [None, b"", b"hello", b"-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----"]
)
def test_roots_that_cannot_be_read(tmp_path, content):
    path = tmp_path / "roots"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"roots: .*Give a"):
        look(Roots(path), LEAF)


def test_the_roots_of_certifi():
    roots = Roots()
    roots.load()
    leaf = look(roots, LEAF, MIDDLE, ROOT)[0]
    assert leaf.trusted is False
    assert re.search(r"the chain ends at CN=Root, which is no root of certifi \d{4}\.", leaf.problems[0])


def test_nothing_is_loaded_before_it_is_needed():
    code = (
        "import sys\nfrom analyzer.dissector.tls import certificates, strength\n"
        "roots = certificates.Roots('/no/such')\n"
        "print('cryptography' in sys.modules or 'certifi' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT, check=True)
    assert done.stdout == "False\n"


def test_what_was_examined_once_is_not_examined_again(roots, monkeypatch):
    first = look(roots, LEAF, MIDDLE, at_ns=NOW)
    monkeypatch.setattr(certificates, "follow", None)
    assert look(roots, LEAF, MIDDLE, at_ns=NOW + 3600 * 10**9) == first
    with pytest.raises(TypeError):
        look(roots, LEAF, MIDDLE, name="another.test")


# Any bytes

CHAIN = [LEAF.der, MIDDLE.der, ROOT.der, issue("r", kind="rsa2048", names=["a.test"]).der]
blobs = st.sampled_from(CHAIN) | st.binary(max_size=60)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(CHAIN)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1))
        data[at] = draw(st.integers(0, 255) | st.just(data[at] ^ 1 << draw(st.integers(0, 7))))
    cut = draw(st.none() | st.integers(0, len(data)))
    return bytes(data if cut is None else data[:cut])


@patiently
@given(
    st.lists(blobs | damaged(), max_size=6),
    st.none() | st.text(max_size=20) | st.just("example.test"),
    st.integers(0, 2**63 - 1),
    st.booleans(),
)
def test_any_bytes_give_an_entry_each(roots, chain, name, at_ns, client):
    found = examine(chain, server_name=name, at_ns=at_ns, roots=roots, client=client)
    assert len(found) == len(chain)
    assert examine(chain, server_name=name, at_ns=at_ns, roots=roots, client=client) == found
    for number, one in enumerate(found):
        assert (number == 0) or (one.trusted is None and one.name_matches is None)
        assert one.subject is not None or one.problems
        assert one.trusted is not False or one.problems


@patiently
@given(damaged())
def test_a_damaged_leaf_is_never_trusted(roots, leaf):
    found = look(roots, leaf, MIDDLE)[0]
    assert not found.trusted or leaf in (LEAF.der, MIDDLE.der, ROOT.der)


@patiently
@given(st.integers(ns(2024), ns(2028)), st.integers(ns(2024), ns(2028)))
def test_what_is_remembered_never_depends_on_what_came_before(roots, one_ns, other_ns):
    look(roots, LEAF, MIDDLE, at_ns=other_ns)
    remembered = look(roots, LEAF, MIDDLE, at_ns=one_ns)
    fresh = Roots(roots.path)
    assert look(fresh, LEAF, MIDDLE, at_ns=one_ns) == remembered
    assert remembered[0].valid_at_capture is (START.timestamp() <= one_ns // 10**9 <= END.timestamp())
