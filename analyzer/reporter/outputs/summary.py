"""What is printed below the table: how many connections, which flows, what deviates, what was left out.

Memory is bounded whatever the size of the capture: counts, a few examples, and times in buckets.
"""

from __future__ import annotations

import collections
import textwrap
from collections.abc import Iterator
from typing import Protocol

import msgspec

from analyzer import model
from analyzer.dissector.encapsulation import MOST_LAYERS
from analyzer.reporter import words, words_of_http2
from analyzer.reporter.escape import escape
from analyzer.reporter.outputs.counts import TIED, Histogram, Http2Counts, HttpCounts, TlsCounts, quantiles

_EXAMPLES = 8  # deviating connections named one by one
_NUMBER = 8  # cells of a count in a list, with the comma behind it
_SUITE = 48  # cells of a cipher suite or an alert: their names are long
_INDENT = "  "
_LABEL = 11  # columns of a label such as "opened"

# Scope → its label.
_LABELS = {
    "open": "opened", "close": "closed", "tls": "tls", "http": "http", words.STREAMS: "streams",
    "lifecycle": "lifecycle",
}  # fmt: skip


class Totals(Protocol):
    """What the pipeline counted of one capture, in packets unless said otherwise."""

    packets: int
    tcp: int
    udp: int
    quic: int
    icmp: int
    other: int
    fragments: int
    reassembled: int  # IP packets
    incomplete: int
    overlapping: int
    protected: int
    too_deep: int
    damaged: int
    filtered_out: int
    left_out: int
    late: int
    bad_checksums: int
    unfilled_checksums: int
    out_of_order: int
    set_back: int  # times
    set_back_packet: int  # number of the first
    set_back_ns: int  # nanoseconds
    connections: int  # connections
    dropped_by_interface: int


_TOTALS = tuple(Totals.__annotations__)
_LEFT_OUT = {
    "udp": "UDP", "quic": "QUIC", "icmp": "ICMP", "other": "of other protocols", "protected": "encrypted by 802.11",
    "too_deep": f"with more than {MOST_LAYERS} headers around them", "damaged": "damaged",
    "filtered_out": "outside the capture filter or time window", "left_out": "with a wrong checksum",
    "late": "that came after their connection was reported",
}  # fmt: skip
_FRAGMENTS = {
    "reassembled": "put together", "incomplete": "incomplete",
    "overlapping": "dropped because their fragments contradict one another",
}  # fmt: skip


class _Scope(msgspec.Struct):
    """How often each thing came out, in one scope."""

    # By outcome and the word for it.
    counts: collections.Counter[tuple[str, str]] = msgspec.field(default_factory=collections.Counter)
    sources: dict[tuple[str, str], str] = msgspec.field(default_factory=dict)

    def add(self, verdict: model.Verdict) -> None:
        key = (words.outcome(verdict), words.verdict_word(verdict))
        self.counts[key] += 1
        if key not in self.sources:
            named = [escape(source) for source in (verdict.drawn_in_article, verdict.standard) if source]
            self.sources[key] = ", ".join(named) if verdict.flow else ""


class Summary:
    """Counts connections as they pass; `text` says what it came to. `captures`: how many there are to read.
    `below_evidence`: it need not repeat what stands there."""

    def __init__(self, *, width: int = 80, colour: bool = False, captures: int = 1, below_evidence: bool = False):
        self._width, self._colour, self._captures, self._below_evidence = width, colour, captures, below_evidence
        self.shown = 0  # connections added: those the filters let through
        self._read = 0  # captures
        self._totals: collections.Counter[str] = collections.Counter()
        self._scopes = {name: _Scope() for name in _LABELS}
        self._http, self._http2, self._tls = HttpCounts(), Http2Counts(), TlsCounts()
        self._outcomes: set[str] = set()
        self._drawings: set[str] = set()
        self._notes: collections.Counter[str] = collections.Counter()
        self._handshakes, self._tls_handshakes = Histogram(), Histogram()
        self._packets, self._bytes = 0, 0
        self._diverged: list[str] = []
        self._diverged_count = 0
        self._faults: list[str] = []
        self._faults_count = 0
        self._set_back = ""

    def add(self, connection: model.Connection) -> None:
        self.shown += 1
        verdicts = words.verdicts(connection)
        for scope, verdict in verdicts:
            if scope != words.STREAMS:
                self._scopes[scope].add(verdict)
            self._outcomes.add(words.outcome(verdict))
            if verdict.flow and verdict.drawn_in_article:
                self._drawings.add(escape(verdict.drawn_in_article))
        for http in words.spoken(connection):
            self._http.add(http)
            if http.version == words_of_http2.VERSION:
                self._http2.add(http)
            for one in http.exchanges:
                if one.verdict:
                    self._scopes[words.STREAMS].add(one.verdict)
        for tls in words.secured(connection):
            self._tls.add(tls, self._who(connection))
        self._packets += connection.packets.client + connection.packets.server
        self._bytes += connection.payload_bytes.client + connection.payload_bytes.server
        if connection.timing.handshake_ns is not None:
            self._handshakes.add(connection.timing.handshake_ns)
        if connection.timing.tls_ns is not None:
            self._tls_handshakes.add(connection.timing.tls_ns)
        for name in words.NOTE_WORDS:
            if number := getattr(connection.notes, name):
                self._notes[name] += number
        diverged = [(scope, verdict) for scope, verdict in verdicts if verdict.outcome == "diverged"]
        for scope, verdict in diverged:
            if scope != "lifecycle" or len(diverged) == 1:  # else it only repeats that of its part
                self._diverged_count += 1
                if len(self._diverged) < _EXAMPLES:
                    why = words.divergence_words(verdict.divergence) if verdict.divergence else "follows no flow"
                    where = words_of_http2.stream_of(connection, verdict) if scope == words.STREAMS else scope
                    self._diverged.append(f"{self._who(connection)}  {where}: {why}")
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
        if totals.set_back and not self._set_back:
            self._set_back = f", first by {words.duration(totals.set_back_ns)} at packet {totals.set_back_packet}"

    def _checksum_words(self) -> str:
        said = []
        if bad := self._totals["bad_checksums"]:
            said.append(f"{words.count(bad)} wrong")
        if unfilled := self._totals["unfilled_checksums"]:
            said.append(f"{words.count(unfilled)} left to the network card by their sender (offload)")
        return ", ".join(said)

    def _who(self, c: model.Connection) -> str:
        capture = f"{escape(c.capture)} " if self._captures > 1 else ""
        return f"{capture}#{c.id} {words.endpoint(c.client)} → {words.endpoint(c.server)}"

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from self._wrapped(self.sentence(), "", bold=True)
        if self.shown > (1 if self._below_evidence else 0):  # of a single one all stands there
            yield from self._connections()
        for label, text in self.left_out():
            yield from self._labelled(label, text, "yellow" if label in ("clock", "dropped") else None)

    def _connections(self) -> Iterator[str]:
        for label, outcomes in self.ranked():
            yield from self._flows(label, outcomes)
        longest = min(_SUITE, self._width - len(_INDENT) - _LABEL - _NUMBER)
        for label, text in self.counted(longest):
            yield from self._labelled(label, text)
        if not self._below_evidence:
            yield from self._labelled("marks", self._legend(), "bright_black")
            if self._drawings:
                figures = f"{', '.join(sorted(self._drawings))}: drawn in the article the project grew out of"
                yield from self._labelled("figures", figures, "bright_black")
        yield from self._examples("diverged", self._diverged, self._diverged_count, "outcome=diverged")
        troubled = self._tls.troubled_words(_EXAMPLES)
        yield from self._examples("certs", troubled, self._tls.troubled, "certificate.problem!=none")
        yield from self._examples("faults", self._faults, self._faults_count, "faults>0")
        for label, text in self.measured():
            yield from self._labelled(label, text)

    def counted(self, longest: int = _SUITE) -> Iterator[tuple[str, str]]:
        """What was counted, as (label, text); a text without a label goes on with the one before. No text is empty."""
        versions = (self._tls.versions.words(), self._http.versions.words())
        decrypted = list(self._tls.decryption_words())
        yield from _told(
            ("versions", ", ".join(filter(None, versions))),
            ("suites", self._tls.suites.words(longest)),
            ("names", self._tls.name_words()),
            *zip(("decrypted", *[""] * len(decrypted)), decrypted, strict=False),
            ("alerts", self._tls.alerts.words(longest)),
            ("exchanges", self._http.count_words()),
            ("methods", self._http.methods.words()),
            ("statuses", self._http.status_words()),
            ("grpc", self._http2.grpc.words()),
            ("at once", self._http2.at_once_words()),
            ("headers", self._http2.header_words()),
            ("resets", self._http2.resets.words(longest)),
            ("goaways", self._http2.goaways.words(longest)),
        )

    def measured(self) -> Iterator[tuple[str, str]]:
        """Times, and what was noticed on the way, as `counted`."""
        noted = [words.note_words(name, self._notes[name]) for name in words.NOTE_WORDS if self._notes[name]]
        yield from _told(
            ("handshake", quantiles(self._handshakes)),
            ("tls time", quantiles(self._tls_handshakes)),
            ("first byte", quantiles(self._http.first_bytes)),
            ("stalls", quantiles(self._http2.stalls)),
            ("waits", self._http2.wait_words()),
            ("noticed", ", ".join(noted)),
        )

    def left_out(self) -> Iterator[tuple[str, str]]:
        """What of the captures is in no connection, and what is odd about them as a whole, as `counted`."""
        totals = self._totals
        left_out = [f"{words.count(n)} {what}" for name, what in _LEFT_OUT.items() if (n := totals[name])]
        fragments = [f"{words.count(n)} {what}" for name, what in _FRAGMENTS.items() if (n := totals[name])]
        late, back, dropped = totals["out_of_order"], totals["set_back"], totals["dropped_by_interface"]
        backwards = f"the clock goes back a second or more {words.plural(back, 'time')}{self._set_back}"
        yield from _told(
            ("left out", f"packets: {', '.join(left_out)}" if left_out else ""),
            ("fragments", f"IP packets: {', '.join(fragments)}" if fragments else ""),
            ("checksums", self._checksum_words()),
            (
                "order",
                f"{words.plural(late, 'packet')} older than the one before, by less than a second" if late else "",
            ),
            ("clock", backwards if back else ""),
            (
                "dropped",
                f"{words.plural(dropped, 'packet')} while capturing, as the capture itself says" if dropped else "",
            ),
        )

    def ranked(self) -> Iterator[tuple[str, list[tuple[str, str, int, str]]]]:
        """Of each scope that has any: its label, and its outcomes as (outcome, flow or other word, how often, standard
        and figure), the best outcome first."""
        order = list(words.MARKS)
        for name, label in _LABELS.items():
            scope = self._scopes[name]
            if scope.counts:
                found = sorted(scope.counts.items(), key=lambda item: (order.index(item[0][0]), -item[1], item[0][1]))
                yield label, [(*key, number, scope.sources[key]) for key, number in found]

    def sentence(self) -> str:
        """How much there is, of how much."""
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

    def _flows(self, label: str, outcomes: list[tuple[str, str, int, str]]) -> Iterator[str]:
        numbers = max(len(words.count(number)) for _, _, number, _ in outcomes)
        room = self._width - len(_INDENT) - _LABEL - numbers - 2
        flows = [words.shorten(f"{words.MARKS[one[0]]} {self._flow(*one[:2])}", room) for one in outcomes]
        names = max(map(words.cells, flows))
        for (outcome, _, number, source), flow in zip(outcomes, flows, strict=True):
            padding = " " * (names - words.cells(flow) + 2)
            shown = self._styled(flow, words.COLOURS[outcome])
            line = f"{_INDENT}{label:<{_LABEL}}{words.count(number):>{numbers}}  {shown}"
            yield line + (padding + source if names + 2 + words.cells(source) <= room else "")
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
            yield lead + self._styled(line.replace(TIED, " "), colour, bold)
            lead = " " * len(lead)

    def _styled(self, text: str, colour: str | None, bold: bool = False) -> str:
        if not self._colour or not (colour or bold):
            return text
        import click

        return click.style(text, fg=colour, bold=bold)


def _told(*facts: tuple[str, str]) -> Iterator[tuple[str, str]]:
    return (fact for fact in facts if fact[1])
