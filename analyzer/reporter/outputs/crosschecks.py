"""What `analyzer crosscheck` prints: text for people, JSON for programs, as connections come."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from analyzer.reporter import words
from analyzer.reporter.crosscheck.comparing import Aspect
from analyzer.reporter.escape import escape

_MOST_LISTED = 20  # things that one of the two reports, in text
_INDENT = "    "


@dataclasses.dataclass(frozen=True)
class Item:
    """One aspect of a connection, and what both say of it in words; None: nothing. `packets` are those to look at where
    they differ. `reasons`: why, as far as it is known for all of it."""

    aspect: str
    ours: str | None
    tshark: str | None
    packets: tuple[int, ...] = ()
    agrees: bool = False
    reasons: tuple[str, ...] = ()

    @classmethod
    def of(cls, aspect: Aspect, reasons: Sequence[str] | None) -> Item:
        packets = {seen.packet for _, seen in aspect.lone if seen.packet is not None}
        agrees = not aspect.lone
        if agrees:
            return cls(aspect.name, _listed(aspect.ours), _listed(aspect.theirs), agrees=True)
        return cls(
            aspect.name,
            _listed([seen for by, seen in aspect.lone if by == "analyzer"] if _many(aspect) else aspect.ours),
            _listed([seen for by, seen in aspect.lone if by == "tshark"] if _many(aspect) else aspect.theirs),
            tuple(sorted(packets)),
            reasons=tuple(reasons or ()),
        )

    @property
    def explained(self) -> bool:
        return bool(self.reasons)


def _many(aspect: Aspect) -> bool:
    """Whether only what differs is told."""
    return max(len(aspect.ours), len(aspect.theirs)) > _MOST_LISTED


def _listed(seen: Iterable[object]) -> str | None:
    listed = [str(one) for one in seen]
    if len(listed) > _MOST_LISTED:
        listed = [*listed[:_MOST_LISTED], f"… {len(listed) - _MOST_LISTED} more"]
    return ", ".join(listed) or None


@dataclasses.dataclass(frozen=True)
class Checked:
    """A connection, as both see it. `connection` is its id here, `stream` Wireshark's tcp.stream; None: not seen.
    `complete`: False where tshark saw more in it than is kept to be compared."""

    connection: int | None
    stream: int | None
    name: str
    first_packet: int
    last_packet: int
    items: tuple[Item, ...]
    complete: bool = True

    @property
    def agreements(self) -> list[Item]:
        return [item for item in self.items if item.agrees]

    @property
    def disagreements(self) -> list[Item]:
        return [item for item in self.items if not item.agrees]


@dataclasses.dataclass
class Tally:
    """How many of each there were, in all."""

    connections: int = 0
    agreements: int = 0
    explained: int = 0
    unexplained: int = 0

    def add(self, checked: Checked) -> None:
        self.connections += 1
        self.agreements += len(checked.agreements)
        self.explained += sum(item.explained for item in checked.disagreements)
        self.unexplained += sum(not item.explained for item in checked.disagreements)


def as_text(checked: Checked) -> str:
    """A line for the connection, one for what both agree on, and some for each difference."""
    number = "–" if checked.connection is None else f"#{checked.connection}"
    lines = [f"{number}  {escape(checked.name)}  packets {checked.first_packet}–{checked.last_packet}"]
    if checked.agreements:
        lines.append(f"  ✓ {', '.join(item.aspect for item in checked.agreements)}")
    for item in checked.disagreements:
        look = f"  (packet{'s' * (len(item.packets) > 1)} {_packets(item.packets)})" if item.packets else ""
        lines.append(f"  {'~' if item.explained else '✗'} {item.aspect}{look}")
        lines.append(f"{_INDENT}analyzer  {escape(item.ours or 'nothing')}")
        lines.append(f"{_INDENT}tshark    {escape(item.tshark or 'nothing')}")
        lines += [f"{_INDENT}known: {reason}" for reason in item.reasons]
    if not checked.complete:
        lines.append("  … more than can be kept: not all of it was compared")
    return "\n".join(lines) + "\n"


def _packets(packets: Sequence[int]) -> str:
    shown = ", ".join(map(str, packets[:_MOST_LISTED]))
    return f"{shown} …" if len(packets) > _MOST_LISTED else shown


def totals_as_text(tally: Tally) -> str:
    """The last line."""
    told = [f"agreed on {words.plural(tally.agreements, 'aspect')}"]
    if tally.explained:
        told.append(f"{words.plural(tally.explained, 'difference')} for a known reason")
    told.append(f"{words.plural(tally.unexplained, 'difference') if tally.unexplained else 'none'} unexplained")
    return f"{words.plural(tally.connections, 'connection')}: {', '.join(told)}\n"


class JsonWriter:
    """One JSON object, written piece by piece: `captures`, each with its `connections`, and `totals`."""

    def __init__(self) -> None:
        self._captures = self._connections = 0

    def begin(self, capture: str, told: Sequence[str]) -> bytes:
        head = b",\n" if self._captures else b'{"captures": [\n'
        self._captures, self._connections = self._captures + 1, 0
        fields = b'"capture": %b, "decode_as": %b' % (_encoded(escape(capture)), _encoded(list(told)))
        return head + b"{" + fields + b', "connections": ['

    def connection(self, checked: Checked) -> bytes:
        head = b",\n" if self._connections else b"\n"
        self._connections += 1
        fields: dict[str, Any] = {
            "connection": checked.connection,
            "tcp_stream": checked.stream,
            "between": escape(checked.name),
            "first_packet": checked.first_packet,
            "last_packet": checked.last_packet,
            "complete": checked.complete,
            "aspects": [
                {
                    "aspect": item.aspect,
                    "agrees": item.agrees,
                    "explained": item.agrees or item.explained,
                    "analyzer": None if item.ours is None else escape(item.ours),
                    "tshark": None if item.tshark is None else escape(item.tshark),
                    "packets": item.packets,
                    "reasons": item.reasons,
                }
                for item in checked.items
            ],
        }
        return head + _encoded(fields)

    def end(self, warnings: Sequence[str]) -> bytes:
        return b'\n], "warnings": %b}' % _encoded([escape(warning) for warning in warnings])

    def finish(self, tally: Tally) -> bytes:
        head = b"\n], " if self._captures else b'{"captures": [], '
        return head + b'"totals": %b}\n' % _encoded(dataclasses.asdict(tally))


def _encoded(value: Any) -> bytes:
    return msgspec.json.encode(value)
