"""What the certificates of a handshake say, and what speaks against them at the time of the capture.

    examine(chain, server_name="example.test", at_ns=…, roots=Roots())

Claim C13 of the article has two parts, and so have the results: `valid_at_capture` (in date) and `trusted` (from a
trusted issuer) do not influence each other. Nothing here is a judgement about today.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from weakref import WeakKeyDictionary

from analyzer.dissector.tls.chains import age, follow
from analyzer.dissector.tls.reading import Read, read, shown
from analyzer.dissector.tls.roots import Roots
from analyzer.model import Certificate

__all__ = ["MOST_CERTIFICATES", "Roots", "examine", "matches"]

MOST_CERTIFICATES: Final = 20  # examined of one chain
_MOST_CACHED: Final = 1024  # results per set of roots
_DAY_S: Final = 86_400
_SERVER_AUTH, _CLIENT_AUTH, _ANY_PURPOSE = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "2.5.29.37.0"


def examine(
    chain: Sequence[bytes], *, server_name: str | None, at_ns: int, roots: Roots, client: bool = False
) -> list[Certificate]:
    """The certificates of a Certificate message in DER, leaf first; any bytes will do.

    `server_name`: what the client asked for, a host name or an IP address. `at_ns`: when, in ns since 1970.
    `client`: they are the client's. Raises InputError if the roots cannot be read.
    """
    if not chain:
        return []
    parsed = [read(der) for der in chain[:MOST_CERTIFICATES]]
    at_s = at_ns // 1_000_000_000
    cache = _caches.setdefault(roots, OrderedDict())
    key = (tuple(one.sha256 for one in parsed), len(chain), server_name, client, _era(parsed, at_s, roots))
    found = cache.get(key)
    if found is None:
        found = cache[key] = _examine(parsed, len(chain), server_name, at_s, roots, client)
        if len(cache) > _MOST_CACHED:
            cache.popitem(last=False)
    else:
        cache.move_to_end(key)
    return list(found)


_Key = tuple[tuple[bytes, ...], int, "str | None", bool, tuple[int, ...]]
_caches: WeakKeyDictionary[Roots, OrderedDict[_Key, list[Certificate]]] = WeakKeyDictionary()


def _era(parsed: list[Read], at_s: int, roots: Roots) -> tuple[int, ...]:
    """Equal for two times if nothing that is said here differs between them: of each certificate and each root that
    may end the chain, whether it was in date, and if not, by how many days."""
    era = []
    for one in parsed:
        era.append(_days_outside(one.starts_s, one.ends_s, at_s))
        if one.issuer is not None:
            for root in roots.named(one.issuer):
                starts_s, ends_s = root.not_valid_before_utc.timestamp(), root.not_valid_after_utc.timestamp()
                era.append(_days_outside(int(starts_s), int(ends_s), at_s))
    return tuple(era)


def _days_outside(starts_s: int | None, ends_s: int | None, at_s: int) -> int:
    """0 within a validity, else ±1 and more for each day that has passed since its end, or must until its start."""
    if ends_s is not None and at_s > ends_s:
        return (at_s - ends_s) // _DAY_S + 1
    if starts_s is not None and at_s < starts_s:
        return -((starts_s - at_s) // _DAY_S) - 1
    return 0


def _examine(
    parsed: list[Read], sent: int, server_name: str | None, at_s: int, roots: Roots, client: bool
) -> list[Certificate]:
    path = follow(parsed, at_s, roots)
    found = []
    for number, one in enumerate(parsed):
        problems = list(one.problems)
        matching = None
        wrong_dates = age(one, at_s)
        if wrong_dates:
            problems.insert(0, wrong_dates)
        if number == 0:
            if server_name is not None and not client and one.extended:
                matching = matches(server_name, one.names or [])
                if not matching:
                    problems.append(_no_match(server_name, one))
            problems += path.problems
            problems += _end_entity(one, client, trusted_itself=bool(path.trusted) and len(path.members) == 1)
            if sent > MOST_CERTIFICATES:
                problems.append(f"too many certificates: {sent} were sent, the first {MOST_CERTIFICATES} are examined")
            problems += _order(parsed)
        else:
            problems += _issuer(one, number, parsed, path.members)
        trusted = path.trusted if number == 0 else None
        found.append(_certificate(one, wrong_dates, matching, trusted, problems))
    return found


def _certificate(
    one: Read, wrong_dates: str | None, matching: bool | None, trusted: bool | None, problems: list[str]
) -> Certificate:
    dated = one.starts_s is not None and one.ends_s is not None
    return Certificate(
        subject=shown(one.subject),
        issuer=shown(one.issuer),
        not_before=_time(one.starts_s),
        not_after=_time(one.ends_s),
        names=one.names_listed,
        sha256=one.sha256.hex(),
        valid_at_capture=wrong_dates is None if dated else None,
        name_matches=matching,
        trusted=trusted,
        problems=problems,
        serial=None if one.serial is None else f"{one.serial:x}",
        key=f"{one.key_type} {one.key_bits}" if one.key_bits else one.key_type,
        signature=one.signature,
    )


def _time(seconds: int | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# Names


def matches(server_name: str, names: Sequence[tuple[str, str]]) -> bool:
    """Whether a host name or an IP address is among a certificate's names, RFC 9525 §6."""
    wanted = server_name.removesuffix(".")
    address = _address(wanted)
    if address is not None:
        return any(kind == "ip" and _address(name) == address for kind, name in names)  # §6.5
    try:
        wanted = (wanted if wanted.isascii() else wanted.encode("idna").decode("ascii")).lower()  # §6.3: A-labels
    except UnicodeError:
        return False
    return any(kind == "dns" and _matches_name(wanted, name.lower().removesuffix(".")) for kind, name in names)


def _matches_name(wanted: str, name: str) -> bool:
    """§6.3: a wildcard is the whole leftmost label, and stands for exactly one."""
    if not name.startswith("*."):
        return bool(name) and wanted == name
    label, _, rest = wanted.partition(".")
    return bool(label) and rest == name[2:] and "*" not in rest and bool(rest)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def _no_match(server_name: str, one: Read) -> str:
    asked = server_name[:255]
    if one.names is None:
        # RFC 9525 §2, §6.2: the subject's common name does not count any more.
        common = "; the subject's CN does not count (RFC 9525 §2)" if _common_name_matches(server_name, one) else ""
        return f"name mismatch: {asked} was asked for, and there is no subjectAltName{common}"
    listed = ", ".join(one.names_listed[:5]) + (" …" if len(one.names_listed) > 5 else "")
    return f"name mismatch: {asked} was asked for, the names are {listed or 'none'}"


def _common_name_matches(server_name: str, one: Read) -> bool:
    from cryptography.x509.oid import NameOID

    if one.subject is None:
        return False
    values = [part.value for part in one.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return any(isinstance(value, str) and matches(server_name, [("dns", value)]) for value in values)


# What speaks against a certificate in its place


def _end_entity(one: Read, client: bool, trusted_itself: bool) -> list[str]:
    """RFC 5280 §4.2.1.3, §4.2.1.9, §4.2.1.12."""
    problems = []
    whose = "a client" if client else "a server"
    if one.authority and not trusted_itself:
        problems.append(f"the certificate of an authority (CA flag set), used by {whose}")
    if one.uses is False:
        problems.append("key usage allows neither signatures nor key exchange (RFC 5280 §4.2.1.3)")
    purpose = _CLIENT_AUTH if client else _SERVER_AUTH
    if one.purposes is not None and not one.purposes & {purpose, _ANY_PURPOSE}:
        problems.append(f"extended key usage does not allow it for {whose} (RFC 5280 §4.2.1.12)")
    return problems


def _issuer(one: Read, number: int, parsed: list[Read], path: list[Read]) -> list[str]:
    """What the other certificates of a chain should be: authorities, each that of another one."""
    if one.certificate is None:
        return []
    problems = []
    if any(one.sha256 == other.sha256 for other in parsed[:number]):
        problems.append("sent twice")
    elif not any(one.sha256 == other.sha256 for other in path) and not any(
        one.subject == other.issuer for other in parsed if other is not one
    ):
        problems.append("not part of the chain: it is the issuer of none of the certificates sent")
    if one.authority is False or (one.authority is None and not one.self_issued):
        problems.append("CA flag missing: it may not be an issuer (RFC 5280 §4.2.1.9)")
    if one.signs is False:
        problems.append("key usage does not allow it to sign certificates (RFC 5280 §4.2.1.3)")
    return problems


def _order(parsed: list[Read]) -> list[str]:
    """Each certificate should certify the one before it, RFC 8446 §4.4.2; until TLS 1.2 it had to, RFC 5246 §7.4.2."""
    for number, (one, following) in enumerate(itertools.pairwise(parsed), 1):
        if one.issuer is None or following.subject is None or one.issuer == following.subject:
            continue
        if any(one.issuer == other.subject for other in parsed[number + 1 :]):
            return [f"chain out of order: certificate {number + 1} is not the issuer of certificate {number}"]
    return []
