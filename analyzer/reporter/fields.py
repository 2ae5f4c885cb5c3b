"""What outputs for other tools ask of TLS and HTTP."""

from __future__ import annotations

import re

from analyzer import model

# Of `Tls.key_exchange`, what is no group: RFC 5246 §7.4.2 and its like.
_NO_GROUP = re.compile(r"(?:rsa|dhe?|ecdhe?|anon|psk|srp|krb5)(?:[_-].*)?", re.IGNORECASE)


def group_of(tls: model.Tls) -> str | None:
    """The group of the key exchange (RFC 8422 §5.1.1), where it is known and there was one."""
    return tls.key_exchange if tls.key_exchange and not _NO_GROUP.fullmatch(tls.key_exchange) else None


def is_established(tls: model.Tls) -> bool | None:
    """Whether the first handshake came to its end; None: the capture does not tell. Where the handshake was not seen,
    application data of both sides tell."""
    if not tls.handshakes:
        return None
    first = tls.handshakes[0]
    if first.flow is not None and first.outcome in ("documented", "variant"):
        return first.flow != "tls/rejected"
    if tls.application_bytes.client and tls.application_bytes.server:
        return True
    return None if first.outcome == "unseen" else False


def field_of(headers: list[tuple[str, str]] | None, name: str) -> str | None:
    """The value of the first header field of this name (in lower case)."""
    return next((value for field, value in headers or () if field.lower() == name), None)


def unicode_of(text: str) -> str:
    """A file name may not be UTF-8; JSON and Parquet are."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
