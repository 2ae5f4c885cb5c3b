"""`analyzer check --update`: an `expect.yaml` brought up to date, or a new one.

What is not as expected is replaced by what was seen; everything else stays as it was written, comments included. A
range stays a range and is made as wide as it must be; a glob that no longer fits becomes the text itself.
"""

from __future__ import annotations

import difflib
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString
from ruamel.yaml.util import load_yaml_guess_indent

from analyzer.errors import UsageError
from analyzer.reporter.claims.found import Judged
from analyzer.reporter.expectation_drafts import Draft, described, draft, of_connection
from analyzer.reporter.expectations import Connections, Expectations, Item, selected
from analyzer.reporter.expected_values import NOTHING, Path, differences, range_check

_WIDE: Final = 100  # columns that a mapping on one line may take
_NEVER_FOLDED: Final = 1_000_000


def created(seen: Connections, totals: Mapping[str, int], capture: str | None = None) -> bytes:
    """A new `expect.yaml`. `capture` is named where the folder has several."""
    content: Draft = {} if capture is None else {"capture": capture}
    return _dumped(_editor(2, 4), _written_out(content | draft(seen, totals)))


def updated(
    text: bytes,
    name: str,
    expectations: Expectations,
    seen: Connections,
    totals: Mapping[str, int],
    claims: Sequence[Judged] = (),
) -> bytes:
    """The text of an `expect.yaml` with what was seen in place of what is not as expected.

    Some things have no place in it, such as two values of one field of all connections that a `where:` is about where
    the field is no single value: they stay as they were. Raises UsageError for YAML that cannot be edited.
    """
    if not any(True for _ in expectations.differences(seen, totals, claims)):
        return text
    try:
        _, indent, offset = load_yaml_guess_indent(text.decode("utf-8-sig"))
        editor = _editor(offset or 0, max(indent or 2, (offset or 0) + 2))
        root = editor.load(text.decode("utf-8-sig"))
    except (YAMLError, UnicodeDecodeError, ValueError) as error:
        problem = " ".join(str(error).split())
        raise UsageError(f"{name}: cannot be edited: {problem}. Correct it by hand") from None
    if expectations.items is not None:
        _connections(root["connections"], expectations, seen)
    if root.get("totals"):
        _refreshed(root["totals"], [dict(totals)], ("totals",))
    if root.get("claims"):
        _refreshed(root["claims"], [{one.id: one.verdict for one in claims}], ("claims",))
    return _dumped(editor, root)


def _connections(elements: CommentedSeq, expectations: Expectations, seen: Connections) -> None:
    gone: set[int] = set()
    new: dict[int, list[Draft]] = {}  # after which element
    for item in expectations.items or ():
        if item.where is not None:
            _selected(elements[_place(item)], item, selected(item, seen))
    for items, have, _ in expectations.listed(seen):
        last = _place(items[0]) - 1 if items else -1
        for one, pair in _aligned(items, have):
            if one is not None:
                last = _place(one)
            if pair is None:
                gone.add(last)
            elif one is None:
                new.setdefault(last, []).append(of_connection(pair[1]))
            else:
                _refreshed(elements[last], [pair[1]], one.path)
    for at in sorted(gone | new.keys(), reverse=True):
        for found in reversed(new.get(at, ())):
            elements.insert(at + 1, _written_out(found))
        if at in gone:
            del elements[at]


def _place(item: Item) -> int:
    at = item.path[1]
    assert isinstance(at, int)
    return at


def _selected(element: CommentedMap, item: Item, found: Connections) -> None:
    """An element with `where`: how many there are, and what holds for all of them."""
    if "count" in element:
        element["count"] = _refreshed(element["count"], [len(found)], (*item.path, "count"))
    elif len(found) != 1:
        element.insert(list(element).index("where") + 1, "count", len(found))
    if found:
        _refreshed(element, [report for _, report in found], item.path, skip=("where", "count"))


def _aligned(items: Sequence[Item], seen: Connections) -> list[tuple[Item | None, Any]]:
    """Which element describes which connection: by ports as far as elements name them, else in order."""
    ports = [item.fields.get("server_port") for item in items]
    if not all(isinstance(port, int) for port in ports):
        both = min(len(items), len(seen))
        return [
            *zip(items, seen, strict=False),
            *((item, None) for item in items[both:]),
            *((None, pair) for pair in seen[both:]),
        ]
    matcher = difflib.SequenceMatcher(a=ports, b=[report["server_port"] for _, report in seen], autojunk=False)
    found: list[tuple[Item | None, Any]] = []
    for _, first, end, start, stop in matcher.get_opcodes():
        both = min(end - first, stop - start)
        found += zip(items[first : first + both], seen[start : start + both], strict=True)
        found += ((item, None) for item in items[first + both : end])
        found += ((None, pair) for pair in seen[start + both : stop])
    return found


def _refreshed(expected: Any, seen: list[Any], path: Path, skip: Sequence[str] = ()) -> Any:
    """What to expect of values of which each must be as expected: the same object, edited, or a new one."""
    if not any(True for one in seen for _ in differences(expected, one)):
        return expected
    if isinstance(expected, dict):
        if "any_of" in expected:
            for one in seen:
                if any(True for _ in differences(expected, one)) and _is_single(one):
                    expected["any_of"].append(_plain(one))
            return expected
        if "like" in expected:
            return _one_of(seen, expected, path)
        if all(isinstance(one, dict) for one in seen):
            for key in [key for key in expected if key not in skip]:
                _field(expected, key, [one.get(key, NOTHING) for one in seen], (*path, key))
            return expected
        if all(isinstance(one, list) for one in seen):
            if "length" in expected:
                expected["length"] = _refreshed(expected["length"], [len(one) for one in seen], (*path, "length"))
            if "each" in expected:
                flat = [element for one in seen for element in one]
                expected["each"] = _refreshed(expected["each"], flat, (*path, 0))
            return expected
    if isinstance(expected, list) and all(isinstance(one, list | tuple) for one in seen):
        return _list(expected, seen, path)
    if isinstance(expected, str) and range_check(expected) and all(isinstance(one, int) for one in seen):
        return _wider(expected, seen)
    return _one_of(seen, expected, path)


def _field(expected: dict[str, Any], key: str, seen: list[Any], path: Path) -> None:
    """A field of a mapping; one that is nowhere any more is no longer expected."""
    if all(one is NOTHING for one in seen):
        del expected[key]
    elif all(one is not NOTHING for one in seen):
        new = _refreshed(expected[key], seen, path)
        if new is not expected[key]:
            expected[key] = new


def _list(expected: list[Any], seen: list[Any], path: Path) -> Any:
    """A list that names its elements one by one: of further ones the fields are expected that the last one named."""
    if len({len(one) for one in seen}) > 1:
        return expected
    number = len(seen[0])
    for at in range(min(number, len(expected))):
        expected[at] = _refreshed(expected[at], [one[at] for one in seen], (*path, at))
    last = expected[-1] if expected else None
    for at in range(len(expected), number):
        found = [_like_before(last, one[at], (*path, at)) for one in seen]
        if any(one != found[0] for one in found):
            return expected
        expected.append(_written_out(found[0]))
    del expected[number:]
    return expected


def _like_before(example: Any, value: Any, path: Path) -> Any:
    """What to expect of a further element: the same fields as of `example`."""
    if not isinstance(example, dict) or not isinstance(value, dict) or {"any_of", "like"} & example.keys():
        return described(path, value)
    found = {}
    for key, one in example.items():
        if key in value:
            deeper = (*path, key)
            found[key] = (
                _like_before(one, value[key], deeper) if isinstance(one, dict) else described(deeper, value[key])
            )
    return found


def _one_of(seen: list[Any], expected: Any, path: Path) -> Any:
    """The one value that was seen, or `any_of` several. Where that cannot be said, what was expected."""
    found = [described(path, one) for one in seen]
    distinct = [one for at, one in enumerate(found) if one not in found[:at]]
    if len(distinct) == 1:
        return _written_out(distinct[0])
    if all(_is_single(one) for one in distinct):
        return _written_out({"any_of": distinct})
    return expected


def _wider(expected: str, seen: list[int]) -> str:
    low, high = min(seen), max(seen)
    bounds = [int(number) for number in re.findall(r"\d+", expected)]
    if len(bounds) == 2:
        new = f"{min(low, bounds[0])}..{max(high, bounds[1])}"
    else:
        new = f">={low}" if ">" in expected else f"<={high}"
    quoted: str = DoubleQuotedScalarString(new)
    return quoted


def _is_single(value: Any) -> bool:
    return value is None or isinstance(value, str | int)


# How it is written.


class _Representer(RoundTripRepresenter):
    """`null` is written out: an empty value reads like a forgotten one."""


def _null(representer: Any, value: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


_Representer.add_representer(type(None), _null)


def _editor(offset: int, indent: int) -> YAML:
    """`offset`, `indent`: columns before the hyphen of a list and before what follows it."""
    editor = YAML()
    editor.Representer = _Representer
    editor.width = _NEVER_FOLDED
    editor.preserve_quotes = True
    editor.brace_single_entry_mapping_in_flow_sequence = True
    editor.allow_unicode = True
    editor.indent(mapping=2, sequence=indent, offset=offset)
    return editor


def _dumped(editor: YAML, root: Any) -> bytes:
    stream = io.StringIO()
    editor.dump(root, stream)
    return stream.getvalue().encode()


def _written_out(value: Any) -> Any:
    """Mappings and lists as ruamel writes them: on one line where they are short."""
    if isinstance(value, dict):
        mapping = CommentedMap((_plain(key), _written_out(one)) for key, one in value.items())
        if _width(value) <= _WIDE and not any(map(_is_table, value.values())):
            mapping.fa.set_flow_style()
        return mapping
    if isinstance(value, list):
        sequence = CommentedSeq(_written_out(one) for one in value)
        if not value or all(_is_single(one) for one in value):
            sequence.fa.set_flow_style()
        return sequence
    return _plain(value)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(one, dict) for one in value)


def _width(value: Any) -> int:
    """Columns on one line, about."""
    if isinstance(value, dict):
        return sum(len(str(key)) + _width(one) + 4 for key, one in value.items())
    if isinstance(value, list):
        return 2 + sum(_width(one) + 2 for one in value)
    return len(str(value))


def _plain(value: Any) -> Any:
    """A text in quotation marks unless every version of YAML takes it for what it is: ruamel writes version 1.2, and
    the file is read as version 1.1."""
    if not isinstance(value, str):
        return value
    as_read = _RESOLVER.resolve(yaml.ScalarNode, value, (True, False))
    harmless = as_read == "tag:yaml.org,2002:str" and _HARMLESS.fullmatch(value)
    return value if harmless else DoubleQuotedScalarString(value)


_HARMLESS: Final = re.compile(r"[A-Za-z/]([A-Za-z0-9_/. =>+-]*[A-Za-z0-9_/])?")
_RESOLVER: Final = yaml.resolver.Resolver()
