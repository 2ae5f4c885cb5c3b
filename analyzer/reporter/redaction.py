"""`--redact`: what a report says about whom, replaced in the connections before any output sees them.

The same address, name or value becomes the same replacement everywhere in a run, and in every run with the same key.
Replacements are keyed hashes (BLAKE2s, RFC 7693): without the key nobody can check a guess. Addresses keep what prefix
they have in common, as in Xu et al., "Prefix-Preserving IP Address Anonymization" (ICNP 2002), so that networks stay
networks. Numbers, times, protocol words and verdicts stay.

What is text and not listed here is replaced: a field that is new in the model cannot leak before somebody has thought
about it.
"""

from __future__ import annotations

import functools
import hashlib
import ipaddress
import os
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from analyzer import model

_T = TypeVar("_T")

_HIDDEN: Final = "…"
_HEX: Final = re.compile(r"[0-9a-fA-F]{8,}")
_QUOTED: Final = re.compile(r"`.*`", re.DOTALL)  # what a message quotes from the capture stands in backquotes
_PORT: Final = re.compile(r"(.*):([0-9]{1,5})", re.DOTALL)
_URL: Final = re.compile(r"(https?|wss?|ftp)://([^/?#]*)(.*)", re.DOTALL | re.IGNORECASE)
_ATTRIBUTE: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]*|[0-9.]+)=(.*)", re.DOTALL)
_NEXT: Final = re.compile(r"(?<!\\)([,+])")  # between the attributes of a name, RFC 4514 §2
_HOST: Final = re.compile(r"[A-Za-z0-9_*-]+(\.[A-Za-z0-9_*-]+)+\.?")
_PROBLEM: Final = re.compile(
    r"(?:its issuer|more certificates below) .* "
    r"((?:is no certificate|may not sign|is expired|is not yet|expired by|not yet valid|than its path).*)",
    re.DOTALL,
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# RFC 9110 §9, RFC 5789, RFC 9113 §3.4 and WebDAV; any other method may say something.
_METHODS: Final = _words(
    "GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH PRI PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK REPORT "
    "SEARCH"
)
_PROTOCOLS: Final = _words(
    "http/0.9 http/1.0 http/1.1 h2 h2c h3 spdy/1 spdy/2 spdy/3 spdy/3.1 stun.turn stun.nat-discovery webrtc c-webrtc "
    "ftp imap pop3 managesieve coap xmpp-client xmpp-server acme-tls/1 mqtt dot ntske/1 sunrpc smb irc nntp nnsp doq "
    "sip/2 tds/8.0 dicom postgresql websocket connect-udp connect-ip tls/1.0 tls/1.2"
)
# Fields of which the value is a number, or a word that everybody uses, and a few whose names alone say nothing.
_PLAIN_FIELDS: Final = frozenset((":status", "content-length", "age", "grpc-status"))
_WORD_FIELDS: Final = frozenset((":method", ":scheme", "connection", "content-encoding", "transfer-encoding", "te"))
_WORDS: Final = _words(
    "get head post put delete connect options http https close keep-alive upgrade gzip deflate br zstd identity "
    "chunked trailers te"
)
_COMMON_FIELDS: Final = _words(
    ":authority :method :path :protocol :scheme :status accept accept-charset accept-encoding accept-language "
    "accept-ranges access-control-allow-origin age allow alt-svc authorization cache-control connection "
    "content-disposition content-encoding content-language content-length content-location content-range "
    "content-security-policy content-type cookie date etag expect expires forwarded from grpc-message grpc-status host "
    "if-match if-modified-since if-none-match if-range if-unmodified-since keep-alive last-modified link location "
    "max-forwards origin pragma priority proxy-authenticate proxy-authorization proxy-connection range referer refresh "
    "retry-after sec-websocket-accept sec-websocket-extensions sec-websocket-key sec-websocket-protocol "
    "sec-websocket-version server set-cookie strict-transport-security te trailer transfer-encoding upgrade "
    "upgrade-insecure-requests user-agent vary via warning www-authenticate x-forwarded-for x-frame-options"
)

# Text that the program wrote itself, or took out of a registry.
KEPT: Final = _words(
    """Connection.transport Connection.oriented_by Connection.start Encapsulation.type
    Verdict.flow Verdict.outcome Verdict.cause Verdict.begun_by Verdict.drawn_in_article Verdict.standard
    Verdict.branches Verdict.differs Step.side Step.step Step.seen Divergence.side Divergence.saw Divergence.expected
    Divergence.nearest Divergence.edits CloseVerdict.flow CloseVerdict.outcome CloseVerdict.cause CloseVerdict.begun_by
    CloseVerdict.drawn_in_article CloseVerdict.standard CloseVerdict.branches CloseVerdict.differs
    CloseVerdict.closed_by Tls.version Tls.cipher_suite Tls.key_exchange Tls.strength Tls.strength_reason Tls.ja3
    Tls.ja3s Tls.ja4 Certificate.not_before Certificate.not_after Certificate.key Certificate.signature Alert.side
    Alert.level Alert.description Http.version Reset.side Reset.error Frames.client Frames.server Settings.client
    Settings.server Goaway.side Goaway.error Http.frames Stall.waiting IcmpError.meaning Fault.layer"""
)


class Redactor:
    """Replaces what tells who talked to whom, and what was said. `key`: the same one gives the same replacements;
    None: one that nobody knows."""

    def __init__(self, key: str | None = None):
        self._key = os.urandom(32) if key is None else hashlib.blake2s(key.encode("utf-8", "surrogateescape")).digest()
        self.address = functools.lru_cache(65_536)(self._address)
        self.host = functools.lru_cache(65_536)(self._host)

    def connection(self, connection: model.Connection) -> model.Connection:
        """The connection with everything replaced."""
        return self._struct(connection)

    # What there is to replace.

    def _address(self, text: str) -> str:
        """An address for an address of the same version, with as long a prefix in common with others."""
        try:
            given = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return self.token(text, "a")
        bits, number = given.max_prefixlen, int(given)
        mask = 0
        for place in range(bits):
            prefix = number >> (bits - place) if place else 0
            mask = mask << 1 | self._digest(b"bit", f"{bits}/{place}/{prefix:x}".encode(), 1)[0] & 1
        return str(type(given)(number ^ mask))

    def _host(self, text: str) -> str:
        """A host name, label by label, or an address; a port stays."""
        if (match := _PORT.fullmatch(text)) and (":" not in match[1] or match[1].startswith("[")):
            return f"{self.host(match[1])}:{match[2]}"
        inner = text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text
        try:
            ipaddress.ip_address(inner)
        except ValueError:
            return ".".join(
                label if label in ("", "*") else self.token(label.lower(), "n") for label in text.split(".")
            )
        found = self.address(inner)
        return f"[{found}]" if inner is not text else found

    def target(self, text: str) -> str:
        """A request's target (RFC 9112 §3.2): how many segments it has, and that there is a query, stays."""
        if text in ("*", "/", ""):
            return text
        if match := _URL.fullmatch(text):
            return f"{match[1].lower()}://{self.authority(match[2])}{self.target(match[3])}"
        if text[0] not in "/?#":
            return self.authority(text)
        path, mark, query = text.partition("?")
        segments = "/".join(self.token(segment, "p") if segment else "" for segment in path.split("/"))
        return segments + (mark + self.token(query, "q") if query else mark)

    def authority(self, text: str) -> str:
        """`user@host:port`."""
        user, at, host = text.rpartition("@")
        return (self.token(user, "u") if user else "") + at + self.host(host)

    def name(self, text: str) -> str:
        """A name of X.509, as in RFC 4514: the types of its attributes stay."""
        parts = _NEXT.split(text)
        return "".join(part if part in (",", "+") else self._attribute(part) for part in parts)

    def _attribute(self, text: str) -> str:
        match = _ATTRIBUTE.fullmatch(text)
        if match is None:
            return self.token(text, "v") if text else ""
        value = match[2]
        return f"{match[1]}={self.host(value) if _HOST.fullmatch(value) else self.token(value, 'v')}"

    def subject_alternative(self, text: str) -> str:
        return self.host(text)

    def header(self, field: tuple[str, str]) -> tuple[str, str]:
        """A header field: names that are in common use stay, as do sizes and codings."""
        name, value = field
        lower = name.lower()
        shown = name if lower in _COMMON_FIELDS else self.token(lower, "x-")
        if lower in _PLAIN_FIELDS and value.isascii() and value.isdigit():
            return shown, value
        if lower in _WORD_FIELDS and all(word.strip().lower() in _WORDS for word in value.split(",")):
            return shown, value
        if lower in ("host", ":authority"):
            return shown, self.authority(value)
        if lower in (":path", "location", "referer", "origin", "content-location"):
            return shown, self.target(value)
        return shown, self.token(value, "v") if value else ""

    def method(self, text: str) -> str:
        return text if text in _METHODS else self.token(text, "M")

    def protocol(self, text: str) -> str:
        return text if text.lower() in _PROTOCOLS else self.token(text, "t")

    def after(self, text: str) -> str:
        """What led into a tunnel: `CONNECT host:443`, `SOCKS5 host:80`, `STARTTLS smtp`, `Upgrade h2c`."""
        word, _, rest = text.partition(" ")
        match word:
            case "STARTTLS":
                return text  # one of those that are known here
            case "Upgrade":
                return f"{word} {self.protocol(rest)}"
            case "CONNECT" | "SOCKS4" | "SOCKS4a" | "SOCKS5":
                return " ".join([word, *(part if part == "BIND" else self._place(part) for part in rest.split(" "))])
            case "a":
                return text  # "a protocol that is not known here"
        return self.token(text, "t")

    def _place(self, text: str) -> str:
        if text.lower() in _PROTOCOLS or not text:
            return text
        return self.target(text) if text[:1] == "/" else self.authority(text)

    def message(self, text: str) -> str:
        """A message of the program, without what it quotes."""
        return _HEX.sub(_HIDDEN, _QUOTED.sub(f"`{_HIDDEN}`", text))

    def problem(self, text: str) -> str:
        """What is wrong with a certificate, without the names that are not as they should be."""
        if match := _PROBLEM.fullmatch(text):
            return f"an issuer {match[1]}" if not match[1].startswith("than") else "more certificates " + match[1]
        if text.startswith("the path to "):
            return "the path to the root is refused"
        return self.message(text.partition(":")[0])

    def service(self, text: str) -> str:
        """The value of Alt-Svc (RFC 7838 §3): which protocols, not where."""
        known = [word for word in re.findall(r"([A-Za-z0-9.-]+)=", text) if word.lower() in _PROTOCOLS]
        return "; ".join([*dict.fromkeys(known), self.token(text, "v")])

    def capture(self, text: str) -> str:
        """The name of a file may tell, too."""
        return self.token(text, "file-")

    def hexadecimal(self, text: str) -> str:
        """Digits for as many digits."""
        digits = hashlib.shake_128(self._digest(b"hex", text.encode(), 32)).hexdigest((len(text) + 1) // 2)
        return digits[: len(text)]

    def token(self, text: str, letter: str) -> str:
        """What nothing of the original is left of but that it is the same."""
        return letter + self._digest(b"text", text.encode("utf-8", "surrogateescape"), 5).hex()

    def _digest(self, purpose: bytes, data: bytes, size: int) -> bytes:
        return hashlib.blake2s(data, digest_size=size, key=self._key, person=purpose).digest()

    # The walk over a connection.

    def _struct(self, one: _T) -> _T:
        kind = type(one)
        changes = {}
        for field in kind.__struct_fields__:  # type: ignore[attr-defined]
            value = getattr(one, field)
            if value is None or value.__class__ in (int, bool):
                continue
            new = self._value(value, f"{kind.__name__}.{field}")
            if new is not value:
                changes[field] = new
        return msgspec.structs.replace(one, **changes) if changes else one  # type: ignore[type-var]

    def _value(self, value: Any, name: str) -> Any:
        if isinstance(value, msgspec.Struct):
            return self._struct(value)
        if isinstance(value, str):
            if name in KEPT:
                return value
            rule = RULES.get(name)
            return self.token(value, "v") if rule is None else rule(self, value)
        if isinstance(value, list):
            return [self._value(one, name) for one in value]
        if isinstance(value, tuple):  # a header field
            return self.header((str(value[0]), str(value[1])))
        if isinstance(value, dict) and name not in KEPT:
            return {self.token(str(key), "v"): one for key, one in value.items()}
        return value


# Text from the capture: how each is replaced.
RULES: Final[dict[str, Callable[[Redactor, str], str]]] = {
    "Connection.capture": Redactor.capture,
    "Endpoint.address": lambda redactor, text: redactor.address(text),
    "Encapsulation.source": lambda redactor, text: redactor.address(text),
    "Encapsulation.destination": lambda redactor, text: redactor.address(text),
    "Tls.server_name": lambda redactor, text: redactor.host(text),
    "Tls.alpn": Redactor.protocol,
    "Tls.alpn_offered": Redactor.protocol,
    "Tls.decryption": Redactor.message,
    "Certificate.subject": Redactor.name,
    "Certificate.issuer": Redactor.name,
    "Certificate.names": Redactor.subject_alternative,
    "Certificate.sha256": Redactor.hexadecimal,
    "Certificate.serial": Redactor.hexadecimal,
    "Certificate.problems": Redactor.problem,
    "Request.method": Redactor.method,
    "Request.target": Redactor.target,
    "Request.authority": Redactor.authority,
    "Exchange.protocol": Redactor.protocol,
    "Tunnel.after": Redactor.after,
    "AlternativeService.origin": Redactor.target,
    "AlternativeService.value": Redactor.service,
    "Origins.origins": Redactor.target,
    "Fault.message": Redactor.message,
}
