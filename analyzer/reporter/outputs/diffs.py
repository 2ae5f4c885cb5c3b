"""What `analyzer diff` prints: text with old and new side by side, JSON, and Markdown."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import msgspec

from analyzer.model import Endpoint
from analyzer.reporter import words
from analyzer.reporter.diff.comparing import Comparison, Difference, Pair
from analyzer.reporter.diff.summaries import Summary
from analyzer.reporter.escape import escape, escape_markdown

_RED, _GREEN, _BOLD, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[0m"
_GAP = "  "
_HEADS = ("", "old", "new", "packets")


def _ends(one: Summary) -> str:
    return f"{words.endpoint(Endpoint(*one.client))} → {words.endpoint(Endpoint(*one.server))}"


def _name(one: Summary) -> str:
    return f"#{one.id}  {escape(_ends(one))}"


def _title(pair: Pair) -> str:
    old, new = pair.match.old, pair.match.new
    if _ends(old) == _ends(new):
        number = f"#{old.id}" if old.id == new.id else f"#{old.id} / #{new.id}"
        return f"{number}  {escape(_ends(new))}"
    return f"{_name(old)}  /  {_name(new)}  (matched by {pair.match.by})"


def _cells(one: Difference) -> tuple[str, str, str, str]:
    packets = ("–" if packet is None else str(packet) for packet in (one.old_packet, one.new_packet))
    return escape(one.name), escape(one.old), escape(one.new), " / ".join(packets)


def _summary(comparison: Comparison) -> str:
    pairs = comparison.pairs
    if comparison.same:
        return f"{words.plural(len(pairs), 'connection')}: no difference\n"
    told = [f"{words.count(len(comparison.different))} of {words.plural(len(pairs), 'connection')} different"]
    told += [f"{words.count(len(comparison.gone))} only in the old one"] * bool(comparison.gone)
    told += [f"{words.count(len(comparison.added))} only in the new one"] * bool(comparison.added)
    return ", ".join(told) + "\n"


# Text.


def as_text(comparison: Comparison, *, width: int, colour: bool) -> str:
    """The connections that differ, old and new side by side if the terminal is wide enough, else below each other."""
    bold, plain = (_BOLD, _PLAIN) if colour else ("", "")
    parts = [f"old  {escape(comparison.old)}\nnew  {escape(comparison.new)}\n"]
    for pair in comparison.different:
        lines = _rows([_cells(one) for one in pair.differences], width, colour)
        parts.append("\n".join([f"{bold}{_title(pair)}{plain}", *lines]) + "\n")
    parts += [_coloured(f"- {_name(one)}  only in the old one", _RED, colour) + "\n" for one in comparison.gone]
    parts += [_coloured(f"+ {_name(one)}  only in the new one", _GREEN, colour) + "\n" for one in comparison.added]
    return "\n".join([*parts, _summary(comparison)])


def _coloured(text: str, with_: str, colour: bool) -> str:
    return f"{with_}{text}{_PLAIN}" if colour else text


def _rows(rows: list[tuple[str, str, str, str]], width: int, colour: bool) -> Iterator[str]:
    widths = [max(map(words.cells, column)) for column in zip(_HEADS, *rows, strict=True)]
    if len(_GAP) * len(widths) + sum(widths) <= width:
        for row in (_HEADS, *rows):
            cells = [cell + " " * (size - words.cells(cell)) for cell, size in zip(row, widths, strict=True)]
            if row is not _HEADS:
                cells[1], cells[2] = _coloured(cells[1], _RED, colour), _coloured(cells[2], _GREEN, colour)
            yield (_GAP + _GAP.join(cells)).rstrip()
        return
    for name, old, new, packets in rows:  # nothing is cut: whoever compares two values needs all of them
        yield f"{_GAP}{name}  (packets {packets})"
        yield _coloured(f"{_GAP * 2}- {old}", _RED, colour)
        yield _coloured(f"{_GAP * 2}+ {new}", _GREEN, colour)


# JSON.


def as_json(comparison: Comparison) -> bytes:
    """`same`, `connections` (all pairs, each with its `differences`), `only_old` and `only_new`."""
    report = {
        "old": escape(comparison.old),
        "new": escape(comparison.new),
        "same": comparison.same,
        "connections": [
            {
                "old": _as_builtins(pair.match.old),
                "new": _as_builtins(pair.match.new),
                "matched_by": pair.match.by,
                "differences": [_escaped(one) for one in pair.differences],
            }
            for pair in comparison.pairs
        ],
        "only_old": [_as_builtins(one) for one in comparison.gone],
        "only_new": [_as_builtins(one) for one in comparison.added],
    }
    return bytes(msgspec.json.format(msgspec.json.encode(report), indent=2)) + b"\n"


def _as_builtins(one: Summary) -> dict[str, object]:
    (client, client_port), (server, server_port) = one.client, one.server
    return {
        "capture": escape(one.capture),
        "id": one.id,
        "client": {"address": escape(client), "port": client_port},
        "server": {"address": escape(server), "port": server_port},
        "first_packet": one.first_packet,
        "last_packet": one.last_packet,
    }


def _escaped(one: Difference) -> dict[str, object]:
    found = dataclasses.asdict(one)
    return {key: escape(value) if isinstance(value, str) else value for key, value in found.items()}


# Markdown.


def as_markdown(comparison: Comparison) -> str:
    """A table for each connection that differs, to be put into a comment or a report."""
    parts = [f"Old: {escape_markdown(comparison.old)}, new: {escape_markdown(comparison.new)}\n"]
    for pair in comparison.different:
        lines = [f"**{escape_markdown(_title(pair))}**", "", "| | old | new | packets |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(map(escape_markdown, _cells(one)))} |" for one in pair.differences]
        parts.append("\n".join(lines) + "\n")
    for several, where in ((comparison.gone, "old"), (comparison.added, "new")):
        if several:
            lines = [f"Only in the {where} one:", "", *(f"- {escape_markdown(_name(one))}" for one in several)]
            parts.append("\n".join(lines) + "\n")
    return "\n".join([*parts, _summary(comparison)])
