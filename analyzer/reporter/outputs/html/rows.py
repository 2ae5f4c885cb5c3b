"""The table of connections as columns: what it shows, sorts and searches by, small enough to be unpacked at once.

Texts that repeat are numbers into one list of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from analyzer import model
from analyzer.reporter import words
from analyzer.reporter.outputs.html.packing import Place

_LONGEST = 120  # characters of a text that is searched
_NAMES = 24  # of them, of one connection

# In the order in which one outcome is more worth looking at than another.
_WORST = ("diverged", "incomplete", "unseen", "variant", words.NEVER_OPENED, "documented")


class Rows:
    """Columns of equal length, a row per connection; `columns` is what the page gets."""

    def __init__(self) -> None:
        self._texts: dict[str, int] = {}
        self._columns: dict[str, list[Any]] = {}
        self.count = 0

    def add(self, c: model.Connection, place: Place) -> None:
        """`place`: of the details."""
        self.count += 1
        tls = next(iter(words.secured(c)), None)
        spoken = words.spoken(c)
        http = spoken[-1] if spoken else None
        row: dict[str, Any] = {
            "capture": self._number(c.capture),
            "id": c.id,
            "client": self._number(words.endpoint(c.client)),
            "server": self._number(words.endpoint(c.server)),
            "start": c.start,
            "duration": c.duration_ns,
            "first": c.first_packet,
            "packets": c.packets.client + c.packets.server,
            "bytes": c.payload_bytes.client + c.payload_bytes.server,
            "open": self._verdict(c.open),
            "close": self._verdict(c.close),
            "by": self._number(c.close.closed_by or ""),
            "tls": self._number(f"{tls.version or 'TLS'}{'' if tls.decrypted else ', not decrypted'}" if tls else ""),
            "http": self._number((http.version or "HTTP") if http else ""),
            "exchanges": sum(map(words.exchange_count, spoken)),
            "life": self._verdict(c.lifecycle) if c.lifecycle else self._number(""),
            "worst": self._number(_worst(c)),
            "faults": len(c.faults),
            "trouble": c.notes.retransmissions + c.notes.lost_segments + c.notes.out_of_order,
            "name": self._number(_name(c)),
            "search": " ".join(dict.fromkeys(_searched(c))),
            "block": place.block,
            "item": place.item,
        }
        for name, value in row.items():
            self._columns.setdefault(name, []).append(value)

    def keys(self) -> Iterator[tuple[str, int]]:
        """Of each row, which connection it is: capture and id."""
        texts = list(self._texts)
        ids = self._columns.get("id", [])
        return ((texts[capture], one) for capture, one in zip(self._columns.get("capture", []), ids, strict=True))

    @property
    def columns(self) -> dict[str, Any]:
        return {"count": self.count, "texts": list(self._texts), "columns": self._columns}

    def _number(self, text: str) -> int:
        return self._texts.setdefault(text, len(self._texts))

    def _verdict(self, verdict: model.Verdict) -> int:
        """`✓ four-way`, as in the table on a terminal."""
        return self._number(f"{words.MARKS[words.outcome(verdict)]} {words.verdict_word(verdict)}")


def _worst(c: model.Connection) -> str:
    outcomes = {words.outcome(verdict) for _, verdict in words.verdicts(c)}
    return next(outcome for outcome in _WORST if outcome in outcomes)


def _name(c: model.Connection) -> str:
    """What the client called the server."""
    for tls in words.secured(c):
        if tls.server_name:
            return tls.server_name[:_LONGEST]
    for http in words.spoken(c):
        for one in http.exchanges[:1]:
            if one.request and one.request.authority:
                return one.request.authority[:_LONGEST]
    return ""


def _searched(c: model.Connection) -> Iterator[str]:
    """What a search finds a connection by, beside what the table shows."""
    for tls in words.secured(c):
        for text in (tls.server_name, tls.alpn, tls.cipher_suite, tls.ja4):
            if text:
                yield text[:_LONGEST]
        for one in tls.certificates[:1]:
            yield from (name[:_LONGEST] for name in one.names[:_NAMES])
    for http in words.spoken(c):
        for exchange in http.exchanges[:_NAMES]:
            if exchange.request:
                for said in (exchange.request.method, exchange.request.authority, exchange.request.target):
                    if said:
                        yield said[:_LONGEST]
            if exchange.response and exchange.response.status is not None:
                yield str(exchange.response.status)
    for _, verdict in words.verdicts(c):
        if verdict.outcome == "diverged":
            yield "diverged"
        if verdict.cause:
            yield verdict.cause
    if c.vlan:
        yield f"vlan {c.vlan[0]}"
