"""Key logs and PEM files, in whatever state they come."""

from __future__ import annotations

import subprocess
import sys

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector.tls.keylog import LONGEST_LINE, Reader
from analyzer.dissector.tls.secrets import PIECE, Secrets
from analyzer.errors import InputError

RANDOM, MASTER = "0a" * 32, "fb" * 48
LINE = f"CLIENT_RANDOM {RANDOM} {MASTER}"
PLAIN = serialization.NoEncryption()


def pem(key, how=serialization.PrivateFormat.PKCS8, secrecy=PLAIN) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, how, secrecy)


@pytest.fixture(scope="module")
def rsa_key():
    return rsa.generate_private_key(65537, 1024)


def read(text, **options) -> Secrets:
    secrets = Secrets()
    secrets.add_keylog(text, **options)
    return secrets


def master_of(secrets: Secrets) -> str | None:
    found = secrets.lookup(bytes.fromhex(RANDOM), "CLIENT_RANDOM")
    return None if found is None else found.hex()


@pytest.mark.parametrize(
    "text",
    [
        LINE,
        LINE + "\n",
        LINE + "\r\n",
        f"# a comment\n\n{LINE}\n",
        f"  CLIENT_RANDOM\t{RANDOM}   {MASTER}  \n",
        f"CLIENT_RANDOM {RANDOM.upper()} {MASTER.upper()}\n",
        f"\ufeff{LINE}\n",
        f"EXPORTER_SECRET {RANDOM} {MASTER}\nSOME_LABEL_TO_COME {RANDOM} 00\n{LINE}\n",
        f"{LINE}\n{LINE}\n",
        f"CLIENT_RANDOM {RANDOM} {'00' * 48}\n{LINE}\n",
    ],
)
def test_a_line_is_found(text):
    secrets = read(text)
    assert master_of(secrets) == MASTER
    assert secrets.warnings == []
    assert (secrets.has_any, secrets.sources) == (True, ["keylog"])


@pytest.mark.parametrize(
    "line",
    [
        LINE[:-1],
        LINE[:-2],
        LINE + "00",
        LINE + " more",
        f"CLIENT_RANDOM {RANDOM}",
        f"CLIENT_RANDOM {RANDOM[2:]} {MASTER}",
        f"CLIENT_RANDOM {RANDOM} {'xy' * 48}",
        f"CLIENT_TRAFFIC_SECRET_0 {RANDOM} {'00' * 31}",
        f"RSA {'00' * 7} {MASTER}",
        "\0\0\0",
        "<html>",
        "x" * (LONGEST_LINE + 1),
    ],
)
def test_a_damaged_line_is_counted_and_others_are_read(line):
    secrets = read(f"# first\n{line}\n{LINE}\n", name="keys.log")
    assert master_of(secrets) == MASTER
    assert secrets.warnings == ["keys.log: line 2 is damaged"]


def test_many_damaged_lines_are_one_warning():
    assert read("x\ny\nz", name="k").warnings == ["k: 3 lines are damaged, the first is line 1"]


def test_labels_are_kept_apart():
    secrets = read(f"CLIENT_TRAFFIC_SECRET_0 {RANDOM} {'01' * 32}\nSERVER_TRAFFIC_SECRET_0 {RANDOM} {'02' * 48}\n")
    random = bytes.fromhex(RANDOM)
    assert secrets.lookup(random, "CLIENT_TRAFFIC_SECRET_0") == b"\1" * 32
    assert secrets.lookup(random, "SERVER_TRAFFIC_SECRET_0") == b"\2" * 48
    assert secrets.lookup(random, "CLIENT_RANDOM") is None
    assert secrets.lookup(random, "NO_SUCH_LABEL") is None


def test_older_lines():
    secrets = read(f"RSA 0102030405060708 {MASTER}\nRSA Session-ID:0a0b Master-Key:{MASTER}\n")
    assert secrets.find("RSA", bytes(range(1, 9))) == (bytes.fromhex(MASTER), "keylog")
    assert secrets.find("SESSION_ID", b"\x0a\x0b") == (bytes.fromhex(MASTER), "keylog")


def test_where_a_secret_is_from():
    secrets = read(LINE, source="pcapng")
    assert secrets.find("CLIENT_RANDOM", bytes.fromhex(RANDOM)) == (bytes.fromhex(MASTER), "pcapng")
    assert secrets.sources == ["pcapng"]


def test_without_anything():
    secrets = Secrets()
    assert (secrets.has_any, secrets.sources, secrets.warnings, master_of(secrets)) == (False, [], [], None)


@given(st.lists(st.sampled_from([LINE, "x", "", "\n", "\r\n", "# c", RANDOM]), max_size=12), st.data())
def test_pieces_do_not_matter(parts, data):
    text = "".join(parts).encode()
    whole, pieces = Reader({}), Reader({})
    whole.feed(text)
    at = 0
    while at < len(text):
        size = data.draw(st.integers(1, len(text) - at))
        pieces.feed(text[at : at + size])
        at += size
    whole.finish()
    pieces.finish()
    assert (whole.found, whole.lines, whole.damaged) == (pieces.found, pieces.lines, pieces.damaged)


@given(st.binary())
def test_any_bytes_are_read(text):
    secrets = Secrets()
    assert secrets.add_keylog(text) >= 0
    with pytest.raises(InputError):
        secrets.add_rsa_key(text)


def test_a_line_without_end_is_not_kept():
    reader = Reader({})
    for _ in range(100):
        reader.feed(b"0" * 4096)
    reader.feed(f"\n{LINE}\n".encode())
    assert (len(reader.found), reader.damaged, reader.lines) == (1, 1, 2)


def test_a_growing_file_is_read_when_something_is_missing(tmp_path):
    path, secrets = tmp_path / "keys.log", Secrets()
    secrets.follow(path)
    assert secrets.has_any
    assert master_of(secrets) is None
    path.write_text(LINE[:40])
    assert master_of(secrets) is None
    with path.open("a") as file:
        file.write(LINE[40:])
        file.flush()
        assert master_of(secrets) is None  # it may go on
        file.write("\n")
    before = secrets.generation
    assert master_of(secrets) == MASTER
    assert secrets.generation > before
    path.write_text("")  # begun anew
    path.write_text(f"CLIENT_RANDOM {'11' * 32} {MASTER}\n")
    assert secrets.lookup(b"\x11" * 32, "CLIENT_RANDOM") is not None
    assert master_of(secrets) == MASTER
    assert secrets.warnings == []


def test_load_tells_key_logs_from_keys(tmp_path, rsa_key):
    (tmp_path / "log").write_text(LINE)
    (tmp_path / "key").write_bytes(pem(rsa_key))
    (tmp_path / "empty").write_text("")
    secrets = Secrets()
    assert secrets.load(tmp_path / "log") == "keylog"
    assert secrets.load(tmp_path / "key") == "rsa-key"
    assert secrets.load(tmp_path / "empty") == "keylog"
    assert secrets.sources == ["keylog", "rsa-key"]
    assert [size for size, _ in secrets.rsa_keys] == [128]
    assert master_of(secrets) == MASTER


def test_load_may_follow(tmp_path):
    path, secrets = tmp_path / "log", Secrets()
    path.write_text("# begun\n")
    assert secrets.load(path, follow=True) == "keylog"
    path.write_text(f"# begun\n{LINE}\n")
    assert master_of(secrets) == MASTER


def test_a_large_key_log_is_read_to_its_end(tmp_path):
    path, secrets = tmp_path / "log", Secrets()
    other = f"CLIENT_RANDOM {'22' * 32} {MASTER}\n"
    path.write_text(other * (2 * PIECE // len(other)) + LINE)
    secrets.load(path)
    assert master_of(secrets) == MASTER
    assert secrets.warnings == []


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (b"hello", "neither a key log"),
        (b"\x0a\x0d\x0d\x0a" + bytes(PIECE), "neither a key log"),
        (b"\x30\x82\x01\x02" + bytes(range(200)), "openssl rsa -inform DER"),
        (b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", "give the server's key file"),
        (b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n", "is the file complete?"),
        (b"-----BEGIN PRIVATE KEY-----\nAA==\n", "holds no private key"),
    ],
)
def test_what_is_refused(tmp_path, content, advice):
    path = tmp_path / "given"
    path.write_bytes(content)
    with pytest.raises(InputError, match=advice) as refusal:
        Secrets().load(path)
    assert str(path) in str(refusal.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*: No such file or directory; check"):
        Secrets().load(tmp_path / "none")
    with pytest.raises(InputError, match="Is a directory"):
        Secrets().load(tmp_path)


def test_rsa_keys_of_every_form(rsa_key):
    secrets = Secrets()
    certificate = b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"
    assert secrets.add_rsa_key(certificate + pem(rsa_key)) == 1
    assert secrets.add_rsa_key(pem(rsa_key, serialization.PrivateFormat.TraditionalOpenSSL).decode()) == 1
    assert secrets.add_rsa_key(pem(rsa_key) + pem(rsa.generate_private_key(65537, 1024))) == 2
    assert len(secrets.rsa_keys) == 4
    assert secrets.has_any
    assert not secrets.has_keylog


def test_keys_that_open_nothing_are_refused(rsa_key):
    secrets = Secrets()
    with pytest.raises(InputError, match="not RSA"):
        secrets.add_rsa_key(pem(ec.generate_private_key(ec.SECP256R1())))
    secret = serialization.BestAvailableEncryption(b"p")
    for how in (serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL):
        with pytest.raises(InputError, match="passphrase"):
            secrets.add_rsa_key(pem(rsa_key, how, secret), name="k.pem")
    assert not secrets.has_any


def test_a_key_that_is_refused_beside_one_that_is_not(rsa_key):
    secrets = Secrets()
    assert secrets.add_rsa_key(pem(ec.generate_private_key(ec.SECP256R1())) + pem(rsa_key), name="k.pem") == 1
    assert len(secrets.warnings) == 1
    assert secrets.warnings[0].startswith("k.pem holds a key that is not RSA")


def test_sessions_are_remembered_by_id_and_ticket():
    secrets = Secrets()
    secrets.remember(b"id", b"m" * 48, "keylog")
    secrets.remember(b"ticket" * 30, b"n" * 48, "rsa-key")
    assert secrets.resumed(b"id") == (b"m" * 48, "keylog")
    assert secrets.resumed(b"ticket" * 30) == (b"n" * 48, "rsa-key")
    assert secrets.resumed(b"ticket") is None
    assert secrets.resumed(b"") is None


def test_sessions_that_are_remembered_are_bounded(monkeypatch):
    monkeypatch.setattr("analyzer.dissector.tls.secrets.MOST_SESSIONS", 2)
    secrets = Secrets()
    for session in (b"a", b"b", b"a", b"c"):
        secrets.remember(session, session, "keylog")
    assert [secrets.resumed(each) is not None for each in (b"a", b"b", b"c")] == [True, False, True]


def test_importing_secrets_loads_no_cryptography():
    code = (
        "import sys; import analyzer.dissector.tls.decrypt; from analyzer.dissector.tls.secrets import Secrets; "
        f"Secrets().add_keylog({LINE!r}); sys.exit('cryptography' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
