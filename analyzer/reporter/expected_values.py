"""What an `expect.yaml` may say of a field: whether it fits the model, and whether what was seen is as expected.

A value stands for itself. Of numbers it may be a range, `">=3"` or `"1..5"`; of numbers and words also
`{any_of: [a, b]}`, and of words `{like: "no secret for *"}`, a glob. A list is compared element by element, or
`{length: ">=3", each: {…}}` says how long it is and what holds for every element. Of a mapping only the fields that
are named are compared.
"""

from __future__ import annotations

import difflib
import fnmatch
import operator
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import inspect

Path = tuple[str | int, ...]  # keys and indices, from the top of the file
_SCALARS = (str, int, float, bool, type(None))
_BOUND = re.compile(r"(>=|<=|>|<)\s*(\d{1,18})")
_SPAN = re.compile(r"(\d{1,18})\s*\.\.\s*(\d{1,18})")
_ORDER: dict[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_OF_LISTS = ("length", "each")


class Nothing:
    """What is seen where a mapping has no such key."""


NOTHING = Nothing()


class WrongExpectationError(Exception):
    """What is written at `path` cannot be expected: `reason` tells what there is instead."""

    def __init__(self, path: Path, reason: str):
        super().__init__(reason)
        self.path, self.reason = path, reason


def range_check(text: str) -> Callable[[int], bool] | None:
    """The test that `">=3"` or `"1..5"` (both included) stands for; None if it is no range."""
    if match := _BOUND.fullmatch(text.strip()):
        compare, limit = _ORDER[match[1]], int(match[2])
        return lambda number: compare(number, limit)
    if match := _SPAN.fullmatch(text.strip()):
        low, high = int(match[1]), int(match[2])
        return lambda number: low <= number <= high
    return None


# Whether it can be expected.


def check(value: Any, kind: inspect.Type, path: Path) -> None:
    """Raises WrongExpectationError where `value` could never be that of a field of this kind."""
    kinds = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    if value is None:
        if not any(isinstance(one, inspect.NoneType) or _allows_none(one) for one in kinds):
            raise WrongExpectationError(path, "is never null")
        return
    (kind,) = (one for one in kinds if not isinstance(one, inspect.NoneType))
    if isinstance(kind, inspect.StructType):
        check_fields(value, {field.encode_name: field.type for field in kind.fields}, path)
    elif isinstance(kind, inspect.ListType):
        _check_list(value, kind.item_type, path)
    elif isinstance(kind, inspect.TupleType):
        if not isinstance(value, list) or len(value) != len(kind.item_types):
            raise WrongExpectationError(path, f"is a list of {len(kind.item_types)}, not {shown(value)}")
        for at, (one, of) in enumerate(zip(value, kind.item_types, strict=True)):
            check(one, of, (*path, at))
    elif isinstance(kind, inspect.DictType):
        for key, one in _mapping(value, path).items():
            check(one, kind.value_type, (*path, key))
    elif isinstance(value, dict):
        if value.keys() == {"like"} and isinstance(value["like"], str) and not isinstance(kind, inspect.IntType):
            return
        alternatives = value.get("any_of")
        if value.keys() != {"any_of"} or not isinstance(alternatives, list) or not alternatives:
            raise WrongExpectationError(path, "is a single value, {any_of: [one, another]}, or of a text {like: glob}")
        for at, one in enumerate(alternatives):
            if not isinstance(one, _SCALARS):
                raise WrongExpectationError((*path, "any_of", at), "is a single value")
            if one is not None:
                check(one, kind, (*path, "any_of", at))
    else:
        _check_scalar(value, kind, path)


def check_fields(value: Any, fields: dict[str, inspect.Type], path: Path) -> None:
    """As `check`, of a mapping with these fields."""
    for key, one in _mapping(value, path).items():
        if key not in fields:
            raise WrongExpectationError(path, f"has no field {key!r}{offer(str(key), fields)}")
        check(one, fields[key], (*path, key))


def offer(word: str, there_are: Iterable[str]) -> str:
    """What may be meant, and what there is, to end a message with."""
    names = list(there_are)
    close = difflib.get_close_matches(word, names, n=1)
    return f"{f'; did you mean {close[0]}?' if close else ';'} there are {', '.join(names)}"


def _mapping(value: Any, path: Path) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise WrongExpectationError(path, f"is a mapping of fields, not {shown(value)}")
    if wrong := [key for key in value if not isinstance(key, str)]:
        raise WrongExpectationError(path, f"has no field {shown(wrong[0])}: put names in quotation marks")
    return value


def _check_list(value: Any, kind: inspect.Type, path: Path) -> None:
    if isinstance(value, dict):
        for key, one in value.items():
            if key not in _OF_LISTS:
                raise WrongExpectationError(path, f"has no {key!r}: of a list there are {' and '.join(_OF_LISTS)}")
            check(one, inspect.IntType() if key == "length" else kind, (*path, key))
    elif isinstance(value, list):
        for at, one in enumerate(value):
            check(one, kind, (*path, at))
    else:
        raise WrongExpectationError(path, f"is a list, or {{length: …, each: …}}, not {shown(value)}")


def _check_scalar(value: Any, kind: inspect.Type, path: Path) -> None:
    if isinstance(kind, inspect.LiteralType):
        if value not in kind.values:
            raise WrongExpectationError(path, f"is never {shown(value)}; there are {', '.join(map(str, kind.values))}")
    elif isinstance(kind, inspect.IntType):
        ranged = isinstance(value, str) and range_check(value)
        if isinstance(value, bool) or not (isinstance(value, int) or ranged):
            raise WrongExpectationError(path, f'is a number such as 3, ">=3" or "1..5", not {shown(value)}')
    elif isinstance(kind, inspect.BoolType):
        if not isinstance(value, bool):
            raise WrongExpectationError(path, f"is true or false, not {shown(value)}")
    elif not isinstance(value, str):
        raise WrongExpectationError(path, f"is a text, not {shown(value)}: put it in quotation marks")


def _allows_none(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.LiteralType) and None in kind.values


# Whether it is as expected.


def differences(expected: Any, seen: Any, path: Path = ()) -> Iterator[tuple[Path, str, str]]:
    """Where `seen`, as JSON would have it, is not what `expected` names: the path, and both in words."""
    if isinstance(expected, dict) and "any_of" in expected:
        if not any(_same(one, seen) for one in expected["any_of"]):
            yield path, " or ".join(map(shown, expected["any_of"])), shown(seen)
    elif isinstance(expected, dict) and "like" in expected:
        if not (isinstance(seen, str) and fnmatch.fnmatchcase(seen, expected["like"])):
            yield path, f"like {expected['like']}", shown(seen)
    elif isinstance(expected, dict) and isinstance(seen, dict):
        for key, one in expected.items():
            yield from differences(one, seen.get(key, NOTHING), (*path, key))
    elif isinstance(expected, dict) and isinstance(seen, list):
        if "length" in expected:
            yield from differences(expected["length"], len(seen), (*path, "length"))
        if "each" in expected:
            for at, one in enumerate(seen):
                yield from differences(expected["each"], one, (*path, at))
    elif isinstance(expected, list) and isinstance(seen, list | tuple) and len(expected) == len(seen):
        for at, (one, other) in enumerate(zip(expected, seen, strict=True)):
            yield from differences(one, other, (*path, at))
    elif not _same(expected, seen):
        yield path, shown(expected), shown(seen)


def _same(expected: Any, seen: Any) -> bool:
    if isinstance(expected, str) and isinstance(seen, int) and (fits := range_check(expected)):
        return fits(seen)
    return bool(expected == seen)


def shown(value: Any) -> str:
    """A value in a message, as YAML writes it; of what is long or deep only how much there is."""
    if value is None:
        return "null"
    if value is NOTHING:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        if all(isinstance(one, _SCALARS) for one in value):
            return f"[{', '.join(map(shown, value))}]"
        return f"{len(value)} element{'' if len(value) == 1 else 's'}"
    if isinstance(value, dict):
        named = (f"{key}: {shown(one)}" for key, one in value.items() if isinstance(one, _SCALARS))
        return f"{{{', '.join(named)}}}"
    return str(value)


def written(path: Path) -> str:
    """`connections[0].close.flow`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
