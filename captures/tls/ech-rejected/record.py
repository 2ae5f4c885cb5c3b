"""Records an encrypted ClientHello that the server cannot read: NSS and openssl."""

import base64
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab, command
from tls_recording import CERTIFICATE_13, FLIGHT_13, Keys, keep, s_server, slowly
from tls_servers import nss_database, tstclnt


def ech_configs(public_name, folder):
    # draft-ietf-tls-esni §4, version 0xfe0d: config 7, DHKEM(X25519), HKDF-SHA256, AES-128-GCM, long names.
    private, public = folder / "ech.key", folder / "ech.der"
    command("openssl", "genpkey", "-algorithm", "x25519", "-out", str(private))
    command("openssl", "pkey", "-in", str(private), "-pubout", "-outform", "DER", "-out", str(public))
    name = public_name.encode()
    body = struct.pack("!BHH", 7, 0x20, 32) + public.read_bytes()[-32:] + struct.pack("!HHH", 4, 1, 1)
    body += bytes([32, len(name)]) + name + b"\0\0"
    config = struct.pack("!HH", 0xFE0D, len(body)) + body
    return base64.b64encode(struct.pack("!H", len(config)) + config).decode()


with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("public.test")
    # NSS logs no secrets on Debian; the server does.
    s_server(lab.server, identity, *keys.openssl)
    with lab.client.capture() as packets:
        configs = ech_configs("public.test", keys.folder)
        tstclnt(lab.client, nss_database(lab.client, None, authority), "-o", "-N", configs)
    end = "C ChangeCipherSpec?, C Finished?, C ech_required"
    keep(packets, __file__, f"C ClientHello, {FLIGHT_13}, {CERTIFICATE_13}, {end}, …", keys=keys)
