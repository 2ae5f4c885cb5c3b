"""Protocols that begin in plaintext and go over to TLS on the same connection, told by content: SMTP and LMTP, IMAP,
POP3, FTP, NNTP, ManageSieve, IRC, XMPP, LDAP, PostgreSQL, MySQL and RDP.

Nothing of them is reported but that they were spoken and where TLS begins, or who declined it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

STEPS: Final[tuple[str, ...]] = ()  # a prelude, and no steps of any flow
ATTRIBUTES: Final[Mapping[str, str]] = {}

# Where each protocol's way to TLS is written down.
STANDARDS: Final[Mapping[str, str]] = {
    "smtp": "RFC 3207 §4.2",
    "lmtp": "RFC 3207 §4.2",
    "imap": "RFC 9051 §6.2.1",
    "pop3": "RFC 2595 §4",
    "ftp": "RFC 4217 §4",
    "nntp": "RFC 4642 §2.2",
    "sieve": "RFC 5804 §2.2",
    "irc": "https://ircv3.net/specs/deprecated/tls",
    "xmpp": "RFC 6120 §5",
    "ldap": "RFC 4511 §4.14",
    "postgresql": "PostgreSQL protocol, SSL Session Encryption",
    "mysql": "MySQL protocol, SSLRequest",
    "rdp": "MS-RDPBCGR §2.2.1.1.1",
}
