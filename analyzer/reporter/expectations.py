"""`expect.yaml`: what a capture is expected to show, and where it does not.

    match: server_port           # or server_name, or order, the default
    connections:
      - server_port: 443
        tls: {version: TLS 1.3, alpn: h2}
      - where: server.port=80    # a filter: instead of the place in the list
        count: "1..3"
        close: {outcome: documented}
    totals: {connections: 3}
    claims: {C3: contradicted}   # as `analyzer claims` judges the capture

Keys are those of the JSON output. Only what is named is compared (see `expected_values`).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

import msgspec
import yaml
from msgspec import inspect

from analyzer import model
from analyzer.errors import UsageError
from analyzer.reporter import words
from analyzer.reporter.expected_values import (
    Path,
    WrongExpectationError,
    check_fields,
    differences,
    offer,
    shown,
    written,
)
from analyzer.reporter.filters import Predicate, parse_filter

if TYPE_CHECKING:
    from analyzer.reporter.claims.found import Judged

_TOP = ("capture", "match", "connections", "totals", "claims")
_BY = {"server_port": (int, "to port"), "server_name": (str, "named")}  # kind of value, how a message says it
_MATCHES = ("order", *_BY)
_NAMED = 5  # connections that a message lists
_WITH_HEADERS = ("headers", "trailers")  # header fields, kept only if somebody asks
_NUMBER = inspect.IntType()

Connections = Sequence[tuple[model.Connection, dict[str, Any]]]


@dataclasses.dataclass(frozen=True)
class Difference:
    """A field that is not as expected. `connection` is the id in the capture; packets are the first and the last one
    to look at. Both are None where the whole capture is meant. `line` is that of the file with the expectation."""

    field: str
    expected: str
    seen: str
    line: int
    connection: int | None = None
    first_packet: int | None = None
    last_packet: int | None = None

    def packets(self) -> str:
        """`38`, `38–42`, or nothing."""
        if self.first_packet is None:
            return ""
        return f"{self.first_packet}" + (f"–{self.last_packet}" if self.last_packet != self.first_packet else "")


@dataclasses.dataclass(frozen=True)
class Item:
    """An element of `connections`: what is expected, and of which connections."""

    path: Path
    fields: dict[str, Any]
    where: Predicate | None
    count: Any


def as_seen(connections: Sequence[model.Connection]) -> Connections:
    """Connections in order of their first packets, with what JSON says of them, `server_port` and `server_name`."""
    return [
        (one, msgspec.to_builtins(one) | {"server_port": one.server.port, "server_name": _server_name(one)})
        for one in sorted(connections, key=lambda connection: connection.id)
    ]


def _server_name(connection: model.Connection) -> str | None:
    """The name that TLS asked for, of the connection itself or inside its tunnel."""
    return next((tls.server_name for tls in words.secured(connection) if tls.server_name is not None), None)


class Expectations:
    """The content of one `expect.yaml`.

    `name` is the file's, for messages; `totals` are the counts that a capture has. Raises UsageError, with the line,
    for what is no YAML, names what there is not, or expects what can never be.
    """

    def __init__(self, text: bytes, name: str, totals: Sequence[str]):
        self._root, data = _load(text, name)
        try:
            self._take(data, totals)
        except WrongExpectationError as error:
            where = written(error.path) or "the file"
            raise UsageError(f"{name}:{self.line(error.path)}: {where} {error.reason}") from None

    def _take(self, data: Any, totals: Sequence[str]) -> None:
        fields: dict[str, inspect.Type] = {
            "capture": inspect.StrType(),
            "match": inspect.LiteralType(_MATCHES),
            "connections": inspect.ListType(inspect.AnyType()),
            "totals": inspect.DictType(inspect.StrType(), _NUMBER),
        }
        if not isinstance(data, dict):
            raise WrongExpectationError((), f"holds no expectations: it is a mapping of {', '.join(_TOP)}")
        connections = data.get("connections")
        check_fields({key: value for key, value in data.items() if key not in ("connections", "claims")}, fields, ())
        for key in data.get("totals", {}):
            if key not in totals:
                raise WrongExpectationError(("totals",), f"has no field {key!r}{offer(str(key), totals)}")
        if connections is None and not data.get("totals") and not data.get("claims"):
            raise WrongExpectationError((), "expects nothing: name connections, totals or claims")
        if connections is not None and not isinstance(connections, list):
            raise WrongExpectationError(("connections",), f"is a list, not {shown(connections)}")
        self.capture: str | None = data.get("capture")  # the file, where the folder has several
        self._totals: dict[str, Any] = data.get("totals", {})
        self.claims: dict[str, Any] = data.get("claims", {})
        if "claims" in data:
            _check_claims(self.claims)
        self._by: str | None = data["match"] if data.get("match") in _BY else None
        self.items = None if connections is None else [_item(one, at) for at, one in enumerate(connections)]
        self.needs_headers = _names(connections, _WITH_HEADERS)
        self._check_matching()

    def _check_matching(self) -> None:
        """What is not matched by `where` must be matched in one way that leaves no doubt."""
        rest = [item for item in self.items or () if item.where is None]
        if self._by is not None:
            for item in rest:
                if not isinstance(item.fields.get(self._by), _BY[self._by][0]):
                    raise WrongExpectationError(item.path, f"needs a {self._by}, or where: match is {self._by}")
        elif rest and len(rest) != len(self.items or ()):
            raise WrongExpectationError(
                rest[0].path, "has no where, but others have: give it to all, or say match: server_port"
            )

    def line(self, path: Path) -> int:
        """The line where a path stands in the file, or the nearest one above it that does. Counts from 1."""
        node, line = self._root, 1
        for part in path:
            found = None
            if isinstance(node, yaml.MappingNode):
                found = next((pair for pair in node.value if pair[0].value == part), None)
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                found = (node.value[part],) * 2
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        return line

    def differences(
        self, seen: Connections, totals: Mapping[str, int], claims: Sequence[Judged] = ()
    ) -> Iterator[Difference]:
        """Where a capture is not as expected. `claims`: how those that `self.claims` names were judged."""
        for item in self.items or ():
            if item.where is not None:
                yield from self._selected(item, selected(item, seen))
        for items, have, which in self.listed(seen):
            yield from self._in_order(items, have, which)
        for path, expected, found in differences(self._totals, totals, ("totals",)):
            yield Difference(written(path), expected, found, self.line(path))
        yield from self._claimed(claims)

    def listed(self, seen: Connections) -> Iterator[tuple[list[Item], Connections, str]]:
        """The elements without `where`, group by group, with the connections that must be just these, in order. The
        third says in a message which they are."""
        items = [item for item in self.items or () if item.where is None]
        if self._by is not None:
            for value in dict.fromkeys(item.fields[self._by] for item in items):
                named = [item for item in items if item.fields[self._by] == value]
                yield named, [pair for pair in seen if pair[1][self._by] == value], f" {_BY[self._by][1]} {value}"
        elif items or self.items == []:
            yield items, seen, ""

    def _claimed(self, claims: Sequence[Judged]) -> Iterator[Difference]:
        for claim in claims:
            path: Path = ("claims", claim.id)
            for _, expected, found in differences(self.claims.get(claim.id, claim.verdict), claim.verdict):
                first, last = (min(claim.packets), max(claim.packets)) if claim.packets else (None, None)
                said = f"{found}: {claim.seen}"
                yield Difference(written(path), expected, said, self.line(path), None, first, last)

    def _selected(self, item: Item, found: Connections) -> Iterator[Difference]:
        """Of the connections for which `where` holds."""
        for _, expected, _ in differences(item.count, len(found)):
            path = (*item.path, "where")
            yield Difference(
                written(path), f"{expected} matching", _listed(found), self.line(path), *_span_of_all(found)
            )
        for pair in found:
            yield from self._of_one(item, pair)

    def _in_order(self, items: Sequence[Item], seen: Connections, which: str) -> Iterator[Difference]:
        if len(items) != len(seen):
            path: Path = items[0].path[:1] if items else ("connections",)
            yield Difference(
                written(path), f"{len(items)}{which}", _listed(seen), self.line(path), *_span_of_all(seen[len(items) :])
            )
            return
        for item, pair in zip(items, seen, strict=True):
            yield from self._of_one(item, pair)

    def _of_one(self, item: Item, pair: tuple[model.Connection, dict[str, Any]]) -> Iterator[Difference]:
        connection, seen = pair
        for path, expected, found in differences(item.fields, seen, item.path):
            first, last = _packets(seen, path[len(item.path) :])
            yield Difference(written(path), expected, found, self.line(path), connection.id, first, last)


def selected(item: Item, seen: Connections) -> Connections:
    """The connections that an element with `where` is about."""
    return [pair for pair in seen if item.where is not None and item.where(pair[0])]


def _load(text: bytes, name: str) -> tuple[yaml.Node | None, Any]:
    """The nodes of a YAML document, which know their lines, and the data."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        root = loader.get_single_node()
        _refuse_doubles(root, name)
        return root, None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise UsageError(f"{name}{line}: is no YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{name}: is no YAML that can be read: {' '.join(str(error).split())}") from None
    finally:
        loader.dispose()


def _refuse_doubles(root: yaml.Node | None, name: str) -> None:
    """YAML loaders take the last of two equal keys (YAML 1.2.2 §3.2.1.3 forbids them): an expectation would be lost."""
    todo, known = [root], set()
    while todo:
        node = todo.pop()
        if id(node) in known:  # an alias
            continue
        known.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            todo += node.value
        elif isinstance(node, yaml.MappingNode):
            keys = set()
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value in keys:
                    raise UsageError(
                        f"{name}:{key.start_mark.line + 1}: {key.value!r} is there twice: keep one of them"
                    )
                keys.add(key.value if isinstance(key, yaml.ScalarNode) else None)
                todo += (key, value)


def _item(value: Any, at: int) -> Item:
    """An element of `connections`."""
    path: Path = ("connections", at)
    check_fields(value, _fields(), path)
    where, count = value.get("where"), value.get("count")
    if count is not None and where is None:
        raise WrongExpectationError((*path, "count"), "is how many match where: it cannot stand alone")
    try:
        predicate = None if where is None else parse_filter(where)
    except UsageError as error:
        raise WrongExpectationError((*path, "where"), f"cannot be used: {error}") from None
    rest = {key: one for key, one in value.items() if key not in ("where", "count")}
    return Item(path, rest, predicate, 1 if count is None else count)


def _check_claims(expected: Any) -> None:
    from analyzer.reporter.claims.article import CLAIMS
    from analyzer.reporter.claims.found import Verdict

    kind = inspect.LiteralType(get_args(Verdict))
    check_fields(expected, {claim.id: kind for claim in CLAIMS}, ("claims",))


@functools.cache
def _fields() -> dict[str, inspect.Type]:
    """What an element of `connections` may name."""
    kind = inspect.type_info(model.Connection)
    assert isinstance(kind, inspect.StructType)
    of_json = {field.encode_name: field.type for field in kind.fields}
    name = inspect.UnionType((inspect.StrType(), inspect.NoneType()))
    return {"where": inspect.StrType(), "count": _NUMBER, "server_port": _NUMBER, "server_name": name, **of_json}


def _names(value: Any, keys: Sequence[str]) -> bool:
    """Whether one of these keys is used somewhere. The value has been checked, so it is as deep as the model."""
    if isinstance(value, dict):
        return any(key in keys or _names(one, keys) for key, one in value.items())
    return isinstance(value, list) and any(_names(one, keys) for one in value)


def _listed(connections: Connections) -> str:
    """`3: #0, #4, #7`."""
    ids = [f"#{one.id}" for one, _ in connections[:_NAMED]] + ["…"] * (len(connections) > _NAMED)
    return f"{len(connections)}{': ' if ids else ''}{', '.join(ids)}"


def _span_of_all(connections: Connections) -> tuple[None, int | None, int | None]:
    """No connection, and the packets of these."""
    if not connections:
        return None, None, None
    return None, min(one.first_packet for one, _ in connections), max(one.last_packet for one, _ in connections)


# Which packets to look at: those of the innermost part around a field that has any.


def _packets(seen: Any, path: Path) -> tuple[int | None, int | None]:
    around = [seen]
    for part in path:
        try:
            seen = seen[part]
        except (KeyError, IndexError, TypeError):
            break
        around.append(seen)
    for part in reversed(around):
        if numbers := list(_numbers(part)):
            return min(numbers), max(numbers)
    return None, None


def _numbers(part: Any) -> Iterator[int]:
    """The packets that a part of the report names itself, or its steps, messages and verdict do."""
    if isinstance(part, list):
        for one in part:
            yield from _numbers(one)
    elif isinstance(part, dict):
        for key in ("packet", "first_packet", "last_packet"):
            if isinstance(part.get(key), int):
                yield part[key]
        if "capture" not in part:  # a connection names its first and last
            for key in ("steps", "divergence", "handshakes", "request", "response", "reset"):
                yield from _numbers(part.get(key))
