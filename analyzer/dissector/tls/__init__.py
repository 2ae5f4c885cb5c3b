"""What TLS calls its steps: the names the flow pages of `tls` may use, and what each means.

SSL 2.0 (recognised only), SSL 3.0 (RFC 6101), TLS 1.0 to 1.2 (RFC 5246) and TLS 1.3 (RFC 8446) are one protocol here.
A handshake message is a step where its last byte arrived; the first section named is TLS 1.2's, the second TLS 1.3's.

`ClientHello`
    RFC 5246 §7.4.1.2, RFC 8446 §4.1.2; also one in SSL 2.0's form (RFC 5246 §E.2). Each one: again after
    HelloRetryRequest, and where a connection is negotiated anew.
`ServerHello`
    §7.4.1.3, §4.1.3.
`HelloRetryRequest`
    A ServerHello that asks for another ClientHello, known by its random (RFC 8446 §4.1.4).
`EncryptedExtensions`
    RFC 8446 §4.3.1.
`HelloRequest`
    The server asks to negotiate anew (RFC 5246 §7.4.1.1).
`Certificate`
    §7.4.2 and §7.4.6, §4.4.2; also a compressed one (RFC 8879 §4).
`CertificateStatus`
    A stapled OCSP response (RFC 6066 §8). In TLS 1.3 it is an extension, and no step.
`ServerKeyExchange`, `ServerHelloDone`, `ClientKeyExchange`
    RFC 5246 §7.4.3, §7.4.5, §7.4.7.
`CertificateRequest`
    §7.4.4, §4.3.2.
`CertificateVerify`
    §7.4.8, §4.4.3.
`NextProtocol`
    The client's choice in NPN (draft-agl-tls-nextprotoneg), which ALPN replaced.
`ChangeCipherSpec`
    §7.1; in TLS 1.3 it means nothing and is there for middleboxes (RFC 8446 §D.4).
`NewSessionTicket`
    RFC 5077 §3.3, RFC 8446 §4.6.1.
`EndOfEarlyData`
    RFC 8446 §4.5.
`Finished`
    §7.4.9, §4.4.4. Up to TLS 1.2 it is encrypted; without keys it is the handshake record that follows its side's
    ChangeCipherSpec, and `seen` says "inferred".
`KeyUpdate`
    RFC 8446 §4.6.3.
`Alert`
    An error alert: TLS 1.3: all but close_notify and user_canceled (RFC 8446 §6); before: those of level fatal
    (RFC 5246 §7.2). Other alerts are data, not steps.
`Encrypted`
    A record that cannot be read: of type handshake or alert up to TLS 1.2 (after Finished), any record in TLS 1.3 until
    both sides must have finished their handshake. `seen` says "hidden".
`Early Data`
    The first 0-RTT application data of the client (RFC 8446 §2.3), once per handshake.
`Application Data`
    The first application data of a side after each handshake began, once per side and handshake; before the server's
    Finished it is False Start (RFC 7918).

This module holds names only, so that reading the flow pages costs nothing more; `connection.py` is the dissector.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

STEPS: Final = (
    "ClientHello", "ServerHello", "HelloRetryRequest", "EncryptedExtensions", "HelloRequest", "Certificate",
    "CertificateStatus", "ServerKeyExchange", "CertificateRequest", "ServerHelloDone", "ClientKeyExchange",
    "CertificateVerify", "NextProtocol", "ChangeCipherSpec", "NewSessionTicket", "EndOfEarlyData", "Finished",
    "KeyUpdate", "Alert", "Encrypted", "Early Data", "Application Data",
)  # fmt: skip

ATTRIBUTES: Final[Mapping[str, str]] = {
    "length": "number",  # bytes of the message with its header; of an Encrypted or data record, of its fragment
    "version": "text",  # "TLS 1.2": of a ClientHello the highest offered, of other steps the negotiated one
    "cipher_suite": "text",  # IANA's name of the negotiated one; none before ServerHello
    "key_exchange": "text",  # of that handshake: rsa, dh, ecdh, dhe, ecdhe, psk, rsa_psk, dhe_psk, ecdhe_psk, anon, …
    "session_id": "flag",  # the hello's session id is not empty
    "ticket": "flag",  # ClientHello carries a session ticket that is not empty (RFC 5077 §3.2)
    "psk": "flag",  # ClientHello offers, ServerHello selects a pre-shared key (RFC 8446 §4.2.11)
    "early_data": "flag",  # ClientHello announces, EncryptedExtensions accepts 0-RTT (RFC 8446 §4.2.10)
    "sni": "text",  # server name of the ClientHello (RFC 6066 §3)
    "alpn": "text",  # of a ClientHello its first protocol, else the one the server chose (RFC 7301 §3)
    "level": "text",  # of an Alert: warning, fatal
    "description": "text",  # of an Alert, IANA's name
}
