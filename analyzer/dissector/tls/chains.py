"""From a certificate to a trusted root: which path there is, and what stands against it.

The path is searched here, so that the report can say where it ends; whether RFC 5280 §6 allows it is cryptography's
judgement. That library refuses SHA-1 and keys outside of the web's rules without a further look, so such a path is
judged by what stands here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from analyzer.dissector.tls.reading import Read, read, shown
from analyzer.dissector.tls.roots import Roots

if TYPE_CHECKING:
    from cryptography import x509

MOST_CHECKS: Final = 60  # signatures verified per chain: more certificates of one name than that are an attack
MOST_KEY_BITS: Final = 8192  # RSA; checking a signature takes time with the square of it
_DEEPEST: Final = 8  # certificates between the leaf and the root, as cryptography has it

# What cryptography verifies a path with.
_SOUND_HASHES: Final = ("sha256", "sha384", "sha512")
_SOUND_CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")
_DAY_S: Final = 86_400


class Path(msgspec.Struct, gc=False):
    """Where a leaf's issuers lead. `trusted`: to a root, with nothing against it; None: a raw public key has no issuer.
    Problems in words."""

    trusted: bool | None
    problems: list[str]
    members: list[Read]  # the leaf, its issuers, and the root if one was reached


class _Budget:
    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MOST_CHECKS


def follow(chain: Sequence[Read], at_s: int, roots: Roots) -> Path:
    """The way from `chain`'s first certificate to a root, at a time in seconds since 1970."""
    leaf = chain[0]
    if leaf.certificate is None:
        return Path(None if leaf.key is not None else False, [], [leaf])
    if roots.trusts(leaf.sha256):
        return Path(True, [], [leaf])
    budget = _Budget()
    refused: Path | None = None
    longest = [leaf]
    for members, reached in _ways(chain, at_s, roots, budget):
        if reached:
            against = _against(members, at_s)
            if not against:
                return Path(True, [], members)
            refused = refused or Path(False, against, members)
        elif len(members) > len(longest):
            longest = members
    return refused or Path(False, [_why_not(longest[-1], leaf, roots, budget)], longest)


def _ways(chain: Sequence[Read], at_s: int, roots: Roots, budget: _Budget) -> Iterator[tuple[list[Read], bool]]:
    """Every way from the leaf, and whether it ends in a root. Breadth first, each certificate once, the sounder
    candidates first."""
    from cryptography.hazmat.primitives.serialization import Encoding

    ways = [[chain[0]]]
    met = {chain[0].sha256}
    for way in ways:
        last = way[-1]
        yield way, roots.trusts(last.sha256)
        if last.issuer is None or len(way) > _DEEPEST:
            continue
        for certificate in roots.named(last.issuer):
            root = read(certificate.public_bytes(Encoding.DER))
            if root.sha256 != last.sha256 and signed(last, root, budget):
                yield [*way, root], True
        candidates = [one for one in chain if one.sha256 not in met and one.subject == last.issuer]
        for candidate in sorted(candidates, key=lambda one: _flaws(one, at_s)):
            if candidate.sha256 not in met and signed(last, candidate, budget):
                met.add(candidate.sha256)
                ways.append([*way, candidate])


def _flaws(one: Read, at_s: int) -> int:
    return (age(one, at_s) is not None) + (one.authority is not True) + (one.signs is False)


def signed(one: Read, issuer: Read, budget: _Budget) -> bool:
    """Whether the issuer's key made this signature. MD5 and DSA prove nothing, and are not asked."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    if one.certificate is None or issuer.certificate is None or one.signature_hash == "md5":
        return False
    if issuer.key is None or issuer.key_type == "DSA" or (issuer.key_bits or 0) > MOST_KEY_BITS or budget.left <= 0:
        return False
    budget.left -= 1
    try:
        algorithm = one.certificate.signature_hash_algorithm
        if algorithm is not None and algorithm.name == "sha1" and isinstance(issuer.key, rsa.RSAPublicKey):
            tbs = one.certificate.tbs_certificate_bytes
            issuer.key.verify(one.certificate.signature, tbs, padding.PKCS1v15(), algorithm)
        else:
            one.certificate.verify_directly_issued_by(issuer.certificate)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def age(one: Read, at_s: int) -> str | None:
    """What is wrong with its dates at that time. Both ends are part of the validity, RFC 5280 §4.1.2.5."""
    if one.ends_s is not None and at_s > one.ends_s:
        return f"expired by {_days(at_s - one.ends_s)} at the time of the capture"
    if one.starts_s is not None and at_s < one.starts_s:
        return f"not yet valid at the time of the capture, begins {_days(one.starts_s - at_s)} later"
    return None


def _days(seconds: int) -> str:
    days = seconds // _DAY_S
    return f"{days} day{'s' if days > 1 else ''}" if days else "less than a day"


def _against(members: list[Read], at_s: int) -> list[str]:
    """What keeps a path to a root from being one that counts. RFC 5280 §6.1; the leaf's dates are told elsewhere."""
    problems = []
    between = 0  # issuers of the path below this one, without the self-issued
    for depth, one in enumerate(members[1:], 1):
        name, is_root = shown(one.subject), depth == len(members) - 1
        if wrong := age(one, at_s):
            problems.append(f"its issuer {name} is {wrong}")
        if one.authority is False or (one.authority is None and not (is_root and one.version_1)):
            problems.append(f"its issuer {name} is no certificate authority (RFC 5280 §6.1.4 (k))")
        if one.signs is False:
            problems.append(f"its issuer {name} may not sign certificates (key usage, RFC 5280 §6.1.4 (n))")
        if one.path_length is not None and between > one.path_length:
            problems.append(f"more certificates below {name} than its path length allows (RFC 5280 §6.1.4 (l))")
        between += not one.self_issued
    if problems or any(one.unknown_critical for one in members):
        # RFC 5280 §4.2: what is critical and not known must be refused; each certificate's own problems tell of it.
        return problems or ["the path to the root has a critical extension that is not known (RFC 5280 §4.2)"]
    if _within_the_rules(members):
        refusal = _refusal(members, at_s)
        return [refusal] if refusal else []
    if any(one.constrained for one in members[1:]):
        return ["an issuer allows only certain names, and whether this is one cannot be checked with such signatures"]
    return []


def _within_the_rules(members: list[Read]) -> bool:
    """Whether cryptography looks at such a path, or refuses its keys or signatures at once."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    for one, issuer in itertools.pairwise(members):
        key = issuer.key
        if isinstance(key, ec.EllipticCurvePublicKey):
            sound = key.curve.name in _SOUND_CURVES
        else:
            sound = isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048
        if not sound or one.signature_hash not in _SOUND_HASHES:
            return False
    root = members[-1]
    return not root.version_1 and root.authority is True


def _refusal(members: list[Read], at_s: int) -> str | None:
    """What cryptography says against this path, at a time when all its certificates were valid if there is one."""
    from cryptography.x509 import BasicConstraints, ExtensionNotFound
    from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

    certificates: list[x509.Certificate] = [one.certificate for one in members if one.certificate is not None]
    starts = max((one.starts_s or 0 for one in members), default=0)
    ends = min((one.ends_s for one in members if one.ends_s is not None), default=at_s)
    if starts > ends:
        return None  # all were valid at the time of the capture but the leaf, which never was together with them
    when = datetime.fromtimestamp(min(max(at_s, starts), ends), UTC).replace(tzinfo=None)
    # Key usages and names are judged in words of their own, so the policy asks for what makes an authority only.
    ca_policy = ExtensionPolicy.permit_all().require_present(BasicConstraints, Criticality.AGNOSTIC, None)
    builder = (
        PolicyBuilder()
        .store(Store(certificates[-1:]))
        .time(when)
        .extension_policies(ca_policy=ca_policy, ee_policy=ExtensionPolicy.permit_all())
    )
    try:
        builder.build_client_verifier().verify(certificates[0], certificates[1:-1])
    except (VerificationError, ExtensionNotFound, ValueError, TypeError) as error:
        words = str(error).removeprefix("validation failed: ").removeprefix("candidates exhausted: ")
        return f"the path to {shown(members[-1].subject)} is refused: {words.partition(' (encountered')[0]}"
    return None


def _why_not(last: Read, leaf: Read, roots: Roots, budget: _Budget) -> str:
    """Why no root was reached: what the last certificate of the way lacks."""
    if budget.left <= 0:
        return f"unknown authority: more than {MOST_CHECKS} signatures to check"
    # A root's own signature is often of a kind that is not asked any more.
    if last.self_issued and (last.signature_hash == "md5" or signed(last, last, _Budget())):
        if last is leaf:
            return "self-signed, and not trusted itself"
        return f"unknown authority: the chain ends at {shown(last.subject)}, which is no root of {roots.name}"
    if last.issuer is None:
        return "unknown authority: its issuer cannot be read"
    of = "" if last is leaf else f"of {shown(last.subject)} "
    if roots.named(last.issuer):
        return f"unknown authority: the signature {of}was not made by the root {shown(last.issuer)} of {roots.name}"
    return (
        f"missing intermediate or unknown authority: the issuer {of}is {shown(last.issuer)}, which was not sent and is "
        f"no root of {roots.name}"
    )
