"""How TLS is written for people: on one line, and what of it must not be overlooked."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from analyzer import model
from analyzer.reporter import words
from analyzer.reporter.escape import escape

Part = tuple[str, str | None]  # text and its colour

_GAP = "  "
_HANDSHAKES = 3  # shown on a line
_LEAST_NAME = 12  # cells of a server name, before it goes
_NAME = 32  # cells it is given before other things are shown
_PROBLEMS = 6  # named of a connection
_LONGEST_PROBLEM = 1000  # characters
_GIST = 80  # cells of one, where it is told in few words
_DETAILS = re.compile(r": |; | at the time of the capture|, which | \((?:RFC|key usage)")

# Of what `Tls.decryption` says of decrypted connections.
SOURCES = {"keylog": "a key log", "rsa-key": "the server's RSA key", "pcapng": "secrets in the capture"}


def line(tls: model.Tls, width: int, after: str | None = None) -> list[Part]:
    """`TLS 1.3`, `~ 1.3-full`, `example.test`, `h2`, … in at most `width` cells with two between them. What matters
    least goes first; then the server name is shortened. `after`: what the TLS began with, if it is a tunnel's."""
    cells = _handshake_cells(tls)
    # (rank, text, colour): rank 0 stays, the highest goes first.
    parts: list[tuple[int, str, str | None]] = [(0, escape(tls.version or "TLS"), None)]
    parts += [(4 if index else 0, *cell) for index, cell in enumerate(cells)]
    if tls.server_name:
        parts.append((1, escape(tls.server_name[: 4 * width]), None))
    if after is not None:
        parts.append((3, words.shorten(f"after {escape(after[:width])}", _NAME), None))
    for rank, text in ((2, tls.alpn), (5, tls.cipher_suite), (6, tls.key_exchange)):
        if text:
            parts.append((rank, words.shorten(escape(text[:width]), 2 * _NAME), None))

    def taken(name: int) -> int:
        """Cells in all, where at most so many are for the server name."""
        lengths = (min(words.cells(text), name) if rank == 1 else words.cells(text) for rank, text, _ in parts)
        return sum(lengths) + len(_GAP) * (len(parts) - 1)

    while (last := max(rank for rank, _, _ in parts)) and taken(_NAME if last > 1 else _LEAST_NAME) > width:
        del parts[max(index for index, part in enumerate(parts) if part[0] == last)]
    room = width - taken(0)  # for the server name
    shown = [(words.shorten(text, room) if rank == 1 else text, colour) for rank, text, colour in parts]
    if taken(room) > width:  # the verdict is too long
        text, colour = shown[-1]
        shown[-1] = (words.shorten(text, max(1, width - words.cells(shown[0][0]) - len(_GAP))), colour)
    return [part for index, each in enumerate(shown) for part in (((_GAP, None), each) if index else (each,))]


def _handshake_cells(tls: model.Tls) -> list[Part]:
    """`~ 1.2-ecdhe`, `~ 1.2-renegotiation ×2`: each verdict once."""
    counts: dict[Part, int] = {}
    for handshake in tls.handshakes:
        outcome = words.outcome(handshake)
        cell = f"{words.MARKS[outcome]} {handshake_word(tls, handshake)}", words.COLOURS[outcome]
        counts[cell] = counts.get(cell, 0) + 1
    shown: list[Part] = [
        (text + (f" ×{number}" if number > 1 else ""), colour)
        for (text, colour), number in itertools.islice(counts.items(), _HANDSHAKES)
    ]
    return [*shown, ("…", None)] if len(counts) > _HANDSHAKES else shown


def handshake_word(tls: model.Tls, verdict: model.Verdict) -> str:
    """The flow, or why there is none; of a rejected handshake who rejected it, and how."""
    return rejection(tls, verdict) or words.verdict_word(verdict)


def rejection(tls: model.Tls, verdict: model.Verdict) -> str | None:
    """`rejected by the server: handshake_failure`; None if it was not rejected."""
    alert = _rejecting(verdict)
    if alert is None:
        return None
    said = next((one for one in tls.alerts if _is_of(one, alert)), None)
    what = f": {escape(said.description)}" if said and said.description else ""
    hidden = " (encrypted alert)" if not what and alert.seen == "hidden" else ""
    return f"rejected by the {alert.side}{what}{hidden}"


def _rejecting(verdict: model.Verdict) -> model.Step | None:
    """The alert that ended a handshake; without keys it is an encrypted record."""
    if verdict.outcome not in ("documented", "variant") or verdict.flow != "tls/rejected":
        return None
    return next((step for step in reversed(verdict.steps) if step.step in ("Alert", "Encrypted")), None)


def _is_of(alert: model.Alert, step: model.Step) -> bool:
    return (alert.side, alert.packet) == (step.side, step.packet) and alert.description != "close_notify"


def alert_words(alert: model.Alert, *, level: bool = False) -> str:
    """`server handshake_failure`, `client alert (encrypted)`; with its level `server fatal handshake_failure`."""
    of = f"{alert.side} {escape(alert.level)}" if level and alert.level else alert.side
    if alert.description:
        return f"{of} {escape(alert.description)}"
    return f"{of} alert" + (" (encrypted)" if alert.encrypted else "")


def problems(tls: model.Tls) -> list[str]:
    """What a person must see, in few words: what is wrong with certificates, fatal alerts, weak encryption. A rejected
    handshake tells of its alert itself."""
    return list(itertools.islice(_problems(tls), _PROBLEMS))


def _problems(tls: model.Tls) -> Iterator[str]:
    for _, name, certificate in certificates(tls):
        if certificate.problems:
            yield f"{name}: {', '.join(gist(problem) for problem in certificate.problems[:_PROBLEMS])}"
    told = [step for handshake in tls.handshakes if (step := _rejecting(handshake))]
    for alert in tls.alerts:
        if alert.level == "fatal" and not any(_is_of(alert, step) for step in told):
            yield f"fatal alert at packet {alert.packet}: {alert_words(alert)}"
    if tls.strength in ("weak", "broken"):
        yield f"{tls.strength}: {gist(tls.strength_reason or '')}"


def gist(problem: str) -> str:
    """`weak key: RSA of 1024 bits, 2048 are the least (RFC 9325 §4.5)` → `weak key`."""
    return words.shorten(escape(_DETAILS.split(problem[:_LONGEST_PROBLEM], maxsplit=1)[0]), _GIST)


def certificates(tls: model.Tls) -> Iterator[tuple[model.Side, str, model.Certificate]]:
    """Each with the side that sent it and a name: `certificate`, `certificate 2`, `client certificate`."""
    sides: tuple[tuple[model.Side, str, list[model.Certificate]], ...] = (
        ("server", "certificate", tls.certificates),
        ("client", "client certificate", tls.client_certificates),
    )
    for side, noun, chain in sides:
        for number, certificate in enumerate(chain, 1):
            yield side, noun if number == 1 else f"{noun} {number}", certificate


def undecrypted(tls: model.Tls) -> str | None:
    """Why it was not decrypted; None if it was, or if there was nothing to decrypt."""
    return None if tls.decrypted or tls.decryption is None else escape(tls.decryption)


# For the evidence.


def negotiated(tls: model.Tls) -> list[Part]:
    """Version, cipher suite and what it is worth, key exchange."""
    parts: list[Part] = [(escape(tls.version or "version unknown: no ServerHello was captured"), None)]
    if tls.cipher_suite:
        parts.append((escape(tls.cipher_suite), None))
    if tls.key_exchange:
        parts.append((f"key exchange {escape(tls.key_exchange)}", None))
    if tls.strength:
        reason = f": {escape(tls.strength_reason)}" if tls.strength_reason else ""
        parts.append((f"{escape(tls.strength)}{reason}", "yellow" if tls.strength in ("weak", "broken") else None))
    return parts


def session(tls: model.Tls) -> list[Part]:
    """Server name, ALPN, resumption, who was authenticated."""
    said = [f"server name {escape(tls.server_name)}" if tls.server_name else "no server name"]
    offered = f"offered {', '.join(map(escape, tls.alpn_offered))}" if tls.alpn_offered else "not offered"
    said.append(f"ALPN {escape(tls.alpn)}, {offered}" if tls.alpn else f"ALPN {offered}")
    if tls.resumed is not None:
        said.append("resumed" if tls.resumed else "not resumed")
    known = {True: "client authenticated", False: "client not authenticated", None: ""}
    said.append(known[tls.client_authenticated])
    return [(each, None) for each in said if each]


def traffic(tls: model.Tls) -> list[str]:
    """What was sent, whether it was decrypted, and how each side ended it."""
    said = []
    if tls.records.client or tls.records.server:
        said.append("; ".join(_sent(tls, side) for side in ("client", "server")))
    if tls.decrypted:
        source = SOURCES.get(tls.decryption or "", escape(tls.decryption or ""))
        said.append(f"decrypted with {source}" if source else "decrypted")
    elif reason := undecrypted(tls):
        said.append(f"not decrypted: {reason}")
    if tls.close_notify is not None:
        ends = (
            f"{side} in packet {packet}" if (packet := getattr(tls.close_notify, side)) else f"{side} none"
            for side in ("client", "server")
        )
        said.append(f"close_notify: {', '.join(ends)}")  # RFC 8446 §6.1: without it the end may have been cut off
    return said


def _sent(tls: model.Tls, side: str) -> str:
    """`client 5 records with 412 B of application data`. Encrypted messages of TLS 1.3's handshake look the same."""
    application: int = getattr(tls.application_bytes, side)
    what = "application data" if tls.decrypted else "encrypted data"
    carried = f" with {words.size(application)} of {what}" if application else ""
    return f"{side} {words.plural(getattr(tls.records, side), 'record')}{carried}"


def validity(certificate: model.Certificate) -> list[Part]:
    """Dates, and what they, the name and the chain come to."""
    parts: list[Part] = []
    if certificate.not_before and certificate.not_after:
        begins, ends = (_time(moment) for moment in (certificate.not_before, certificate.not_after))
        parts.append((f"valid {begins} to {ends} UTC", None))
    for fact, good, bad in (
        (certificate.valid_at_capture, "in date at the time of the capture", "not in date at the time of the capture"),
        (certificate.name_matches, "name matches", "name does not match"),
        (certificate.trusted, "trusted", "not trusted"),
    ):
        if fact is not None:
            parts.append((good, None) if fact else (bad, "yellow"))
    return parts


def _time(moment: str) -> str:
    return escape(moment.replace("T", " ").removesuffix("Z"))
