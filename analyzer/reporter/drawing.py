"""Traffic as a Mermaid sequence diagram: as it was seen, with packet numbers, or as a flow page that it follows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from analyzer import model
from analyzer.errors import UsageError
from analyzer.flows import whole
from analyzer.flows.diagram import MAX_BRANCHES, parse
from analyzer.flows.expression import ABSENT, CLIENT, SERVER
from analyzer.flows.library import MAX_STEPS, too_large
from analyzer.reporter import words
from analyzer.reporter.conformance import in_order
from analyzer.reporter.escape import escape
from analyzer.reporter.observed import Life, Observed

ARROWS: Final = ("Client->>Server", "Server->>Client")
OVER: Final = "Note over Client,Server"
_INDENT: Final = "    "
LONGEST: Final = 80  # of a target or a header field
_MOST_REPEATED: Final = 8  # blocks that are looked at as what is repeated
_TIMES_TO_FOLD: Final = 3

# What Mermaid, or HTML around it, may take for something else than text: codes stand for it.
_CODED: Final = str.maketrans({character: f"#{ord(character)};" for character in "#;<>&%${}`"})
# What may stand in a value on a flow page as it is; everything else is `?`, any one character.
_PLAIN: Final = frozenset("-._~/:@+,=()!'* ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")

_GRACEFUL: Final = "tcp-close/four-way|three-segment"
_UNSUITABLE: Final = {
    "mid-stream": "was captured from its middle",
    "one-sided": "was captured in one direction only",
}


def escaped(text: str) -> str:
    """Text from a capture, for a Mermaid message or note."""
    return escape(text).translate(_CODED)


# As it was seen.


class Line(NamedTuple):
    """A message or a note of a diagram, and the packet that it stands at."""

    packet: int
    text: str


def as_seen(lives: Sequence[Life]) -> str:
    """Every step of these connections with its packet, in order, and what each scope came to."""
    first = lives[0].connection
    several = len(lives) > 1
    ends = (
        (first.client.address, first.server.address) if several else map(words.endpoint, (first.client, first.server))
    )
    client, server = ends
    found: list[Line] = []
    for life in lives:
        mark = f", connection {life.connection.id}" if several else ""
        found += _seen(life, mark)
    return "".join(f"{line}\n" for line in diagram(client, server, found))


def _seen(life: Life, mark: str) -> Iterator[Line]:
    connection = life.connection
    yield from of_verdict("tcp-open", connection.open, mark)
    for tls in words.secured(connection):
        for handshake in tls.handshakes:
            yield from of_verdict("tls", handshake, mark)
    http = (*whole.HTTP, *whole.HTTP2)
    for step in life.steps:
        if step.name in http and not (step.name in whole.TCP or step.name in whole.TLS):
            yield Line(step.packet, f"{ARROWS[step.side]}: {_http_text(step)} (packet {step.packet}{mark})")
    for one in words.spoken(connection):
        yield from came_to("http", one.connection, mark)
    yield from of_verdict("tcp-close", connection.close, mark)


def diagram(client: str, server: str, found: Iterable[Line]) -> Iterator[str]:
    """The lines of a diagram, in the order of their packets; ends of the connection as they are."""
    yield "sequenceDiagram"
    yield f"{_INDENT}participant Client as Client {escaped(client)}"
    yield f"{_INDENT}participant Server as Server {escaped(server)}"
    # Python's sort is stable: what one packet brought stays in the order of the layers.
    yield from (_INDENT + line.text for line in sorted(found, key=lambda line: line.packet))


def of_verdict(scope: str, verdict: model.Verdict, mark: str) -> Iterator[Line]:
    for step in verdict.steps:
        packets = f"packet {step.packet}" if step.times == 1 else f"packets {step.packet} to {step.last_packet}"
        often = f" × {step.times}" if step.times > 1 else ""
        how = f", {step.seen}" if step.seen != "observed" else ", retransmission" if step.retransmission else ""
        arrow = ARROWS[step.side == "server"]
        yield Line(step.packet, f"{arrow}: {escaped(step.step)}{often} ({packets}{how}{mark})")
    yield from came_to(scope, verdict, mark)


def came_to(scope: str, verdict: model.Verdict, mark: str) -> Iterator[Line]:
    if verdict.steps:
        why = f": {verdict.cause}" if verdict.cause else ""
        yield Line(verdict.steps[-1].last_packet, f"{OVER}: {verdict.flow or scope}, {verdict.outcome}{why}{mark}")


def _http_text(step: Observed) -> str:
    values = [step.value(name) for name in _shown(step)]
    said = " ".join(escaped(words.shorten(str(value), LONGEST)) for value in values if value is not None)
    return f"{step.name} {said}".rstrip()


def _shown(step: Observed) -> tuple[str, ...]:
    if step.name in ("HTTP Request", "PUSH_PROMISE"):
        return ("method", "target")
    if step.name in ("GOAWAY", "RST_STREAM", "Violation"):
        return ("error",)
    return ("status", "protocol") if step.name == "Upgrade" else ("status",)


# As a flow page.

_Block = tuple[str, ...]  # lines of the diagram that belong together


class _Unit(NamedTuple):
    """Steps that stay in their order: an exchange, or a reference. `places`: among all the steps drawn."""

    steps: list[Observed]
    places: list[int]


class FlowDrawing:
    """A page that these connections follow. Raises UsageError where no flow can be drawn from them.

    `in_order`: exchanges that overlap stay in the order seen.
    """

    def __init__(self, lives: Sequence[Life], *, in_order: bool = False):
        self.lives = lives
        self._in_order = in_order
        self.scope = whole.CONNECTION if len(lives) == 1 else whole.CONVERSATION
        self.remarks: list[str] = []  # what the page cannot say, for `%%` comments
        self._drawn = [self._wanted(life) for life in lives]
        self._ports = len({life.connection.server.port for life in lives}) > 1

    def diagram(self) -> str:
        """The Mermaid source."""
        wanted = [step for step in in_order(self.lives) if step.name in self._drawn[step.connection - 1]]
        if not wanted:
            raise UsageError(
                f"there is no flow to draw: {'; '.join(self.remarks) or 'no step of it is complete'}: choose another "
                "connection"
            )
        blocks = list(_folded(self._blocks(_units(wanted))))
        lines = [f"%% {remark}" for remark in self.remarks]
        lines += ["participant Client", "participant Server", *(line for block in blocks for line in block)]
        steps = sum(1 for line in lines if "->>" in line or line.lstrip().startswith(OVER))
        if steps > MAX_STEPS:
            raise UsageError(f"the flow would have {steps} steps, more than {MAX_STEPS}: choose fewer connections")
        return "sequenceDiagram\n" + "".join(f"{_INDENT}{line}\n" for line in lines)

    def _wanted(self, life: Life) -> frozenset[str]:
        """The names of the steps to draw: references to what followed a documented flow; message by message what did
        not; HTTP always."""
        connection = life.connection
        for hidden in life.hidden:
            if hidden.cause in _UNSUITABLE and not hidden.names:
                raise UsageError(
                    f"connection {connection.id} {_UNSUITABLE[hidden.cause]}: choose one that was captured from its "
                    "first packet, in both directions"
                )
        hidden_names = frozenset().union(*(one.names for one in life.hidden if one.cause == "no-keys"))
        wanted: set[str] = {*whole.HTTP, "GOAWAY"} - set(whole.TLS) - hidden_names
        if hidden_names & set(whole.HTTP):
            self._remark(connection, "HTTP, if there is any, could not be read: give the keys with --keys")
        self._of_tcp(connection, wanted)
        self._of_tls(connection, wanted, hidden_names)
        return frozenset(wanted)

    def _of_tcp(self, connection: model.Connection, wanted: set[str]) -> None:
        if "diverged" in (connection.open.outcome, connection.close.outcome):
            self._remark(connection, "TCP follows no documented flow and is drawn step by step")
            wanted |= set(whole.TCP)
            return
        for scope, verdict in (("tcp-open", connection.open), ("tcp-close", connection.close)):
            if self._followed(connection, scope, [verdict]):
                wanted.add(f"ref {scope}")

    def _of_tls(self, connection: model.Connection, wanted: set[str], hidden: frozenset[str]) -> None:
        verdicts = [one for tls in words.secured(connection) for one in tls.handshakes]
        if not verdicts:
            return
        if any(one.outcome == "diverged" for one in verdicts) and not hidden & set(whole.TLS):
            self._remark(connection, "TLS follows no documented flow and is drawn step by step")
            wanted |= set(whole.TLS)
        elif self._followed(connection, "tls", verdicts):
            wanted.add("ref tls")

    def _followed(self, connection: model.Connection, scope: str, verdicts: Sequence[model.Verdict]) -> bool:
        for one in verdicts:
            if one.outcome not in ("documented", "variant"):
                if one.cause != "never-opened":
                    why = f": {one.cause}" if one.cause else ""
                    self._remark(connection, f"{scope} is left out, it is {one.outcome}{why}")
                return False
        return True

    def _remark(self, connection: model.Connection, text: str) -> None:
        self.remarks.append(f"connection {connection.id}: {text}")

    # Blocks

    def _blocks(self, units: Sequence[_Unit]) -> list[_Block]:
        return [block for cluster in _clusters(units) for block in self._cluster(cluster)]

    def _cluster(self, units: Sequence[_Unit]) -> list[_Block]:
        """Exchanges that overlap in time. Up to four may come in any order. Of more, each connection and each side
        keeps to the order seen: how far the two sides were with each other is a matter of timing."""
        if len(units) == 1:
            return [(line,) for line in map(self._line, units[0].steps)]
        connections = {unit.steps[0].connection for unit in units}
        if not self._in_order and len(units) <= MAX_BRANCHES:
            return [_par([[(self._line(step, among=True),) for step in unit.steps] for unit in units])]
        if not self._in_order and 1 < len(connections) <= MAX_BRANCHES:
            branches = [
                self._blocks([unit for unit in units if unit.steps[0].connection == number])
                for number in sorted(connections)
            ]
            return [_par(branches)]
        placed = [pair for unit in units for pair in zip(unit.places, unit.steps, strict=True)]
        steps = [step for _, step in sorted(placed, key=lambda pair: pair[0])]
        if self._in_order or any(step.name.startswith("ref ") for step in steps):
            return [(self._line(step, among=True),) for step in steps]
        sides = ([step for step in steps if step.side == side] for side in (CLIENT, SERVER))
        return [_par([[(self._line(step, among=True),) for step in one] for one in sides if one])]

    def _line(self, step: Observed, *, among: bool = False) -> str:
        tests = list(self._tests(step, among=among))
        if step.name.startswith("ref "):
            flow = str(step.value("flow"))
            # Which of the two it is depends on when the second side closes, by milliseconds.
            flow = _GRACEFUL if flow in ("tcp-close/four-way", "tcp-close/three-segment") else flow
            shown = f" [{' '.join(tests)}]" if tests else ""
            return f"{OVER}: ref {flow}{shown}"
        return f"{ARROWS[step.side]}: {step.name}" + (f" [{' '.join(tests)}]" if tests else "")

    def _tests(self, step: Observed, *, among: bool) -> Iterator[str]:
        if len(self.lives) > 1:
            yield f"connection={step.connection}"
        if self._ports:
            yield f"port={step.value('port')}"
        for name in _worth_keeping(step, among=among):
            value = step.value(name)
            if name == "target" and isinstance(value, str):
                value = _without_query(value)
            if value is not None and value is not ABSENT and not isinstance(value, tuple):
                yield f"{name}={_value(str(value))}"


def _worth_keeping(step: Observed, *, among: bool) -> tuple[str, ...]:
    """The fields that are part of what happened, and not of when and where."""
    match step.name:
        case "ref tls":
            return ("version", "sni", "alpn")
        case "HTTP Request" | "PUSH_PROMISE":
            return ("method", "target")
        case "HTTP Response" | "Cut Response" | "Interim Response" | "Tunnel":
            status = step.value("status")
            moved = isinstance(status, int) and 300 <= status <= 399 and step.name == "HTTP Response"
            return (*(("target",) if among else ()), "status", *(("header.location",) if moved else ()))
        case "Upgrade":
            return ("status", "protocol")
        case "RST_STREAM" | "GOAWAY":
            return ("error",)
        case "Alert":
            return ("description",)
        case "ClientHello":
            return ("sni",)
        case "ServerHello":
            return ("version",)
        case _:
            return ()


def _without_query(target: str) -> str:
    """What follows `?` is often made anew each time."""
    path, mark, _ = target.partition("?")
    return f"{path}?*" if mark else path


def _value(text: str) -> str:
    """A glob that the text matches and that can stand on a page."""
    cut = text[:LONGEST]
    safe = "".join(character if character in _PLAIN else "?" for character in cut)
    safe += "*" if len(text) > len(cut) else ""
    return f'"{safe}"' if " " in safe or not safe else safe


def _units(steps: Sequence[Observed]) -> list[_Unit]:
    """The steps by exchange, in the order of their first ones."""
    found: dict[object, _Unit] = {}
    for place, step in enumerate(steps):
        request = None if step.name.startswith("ref ") else step.value("request")
        key = place if request is None else (step.connection, id(request))
        unit = found.setdefault(key, _Unit([], []))
        unit.steps.append(step)
        unit.places.append(place)
    return list(found.values())


def _clusters(units: Sequence[_Unit]) -> Iterator[list[_Unit]]:
    """Units that overlap, directly or through others."""
    cluster: list[_Unit] = []
    last = -1
    for unit in units:
        if cluster and unit.places[0] > last:
            yield cluster
            cluster = []
        cluster.append(unit)
        last = max(last, unit.places[-1])
    if cluster:
        yield cluster


def _par(branches: Sequence[Sequence[_Block]]) -> _Block:
    lines: list[str] = []
    for at, branch in enumerate(branches):
        lines.append("and" if at else "par")
        lines += [f"{_INDENT}{line}" for block in _folded(branch) for line in block]
    return (*lines, "end")


def _folded(blocks: Sequence[_Block]) -> Iterator[_Block]:
    """What comes at least three times in a row is drawn once, and once more in a `loop`."""
    at = 0
    while at < len(blocks):
        length, times = _repeated(blocks, at)
        if times < _TIMES_TO_FOLD:
            yield blocks[at]
            at += 1
            continue
        body = blocks[at : at + length]
        yield from body
        inner = tuple(f"{_INDENT}{line}" for block in body for line in block)
        yield (f"loop seen {words.plural(times - 1, 'more time')}", *inner, "end")
        at += length * times


def _repeated(blocks: Sequence[_Block], at: int) -> tuple[int, int]:
    """How many of the blocks that begin here are repeated, and how often they come in all."""
    best = 1, 1
    for length in range(1, _MOST_REPEATED + 1):
        body, times = blocks[at : at + length], 1
        while len(body) == length and blocks[at + length * times : at + length * (times + 1)] == body:
            times += 1
        if times >= _TIMES_TO_FOLD and length * times > best[0] * best[1]:
            best = length, times
    return best


def page(lives: Sequence[Life], identifier: str, title: str, source: str, where: str) -> str:
    """A whole flow page. `identifier`: its id, scope included; `source`: the capture's name; `where`: which connections
    it is about."""
    connections = [life.connection for life in lives]
    which = ", ".join(f"{one.id} (packets {one.first_packet} to {one.last_packet})" for one in connections)
    diagram = FlowDrawing(lives).diagram()
    if too_large(parse(diagram)) is not None:
        diagram = FlowDrawing(lives, in_order=True).diagram()
    name = "connection" if len(connections) == 1 else "connections"
    return (
        f"---\nid: {identifier}\nscope: {identifier.partition('/')[0]}\ntitle: {title}\nwhere: {where}\n"
        f'times: ">=1"\n---\n\nDrawn from {_prose(source)}, {name} {which}.\n\n```mermaid\n{diagram}```\n'
    )


def _prose(text: str) -> str:
    """A name as code in Markdown."""
    return f"`{escape(text).replace('`', '?')}`"
