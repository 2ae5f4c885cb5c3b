"""Programs of the TLS cases besides openssl, curl and nginx: GnuTLS, NSS, Python's ssl, and servers with STARTTLS.

All are Debian's packages, started with a configuration of their own below /tmp; none is installed as a service.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE, STDOUT

from certificates import Authority, Identity
from recording import SERVER, Host, Lab, command, settle
from servers import chromium
from tls_recording import GET, NAME, PAGE, Keys


def gnutls_serv(host: Host, identity: Identity | None, *options: str, port: int = 443) -> None:
    """Start `gnutls-serv`, which answers a GET with a page about the connection."""
    words = ["gnutls-serv", "--http", "--port", str(port), *options]
    if identity:
        words += ["--x509certfile", str(identity.chain), "--x509keyfile", str(identity.key)]
    host.start(*words)
    host.wait_for_listener(port)


def gnutls_cli(host: Host, keys: Keys, authority: Authority | None, *options: str, say: bytes = GET) -> str:
    """Run `gnutls-cli`, type `say` into it; it ends when the server closes. Returns what it printed."""
    words = ["gnutls-cli", SERVER, "--port", "443", "--sni-hostname", NAME, "--verify-hostname", NAME, *options]
    words += ["--x509cafile", str(authority.path)] if authority else []
    process = host.start(*words, stdin=PIPE, stdout=PIPE, stderr=STDOUT, env=keys.environment)
    settle(0.7)
    process.stdin.write(say)
    process.stdin.flush()
    settle(0.7)
    output, _ = process.communicate(timeout=20)
    settle()
    return output.decode(errors="replace")


def first_flight(identity: Identity, sock: socket.socket) -> bytes:
    """What Python's ssl answers to the ClientHello that comes from this socket, not sent yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.chain, identity.key)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(sock.recv(65536))
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("the handshake is complete")


def python_https(
    lab: Lab,
    identity: Identity,
    authority: Authority,
    keys: Keys,
    close: Callable[[ssl.SSLSocket], None],
    *,
    to_end: bool,
) -> None:
    """One GET and its answer, Python's ssl on both sides; each then closes in this way, the server first.

    The client reads to the end of what the server sends, or else only what it expects.
    """
    inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    inside.load_cert_chain(identity.chain, identity.key)
    outside = ssl.create_default_context(cafile=authority.path)
    outside.keylog_filename = str(keys.path)
    listener = lab.server.listen(443)

    def serve() -> None:
        sock, _ = listener.accept()
        server = inside.wrap_socket(sock, server_side=True)
        server.recv(65536)
        server.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + PAGE)
        settle()
        close(server)

    thread = threading.Thread(target=serve)
    thread.start()
    sock = lab.client.new_socket()
    sock.connect((SERVER, 443))
    client = outside.wrap_socket(sock, server_hostname=NAME)
    client.sendall(GET)
    client.recv(65536)
    settle(0.6)
    if to_end:
        assert client.recv(65536) == b""
    close(client)
    thread.join()
    settle()


def browser(host: Host, identity: Identity, keys: Keys, path: str = "/") -> str:
    """Load https://example.test/ in Chromium, which takes the server's key for granted; returns the document."""
    public = command("openssl", "x509", "-in", str(identity.cert), "-pubkey", "-noout").stdout
    der = base64.b64decode("".join(public.splitlines()[1:-1]))
    pin = base64.b64encode(hashlib.sha256(der).digest()).decode()
    trust = (f"--host-resolver-rules=MAP {NAME} {SERVER}", f"--ignore-certificate-errors-spki-list={pin}")
    return chromium(host, f"https://{NAME}{path}", *trust, env=keys.environment)


def nss_database(host: Host, identity: Identity | None, authority: Authority) -> str:
    """A database for NSS's tools with this authority and, under the nickname `server`, this identity."""
    folder = str(host.folder("nss-"))
    command("certutil", "-N", "-d", folder, "--empty-password")
    command("certutil", "-A", "-d", folder, "-n", "root", "-t", "CT,C,C", "-i", str(authority.path))
    if identity:
        both = f"{folder}/server.p12"
        words = ("-in", str(identity.cert), "-inkey", str(identity.key), "-name", "server", "-passout", "pass:")
        command("openssl", "pkcs12", "-export", *words, "-out", both)
        command("pk12util", "-i", both, "-d", folder, "-W", "")
    return folder


def selfserv(host: Host, database: str, *options: str, port: int = 443) -> None:
    """Start NSS's test server, which answers a GET with a page that repeats it."""
    host.start("selfserv", "-d", database, "-n", "server", "-p", str(port), *options)
    host.wait_for_listener(port)


def tstclnt(host: Host, database: str, *options: str, say: bytes = GET) -> None:
    """Run NSS's test client, which sends `say` at once. It does not end when the server closes, so it is stopped."""
    words = ["tstclnt", "-h", SERVER, "-p", "443", "-a", NAME, "-d", database, "-f", "-4", *options]
    process = host.start(*words, stdin=PIPE)
    process.stdin.write(say)
    process.stdin.close()
    settle(1)
    process.terminate()
    process.wait(10)
    settle()


def _private(identity: Identity, folder: Path) -> tuple[Path, Path]:
    """Copies of chain and key that only root reads: some servers insist on it."""
    pair = folder / "chain.pem", folder / "key.pem"
    for source, target in zip((identity.chain, identity.key), pair, strict=True):
        shutil.copyfile(source, target)
        target.chmod(0o600)
    return pair


def exim(host: Host, identity: Identity) -> None:
    """Start a mail server with STARTTLS on port 25; it takes no mail."""
    folder = host.folder("exim-")
    pair = _private(identity, folder)
    for path in (folder, *pair):
        shutil.chown(path, "Debian-exim", "Debian-exim")
    (folder / "exim.conf").write_text(
        f"primary_hostname = {NAME}\nlocal_interfaces = {host.address}\ndaemon_smtp_ports = 25\n"
        f"spool_directory = {folder}\nlog_file_path = {folder}/%slog\nsmtp_banner = {NAME} ESMTP\n"
        f"tls_advertise_hosts = *\ntls_certificate = {pair[0]}\ntls_privatekey = {pair[1]}\nhost_lookup =\n"
    )
    host.start("exim4", "-bdf", "-C", str(folder / "exim.conf"))
    host.wait_for_listener(25)


def dovecot(host: Host, identity: Identity, protocol: str, port: int) -> None:
    """Start dovecot with STARTTLS for `imap` or `pop3`."""
    folder = host.folder("dovecot-")
    listener = f"inet_listener {protocol} {{\n address = {host.address}\n port = {port}\n }}"
    (folder / "dovecot.conf").write_text(
        f"base_dir = {folder}/run\nstate_dir = {folder}/state\nlog_path = {folder}/log\nprotocols = {protocol}\n"
        f"ssl = yes\nssl_cert = <{identity.chain}\nssl_key = <{identity.key}\nlogin_greeting = ready\n"
        "passdb {\n driver = static\n args = password=none\n}\n"
        f"service {protocol}-login {{\n {listener}\n inet_listener {protocol}s {{\n port = 0\n }}\n}}\n"
    )
    host.start("dovecot", "-F", "-c", str(folder / "dovecot.conf"))
    host.wait_for_listener(port)


def vsftpd(host: Host, identity: Identity) -> None:
    """Start an FTP server with AUTH TLS on port 21."""
    folder = host.folder("vsftpd-")
    (folder / "empty").mkdir()
    (folder / "vsftpd.conf").write_text(
        f"listen=YES\nlisten_address={host.address}\nanonymous_enable=YES\nsecure_chroot_dir={folder}/empty\n"
        f"background=NO\nssl_enable=YES\nallow_anon_ssl=YES\nftpd_banner=ready\n"
        f"rsa_cert_file={identity.chain}\nrsa_private_key_file={identity.key}\nssl_tlsv1=YES\nssl_ciphers=HIGH\n"
    )
    host.start("vsftpd", str(folder / "vsftpd.conf"))
    host.wait_for_listener(21)


def slapd(host: Host, identity: Identity, authority: Authority) -> None:
    """Start an LDAP server with STARTTLS on port 389."""
    folder = host.folder("slapd-")
    (folder / "slapd.conf").write_text(
        f"include /etc/ldap/schema/core.schema\npidfile {folder}/pid\nmodulepath /usr/lib/ldap\nmoduleload back_null\n"
        f"TLSCACertificateFile {authority.path}\nTLSCertificateFile {identity.chain}\n"
        f"TLSCertificateKeyFile {identity.key}\ndatabase null\nsuffix dc=test\n"
    )
    host.start("slapd", "-d", "0", "-f", str(folder / "slapd.conf"), "-h", f"ldap://{host.address}:389/")
    host.wait_for_listener(389)


def postgresql(host: Host, identity: Identity) -> None:
    """Start a PostgreSQL server that speaks TLS on port 5432."""
    (programs,) = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
    folder = host.folder("postgresql-")
    pair = _private(identity, folder)
    for path in (folder, *pair):
        shutil.chown(path, "postgres", "postgres")
    data = str(folder / "data")
    as_user = ("runuser", "-u", "postgres", "--")
    command(*as_user, str(programs / "initdb"), "-A", "trust", "-N", "-D", data, cwd=folder)
    settings = {"listen_addresses": host.address, "unix_socket_directories": str(folder), "ssl": "on"}
    settings |= {"ssl_cert_file": str(pair[0]), "ssl_key_file": str(pair[1])}
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    host.start(*as_user, str(programs / "postgres"), "-D", data, *words, cwd=folder)
    host.wait_for_listener(5432)


def mariadb(host: Host, identity: Identity) -> None:
    """Start a MariaDB server that speaks TLS on port 3306."""
    folder = host.folder("mariadb-")
    words = [f"--datadir={folder}/data", "--user=mysql"]
    shutil.chown(folder, "mysql", "mysql")
    command("mariadb-install-db", "--no-defaults", *words)
    tls = [f"--ssl-cert={identity.chain}", f"--ssl-key={identity.key}"]
    where = [f"--bind-address={host.address}", f"--socket={folder}/socket", f"--pid-file={folder}/pid"]
    host.start("mariadbd", "--no-defaults", *words, *where, *tls, "--skip-grant-tables", "--skip-name-resolve")
    host.wait_for_listener(3306)


def microsocks(host: Host, port: int = 1080) -> None:
    """Start a SOCKS 5 proxy."""
    host.start("microsocks", "-i", host.address, "-p", str(port))
    host.wait_for_listener(port)
