"""What is printed below the table: how many connections, which flows, what deviates, what was left out.

Memory is bounded whatever the size of the capture: counts, a few examples, and times in buckets.
"""

from __future__ import annotations

import collections
import dataclasses
import math
import textwrap
from collections.abc import Iterator
from typing import Protocol

from analyzer import model
from analyzer.reporter import words
from analyzer.reporter.escape import escape

_EXAMPLES = 8  # deviating connections named one by one
_QUANTILES_FROM = 20  # values; of fewer, 95 % is the greatest or next to it
_KINDS = 1000  # methods counted one by one
_SHOWN = 8  # methods and statuses that are named
_INDENT = "  "
_LABEL = 11  # columns of a label such as "opened"

# Scope → its label.
_LABELS = {"open": "opened", "close": "closed", "http": "http", "lifecycle": "lifecycle"}

# Buckets this many per factor e: 0.2 % wide, which is below what three digits show.
_PER_E = 500


class Totals(Protocol):
    """What the pipeline counted of one capture, in packets unless said otherwise."""

    packets: int
    tcp: int
    udp: int
    quic: int
    icmp: int
    other: int
    fragments: int
    damaged: int
    filtered_out: int
    late: int
    connections: int  # connections
    dropped_by_interface: int


_TOTALS = tuple(Totals.__annotations__)
_LEFT_OUT = {
    "udp": "UDP", "quic": "QUIC", "icmp": "ICMP", "other": "of other protocols", "fragments": "IP fragments",
    "damaged": "damaged", "filtered_out": "outside the capture filter or time window",
    "late": "that came after their connection was reported",
}  # fmt: skip


class Histogram:
    """Quantiles of positive durations in bounded memory: buckets of 0.2 %, extremes exact."""

    def __init__(self) -> None:
        self.count, self.least, self.most = 0, 0, 0
        self._buckets: collections.Counter[int] = collections.Counter()

    def add(self, ns: int) -> None:
        self.least = ns if not self.count else min(self.least, ns)
        self.most = max(self.most, ns)
        self.count += 1
        self._buckets[round(math.log(ns) * _PER_E) if ns > 0 else -1] += 1

    def quantile(self, share: float) -> int:
        """The smallest value that at least `share` of all values do not exceed, to 0.1 %."""
        wanted, seen = math.ceil(self.count * share), 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                value = round(math.exp(bucket / _PER_E)) if bucket >= 0 else 0
                return min(max(value, self.least), self.most)
        return self.most


@dataclasses.dataclass
class _Scope:
    """How often each thing came out, in one scope."""

    # By outcome and the word for it.
    counts: collections.Counter[tuple[str, str]] = dataclasses.field(default_factory=collections.Counter)
    sources: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict)

    def add(self, verdict: model.Verdict) -> None:
        key = (words.outcome(verdict), words.verdict_word(verdict))
        self.counts[key] += 1
        if key not in self.sources:
            named = [escape(source) for source in (verdict.drawn_in_article, verdict.standard) if source]
            self.sources[key] = ", ".join(named) if verdict.flow else ""


class _Http:
    """Counts of exchanges."""

    def __init__(self) -> None:
        self.exchanges = self.not_listed = self.unanswered = self.without_status = self.cut = 0
        self.methods: collections.Counter[str] = collections.Counter()
        self.other_methods = 0
        self.statuses: collections.Counter[int] = collections.Counter()
        self.per_connection, self.first_bytes = Histogram(), Histogram()

    def add(self, http: model.Http) -> None:
        count = words.exchange_count(http)
        self.exchanges += count
        self.not_listed += http.exchanges_not_listed
        self.per_connection.add(count)
        for one in http.exchanges:
            if one.request:
                method = one.request.method
                if method in self.methods or len(self.methods) < _KINDS:
                    self.methods[method] += 1
                else:
                    self.other_methods += 1
            if one.response is None:
                self.unanswered += 1
            else:
                self.cut += not one.response.complete
                if one.response.status is None:
                    self.without_status += 1
                else:
                    self.statuses[one.response.status] += 1
            if one.started_ns is not None and one.first_byte_ns is not None:
                self.first_bytes.add(max(0, one.first_byte_ns - one.started_ns))

    def count_words(self) -> str:
        """`17; per connection min 1, median 3, max 9`."""
        if not self.exchanges:
            return ""
        said = words.count(self.exchanges)
        if self.not_listed:
            said += f", {words.count(self.not_listed)} of them not listed"
        if (per := self.per_connection).count > 1:
            parts = {"min": per.least, "median": per.quantile(0.5), "max": per.most}
            said += "; per connection " + ", ".join(f"{name} {words.count(n)}" for name, n in parts.items())
        return said

    def method_words(self) -> str:
        found = self.methods.most_common(_SHOWN)
        named = [f"{words.shorten(escape(method), 24)} {words.count(number)}" for method, number in found]
        if others := self.methods.total() + self.other_methods - sum(number for _, number in found):
            named.append(f"others {words.count(others)}")
        return ", ".join(named)

    def status_words(self) -> str:
        """`2xx 15, 4xx 2 (200 14, 404 2, 206 1)`: by class, and the most frequent ones."""
        classes: collections.Counter[int] = collections.Counter()
        for status, number in self.statuses.items():
            classes[status // 100] += number
        said = ", ".join(f"{first}xx {words.count(number)}" for first, number in sorted(classes.items()))
        if said:
            found = self.statuses.most_common(_SHOWN)
            more = ", …" if len(self.statuses) > _SHOWN else ""
            said += f" ({', '.join(f'{status}: {words.count(number)}' for status, number in found)}{more})"
        missing = {"no response": self.unanswered, "no status": self.without_status, "cut": self.cut}
        rest = [f"{what} {words.count(number)}" for what, number in missing.items() if number]
        return "; ".join(filter(None, [said, ", ".join(rest)]))


class Summary:
    """Counts connections as they pass; `text` says what it came to. `captures`: how many there are to read.
    `below_evidence`: it need not repeat what stands there."""

    def __init__(self, *, width: int = 80, colour: bool = False, captures: int = 1, below_evidence: bool = False):
        self._width, self._colour, self._captures, self._below_evidence = width, colour, captures, below_evidence
        self.shown = 0  # connections added: those the filters let through
        self._read = 0  # captures
        self._totals: collections.Counter[str] = collections.Counter()
        self._scopes = {name: _Scope() for name in _LABELS}
        self._http = _Http()
        self._outcomes: set[str] = set()
        self._drawings: set[str] = set()
        self._notes: collections.Counter[str] = collections.Counter()
        self._handshakes = Histogram()
        self._packets, self._bytes = 0, 0
        self._diverged: list[str] = []
        self._diverged_count = 0
        self._faults: list[str] = []
        self._faults_count = 0

    def add(self, connection: model.Connection) -> None:
        self.shown += 1
        verdicts = words.verdicts(connection)
        for scope, verdict in verdicts:
            self._scopes[scope].add(verdict)
            self._outcomes.add(words.outcome(verdict))
            if verdict.flow and verdict.drawn_in_article:
                self._drawings.add(escape(verdict.drawn_in_article))
        if connection.http:
            self._http.add(connection.http)
        self._packets += connection.packets.client + connection.packets.server
        self._bytes += connection.payload_bytes.client + connection.payload_bytes.server
        if connection.timing.handshake_ns is not None:
            self._handshakes.add(connection.timing.handshake_ns)
        for name in words.NOTE_WORDS:
            if number := getattr(connection.notes, name):
                self._notes[name] += number
        diverged = [(scope, verdict) for scope, verdict in verdicts if verdict.outcome == "diverged"]
        for scope, verdict in diverged:
            if scope != "lifecycle" or len(diverged) == 1:  # else it only repeats that of its part
                self._diverged_count += 1
                if len(self._diverged) < _EXAMPLES:
                    why = words.divergence_words(verdict.divergence) if verdict.divergence else "follows no flow"
                    self._diverged.append(f"{self._who(connection)}  {scope}: {why}")
        for fault in connection.faults:
            self._faults_count += 1
            if len(self._faults) < _EXAMPLES:
                said = f"packet {fault.packet}, {escape(fault.layer)}: {escape(fault.message)}"
                self._faults.append(f"{self._who(connection)}  {said}")

    def end_capture(self, totals: Totals) -> None:
        """The counts of a capture that was read to its end, or as far as it could be."""
        self._read += 1
        for name in _TOTALS:
            self._totals[name] += getattr(totals, name)

    def _who(self, c: model.Connection) -> str:
        capture = f"{escape(c.capture)} " if self._captures > 1 else ""
        return f"{capture}#{c.id} {words.endpoint(c.client)} → {words.endpoint(c.server)}"

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from self._wrapped(self._first_sentence(), "", bold=True)
        if self.shown > (1 if self._below_evidence else 0):  # of a single one all stands there
            yield from self._connections()
        left_out = [f"{words.count(n)} {what}" for name, what in _LEFT_OUT.items() if (n := self._totals[name])]
        yield from self._labelled("left out", f"packets: {', '.join(left_out)}" if left_out else "")
        if dropped := self._totals["dropped_by_interface"]:
            said = f"{words.plural(dropped, 'packet')} while capturing, as the capture itself says"
            yield from self._labelled("dropped", said, "yellow")

    def _connections(self) -> Iterator[str]:
        for scope, label in _LABELS.items():
            if self._scopes[scope].counts:
                yield from self._flows(label, self._scopes[scope])
        yield from self._labelled("exchanges", self._http.count_words())
        yield from self._labelled("methods", self._http.method_words())
        yield from self._labelled("statuses", self._http.status_words())
        if not self._below_evidence:
            yield from self._labelled("marks", self._legend(), "bright_black")
            if self._drawings:
                figures = f"{', '.join(sorted(self._drawings))}: drawn in the article the project grew out of"
                yield from self._labelled("figures", figures, "bright_black")
        yield from self._examples("diverged", self._diverged, self._diverged_count, "outcome=diverged")
        yield from self._examples("faults", self._faults, self._faults_count, "faults>0")
        yield from self._labelled("handshake", _quantiles(self._handshakes))
        yield from self._labelled("first byte", _quantiles(self._http.first_bytes))
        noted = [words.note_words(name, self._notes[name]) for name in words.NOTE_WORDS if self._notes[name]]
        yield from self._labelled("noticed", ", ".join(noted))

    def _first_sentence(self) -> str:
        total = self._totals["connections"]
        if self.shown < total:
            said = f"{words.count(self.shown)} of {words.plural(total, 'connection')}"
        else:
            said = words.plural(self.shown, "connection")
        if self._captures > 1:
            read = f"{words.count(self._read)} of " if self._read < self._captures else ""
            said += f" in {read}{words.plural(self._captures, 'capture')}"
        if not total and not self.shown:
            said = "No TCP connections" + said.removeprefix("0 connections")
        if self.shown:
            said += f": {words.plural(self._packets, 'packet')}, {words.size(self._bytes)} of payload"
        return f"{said} ({words.plural(self._totals['packets'], 'packet')} read)"

    def _flows(self, label: str, scope: _Scope) -> Iterator[str]:
        order = list(words.MARKS)
        ranked = sorted(scope.counts.items(), key=lambda item: (order.index(item[0][0]), -item[1], item[0][1]))
        numbers = max(len(words.count(number)) for _, number in ranked)
        names = max(words.cells(self._flow(*key)) for key in scope.counts)
        for key, number in ranked:
            outcome, _ = key
            flow = self._flow(*key)
            padding = " " * (names - words.cells(flow) + 2)
            source = scope.sources[key]
            room = self._width - len(_INDENT) - _LABEL - numbers - 2 - names - 2
            shown = self._styled(f"{words.MARKS[outcome]} {flow}", words.COLOURS[outcome])
            line = f"{_INDENT}{label:<{_LABEL}}{words.count(number):>{numbers}}  {shown}"
            yield line + (padding + source if words.cells(source) <= room - 2 else "")
            label = ""

    @staticmethod
    def _flow(outcome: str, word: str) -> str:
        return word if outcome in ("documented", "variant") or word == outcome else f"{outcome}: {word}"

    def _legend(self) -> str:
        explained = self._outcomes - {words.NEVER_OPENED}  # says it in words
        return "  ".join(f"{mark} {outcome}" for outcome, mark in words.MARKS.items() if outcome in explained)

    def _examples(self, label: str, examples: list[str], number: int, expression: str) -> Iterator[str]:
        for example in examples:
            yield from self._labelled(label, example, "red" if label == "diverged" else "yellow")
            label = ""
        if number > len(examples):
            yield from self._labelled(
                "", f"… and {words.count(number - len(examples))} more: -v --filter '{expression}'"
            )

    def _labelled(self, label: str, text: str, colour: str | None = None) -> Iterator[str]:
        if text:
            yield from self._wrapped(text, f"{_INDENT}{label:<{_LABEL}}", colour)

    def _wrapped(self, text: str, lead: str, colour: str | None = None, bold: bool = False) -> Iterator[str]:
        width = max(20, self._width - len(lead))
        for line in textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False):
            yield lead + self._styled(line, colour, bold)
            lead = " " * len(lead)

    def _styled(self, text: str, colour: str | None, bold: bool = False) -> str:
        if not self._colour or not (colour or bold):
            return text
        import click

        return click.style(text, fg=colour, bold=bold)


def _quantiles(times: Histogram) -> str:
    """Of few values no more than there is to say of them."""
    if times.count <= 1:
        return words.duration(times.least) if times.count else ""
    parts = {"min": times.least, "median": times.quantile(0.5)}
    if times.count >= _QUANTILES_FROM:
        parts["95 %"] = times.quantile(0.95)
    parts["max"] = times.most
    said = ", ".join(f"{name} {words.duration(ns)}" for name, ns in parts.items())
    return f"{said} (of {words.count(times.count)})"
