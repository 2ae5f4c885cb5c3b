"""What the summary counts: texts, times, HTTP, TLS. Memory is bounded whatever the size of the capture."""

from __future__ import annotations

import collections
import math
import re
from collections.abc import Iterator

from analyzer import model
from analyzer.reporter import words, words_of_http2, words_of_tls
from analyzer.reporter.escape import escape

_QUANTILES_FROM = 20  # values; of fewer, 95 % is the greatest or next to it
_KINDS = 1000  # texts counted one by one
_SHOWN = 8  # of these, named
_LONGEST = 256  # characters of a text that are kept
_NAME = 40  # cells of one that is named
_REASONS = 4
_PROBLEMS = 3  # of a certificate

TIED = "\xa0"  # a blank at which no line ends; `escape` leaves no other ones

# Buckets this many per factor e: 0.2 % wide, which is below what three digits show.
_PER_E = 500

# A random or a session in a reason: what was the matter is the same with another one.
_ONE_OF_MANY = re.compile(r"\b[0-9a-fA-F]{4,}…|\b[0-9a-fA-F]{8,}\b")


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


class Tally:
    """How often each text came. Of more than `_KINDS` different ones those that came late are counted together."""

    def __init__(self) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self.beyond = 0

    def __len__(self) -> int:
        return len(self.counts)

    def add(self, text: str) -> None:
        text = text[:_LONGEST]
        if text in self.counts or len(self.counts) < _KINDS:
            self.counts[text] += 1
        else:
            self.beyond += 1

    def most(self, shown: int = _SHOWN) -> list[tuple[str, int]]:
        return self.counts.most_common(shown)

    def others(self, shown: int = _SHOWN) -> int:
        return self.counts.total() + self.beyond - sum(number for _, number in self.most(shown))

    def words(self, width: int = 24) -> str:
        """`GET 3,000, POST 12, others 7`, where no line ends between a text and its number."""
        named = [f"{words.shorten(escape(text), width)}{TIED}{words.count(number)}" for text, number in self.most()]
        if others := self.others():
            named.append(f"others{TIED}{words.count(others)}")
        return ", ".join(named)


class HttpCounts:
    """Counts of exchanges."""

    def __init__(self) -> None:
        self.exchanges = self.not_listed = self.unanswered = self.without_status = self.unknown_status = self.cut = 0
        self.versions, self.methods = Tally(), Tally()
        self.statuses: collections.Counter[int] = collections.Counter()
        self.per_connection, self.first_bytes = Histogram(), Histogram()

    def add(self, http: model.Http) -> None:
        if http.version:
            self.versions.add(http.version)
        count = words.exchange_count(http)
        self.exchanges += count
        self.not_listed += http.exchanges_not_listed
        self.per_connection.add(count)
        for one in http.exchanges:
            if one.request:
                self.methods.add(one.request.method or words.UNKNOWN)
            if one.response is None:
                self.unanswered += 1
            else:
                self.cut += not one.response.complete
                if one.response.status is None and one.stream is not None:
                    self.unknown_status += 1
                elif one.response.status is None:
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
        missing = {
            "no response": self.unanswered, "no status": self.without_status, "unknown": self.unknown_status,
            "cut": self.cut,
        }  # fmt: skip
        rest = [f"{what} {words.count(number)}" for what, number in missing.items() if number]
        return "; ".join(filter(None, [said, ", ".join(rest)]))


class Http2Counts:
    """Counts of HTTP/2 connections and of their streams, as far as these are listed."""

    def __init__(self) -> None:
        self.connections = self.multiplexed = self.interleaved = self.most = self.waits = 0
        self.header_bytes = self.header_bytes_on_wire = 0
        self.grpc, self.resets, self.goaways = Tally(), Tally(), Tally()
        self.stalls = Histogram()

    def add(self, http: model.Http) -> None:
        self.connections += 1
        self.most = max(self.most, http.max_concurrent)
        self.multiplexed += http.max_concurrent > 1
        self.interleaved += any(one.interleaved for one in http.exchanges)
        text, wire = words_of_http2.header_bytes(http)
        self.header_bytes += text
        self.header_bytes_on_wire += wire
        for one in http.exchanges:
            if one.grpc:
                self.grpc.add(words_of_http2.grpc_status(one.grpc.status))
            if one.reset:
                self.resets.add(f"{one.reset.side} {one.reset.error}")
        for goaway in http.goaway:
            self.goaways.add(f"{goaway.side} {goaway.error}")
        for stall in http.stalls:
            self.stalls.add(stall.length_ns)
        self.waits += http.head_of_line_waits

    def at_once_words(self) -> str:
        """`up to 20 streams; several on 3 of 4 connections, interleaved on 2`."""
        if self.most < 2:
            return ""
        said = f"up to {words.plural(self.most, 'stream')}"
        if self.connections > 1 and self.multiplexed:
            said += f"; several on {words.count(self.multiplexed)} of {words.count(self.connections)} connections"
            return said + (f", interleaved on {words.count(self.interleaved)}" if self.interleaved else "")
        return said + (", interleaved" if self.interleaved else "")

    def header_words(self) -> str:
        return words_of_http2.compressed(self.header_bytes, self.header_bytes_on_wire)

    def wait_words(self) -> str:
        return f"{words.plural(self.waits, 'lost segment')} held up other streams" if self.waits else ""


class TlsCounts:
    """Counts of TLS sessions: one of a connection, and one inside its tunnel."""

    def __init__(self) -> None:
        self.versions, self.suites, self.names, self.alerts, self.reasons = (Tally() for _ in range(5))
        self.decrypted = self.undecrypted = 0
        self._troubled: dict[str, str] = {}  # SHA-256 of a certificate → who sent it first, and its problems
        self._troubled_times = Tally()  # SHA-256

    def add(self, tls: model.Tls, who: str) -> None:
        if tls.version:
            self.versions.add(tls.version)
        if tls.cipher_suite:
            self.suites.add(tls.cipher_suite)
        if tls.server_name:
            self.names.add(tls.server_name.lower())  # DNS names are equal in any case, RFC 4343
        for alert in tls.alerts:
            if alert.description != "close_notify":  # the proper end, RFC 8446 §6.1
                self.alerts.add(words_of_tls.alert_words(alert))
        if tls.decrypted:
            self.decrypted += 1
        elif tls.decryption is not None:
            self.undecrypted += 1
            self.reasons.add(_ONE_OF_MANY.sub("…", tls.decryption))
        troubled: dict[str, tuple[str, model.Certificate]] = {}
        for side, _, certificate in words_of_tls.certificates(tls):
            if certificate.problems:
                troubled.setdefault(certificate.sha256, (side, certificate))  # some send their own twice
        for sha256, (sender, certificate) in troubled.items():
            self._troubled_times.add(sha256)
            if sha256 in self._troubled_times.counts and sha256 not in self._troubled:
                subject = words.shorten(escape((certificate.subject or "no subject")[:_LONGEST]), _NAME)
                said = ", ".join(words_of_tls.gist(problem) for problem in certificate.problems[:_PROBLEMS])
                self._troubled[sha256] = f"{who}  {sender} {subject}: {said}"

    def name_words(self) -> str:
        """`12: example.test 30, www.example.test 4, …`."""
        if not self.names.counts:
            return ""
        count = f"more than {words.count(_KINDS)}" if self.names.beyond else words.count(len(self.names))
        return f"{count}: {self.names.words(_NAME)}"

    def decryption_words(self) -> Iterator[str]:
        """`3 of 10`, and why the others were not."""
        if total := self.decrypted + self.undecrypted:
            yield f"{words.count(self.decrypted)} of {words.count(total)}"
        for reason, number in self.reasons.most(_REASONS):
            yield f"{words.count(number)} not: {escape(reason)}"
        if others := self.reasons.others(_REASONS):
            yield f"{words.count(others)} not, for other reasons"

    @property
    def troubled(self) -> int:
        """Certificates with problems: each once, those beyond the first `_KINDS` each time."""
        return len(self._troubled_times) + self._troubled_times.beyond

    def troubled_words(self, shown: int) -> list[str]:
        """The most frequent certificates with problems."""
        said = []
        for sha256, number in self._troubled_times.most(shown):
            times = f" ({words.count(number)} connections)" if number > 1 else ""
            said.append(self._troubled[sha256] + times)
        return said


def quantiles(times: Histogram) -> str:
    """Of few values no more than there is to say of them."""
    if times.count <= 1:
        return words.duration(times.least) if times.count else ""
    parts = {"min": times.least, "median": times.quantile(0.5)}
    if times.count >= _QUANTILES_FROM:
        parts["95 %"] = times.quantile(0.95)
    parts["max"] = times.most
    said = ", ".join(f"{name} {words.duration(ns)}" for name, ns in parts.items())
    return f"{said} (of {words.count(times.count)})"
