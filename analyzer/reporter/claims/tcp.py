"""C1 and C2: how TCP connections open and close."""

from __future__ import annotations

import collections

from analyzer import model
from analyzer.reporter import words
from analyzer.reporter.claims.found import Check, Place, Places, Seen, first_step, sentence

_HOSTS = 1000  # remembered of each side
_MODULUS = 1 << 32
# Two random numbers of 32 bits are as close as this once in 512 times. BSD of old counted on by 64,000 with each
# connection, other systems by less.
_NEAR = 1 << 22
_CLOCK_NS = 4000  # of the initial sequence number that counts time, RFC 9293 §3.4.1
_NUMBERS = 3  # of a host that are needed to tell


class _Host:
    """The initial sequence numbers of one address."""

    def __init__(self) -> None:
        self.count = self.repeated = self.predictable = 0
        self.places = Places()
        self._last: tuple[int, int, tuple[model.Endpoint, model.Endpoint]] | None = None

    def add(self, number: int, started_ns: int, ends: tuple[model.Endpoint, model.Endpoint]) -> None:
        """Of the same addresses and ports each is greater than the one before (RFC 6528 §3): these are not compared."""
        if self._last is not None and ends == self._last[2]:
            return
        self.count += 1
        if self._last is not None:
            before, then_ns, _ = self._last
            ticks = (started_ns - then_ns) // _CLOCK_NS
            self.repeated += number == before
            self.predictable += _near(number - before) or _near(number - before - ticks)
        self._last = (number, started_ns, ends)

    @property
    def guessable(self) -> bool:
        return self.repeated > 0 or (self.predictable >= 2 and 2 * self.predictable > self.count - 1)

    @property
    def random(self) -> bool:
        return not self.guessable and self.count >= _NUMBERS and 4 * self.predictable <= self.count - 1


def _near(difference: int) -> bool:
    return min(difference % _MODULUS, -difference % _MODULUS) < _NEAR


class InitialSequenceNumbers(Check):
    """One number says nothing: those of a host are compared, each with the one before."""

    def __init__(self) -> None:
        super().__init__()
        self._hosts: dict[model.Side, dict[str, _Host]] = {"client": {}, "server": {}}
        self._numbers = 0

    def look(self, seen: Seen) -> None:
        connection = seen.connection
        self._add(seen, "client", connection.client, connection.tcp.client, "SYN")
        self._add(seen, "server", connection.server, connection.tcp.server, "SYN-ACK")

    def _add(self, seen: Seen, side: model.Side, end: model.Endpoint, said: model.TcpOptions, step: str) -> None:
        if said.initial_sequence_number is None:
            return
        self._numbers += 1
        hosts = self._hosts[side]
        if end.address not in hosts:
            if len(hosts) >= _HOSTS:
                return
            hosts[end.address] = _Host()
        host = hosts[end.address]
        host.add(said.initial_sequence_number, seen.started_ns, (seen.connection.client, seen.connection.server))
        syn = first_step(seen.connection.open, side, step, "SYN")
        host.places.add(seen, syn.packet if syn else seen.connection.first_packet)

    def conclude(self) -> None:
        random = {side: [host for host in hosts.values() if host.random] for side, hosts in self._hosts.items()}
        guessable = [host for hosts in self._hosts.values() for host in hosts.values() if host.guessable]
        if random["client"] and random["server"]:
            both = zip(random["client"][0].places.first, random["server"][0].places.first, strict=False)
            self.pro.count = len(random["client"]) + len(random["server"])
            self.pro.first = _several([place for pair in both for place in pair])
        self.contra.count = len(guessable)
        self.contra.first = _several([place for host in guessable for place in host.places.first])

    def tell(self) -> str:
        if not self._numbers:
            return "No SYN was captured."
        numbers = words.plural(self._numbers, "initial sequence number")
        if self.contra.count:
            repeated = sum(host.repeated for hosts in self._hosts.values() for host in hosts.values())
            how = f"{repeated} of them repeated" if repeated else "close to one another or to a clock"
            return sentence(f"{numbers}: those of {words.plural(self.contra.count, 'host')} can be guessed, {how}")
        if self.pro.count:
            return sentence(f"{numbers}: those of {words.plural(self.pro.count, 'host')} show no order")
        return sentence(f"{numbers}, fewer than {_NUMBERS} of one client and {_NUMBERS} of one server: too few to tell")


def _several(places: list[Place]) -> list[Place]:
    return list(dict.fromkeys(places))[:5]


class FourSegments(Check):
    """FIN, ACK, FIN, ACK, the client's FIN first; data may come between them (half-close)."""

    def __init__(self) -> None:
        super().__init__()
        self._others: collections.Counter[str] = collections.Counter()

    def look(self, seen: Seen) -> None:
        close = seen.connection.close
        if not seen.closed or close.flow is None:
            return
        packets = [step.packet for step in close.steps]
        if close.flow not in ("tcp-close/four-way", "tcp-close/half-close"):
            self.contra.add(seen, *packets[:1])
            self._others[close.flow.partition("/")[2]] += 1
        elif close.closed_by == "client":
            self.pro.add(seen, *packets[:4])
        else:
            self.contra.add(seen, *packets[:1])
            self._others["in four segments, but the server first"] += 1

    def tell(self) -> str:
        if not (closed := self.pro.count + self.contra.count):
            return "No connection was closed."
        others = ", ".join(f"{count} {how}" for how, count in self._others.most_common())
        return sentence(
            f"{self.pro.count} of {words.plural(closed, 'close')} went so", others and f"the others: {others}"
        )
