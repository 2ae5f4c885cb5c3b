"""Records a key that both know beforehand and no Diffie-Hellman, TLS 1.3: GnuTLS on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import PAGE_READ, Keys, keep, slowly
from tls_servers import gnutls_cli, gnutls_serv

PRIORITY = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+PSK:-GROUP-ALL"

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    passwords = keys.folder / "passwords"
    passwords.write_text("client:00112233445566778899aabbccddeeff\n")
    gnutls_serv(lab.server, None, "--pskpasswd", str(passwords), "--priority", PRIORITY)
    with lab.client.capture() as packets:
        psk = ("--pskusername", "client", "--pskkey", "00112233445566778899aabbccddeeff", "--priority", PRIORITY)
        gnutls_cli(lab.client, keys, None, *psk)
    # GnuTLS sends ChangeCipherSpec and its tickets when it may, and not when it has to.
    wanted = f"C ClientHello, S ServerHello, …, S EncryptedExtensions, S Finished, …, C Finished, …, {PAGE_READ}"
    keep(packets, __file__, wanted, keys=keys)
