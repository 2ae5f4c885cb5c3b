"""Reads a Mermaid sequence diagram as the expression it stands for.

Only the part of Mermaid that has one clear meaning as a flow is understood (docs/flows.md); anything else is refused
with the line and the reason, because a diagram that renders but means something else would be worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final, NoReturn

import msgspec

from analyzer.errors import FlowPageError
from analyzer.flows.expression import (
    CLIENT,
    EITHER,
    RETRANSMISSION,
    SERVER,
    AttributeTest,
    Beginning,
    Branch,
    Choice,
    Expression,
    Interleave,
    Loop,
    Option,
    Reference,
    Shaded,
    Step,
    sequence,
    span_of,
)

# States grow with the product of the branches; four is what protocols need.
MAX_BRANCHES: Final = 4
# A person cannot read deeper nesting, and the functions over the expression recurse.
MAX_DEPTH: Final = 16

_SIDES: Final = {"Client": CLIENT, "Server": SERVER}
_MESSAGE = re.compile(
    r"(?P<sender>\w+?)\s*(?P<arrow>-->>|->>|-->|->|--x|-x)\s*[+-]?\s*(?P<receiver>\w+)\s*(?P<rest>:.*)?"
)
_PARTICIPANT = re.compile(r"(?:participant|actor)\s+(?P<id>\w+)(?:\s+as\s+(?P<label>.+))?")
_NOTE = re.compile(
    r"note\s+(?P<where>over|left of|right of)\s+(?P<who>\w+(?:\s*,\s*\w+)?)\s*:(?P<text>.*)", re.IGNORECASE
)
_REFERENCE = re.compile(r"ref\s+(?P<scope>[^\s\[]+)\s*(?P<tests>\[.*)?")
_BEGINNING: Final = "beginning"  # the reference that is to no scope
_ACTIVATION = re.compile(r"(?:activate|deactivate)\s+(?P<id>\w+)")
_AUTONUMBER = re.compile(r"autonumber(?:\s+(?:off|\d+(?:\s+\d+)?))?")
_BLOCK = re.compile(r"(?P<kind>opt|alt|else|loop|par|and|rect|end)(?:\s+(?P<title>.*))?")

_NAME = re.compile(r'[^\[\],"#;]*')
_TESTS = re.compile(r'\[((?:[^\]"]|"[^"]*")*)\]\s*')
_VALUE: Final = r'(?:"[^"]*"|[^\s"\]#;|]+)'
_TEST = re.compile(
    r"\s*(?P<negated>!?)(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)"
    rf"(?:(?P<operator>!=|<=|>=|=|<|>)(?P<values>{_VALUE}(?:\|{_VALUE})*))?(?=\s|$)"
)
_VALUES = re.compile(_VALUE)
# In Mermaid `#` begins a character code and `;` ends a statement, so both must be written as codes.
_CODES: Final = {"#35;": "#", "#59;": ";"}
_CODE = re.compile(r"#35;|#59;|[#;]")

_OPENED_BY: Final = {"else": "alt", "and": "par"}

FLOW: Final = "flow"  # in a vocabulary: references may name the flow, as `ref tls/1.3-full`
HEADERS: Final = "header.*"  # in a vocabulary: any field whose name begins so


class _Branch(msgspec.Struct):
    title: str
    line: int
    place: int
    items: list[Expression] = msgspec.field(default_factory=list)


class _Block(msgspec.Struct):
    kind: str
    line: int
    branches: list[_Branch]


class _Parser(msgspec.Struct):
    path: str
    line: int
    steps: Collection[str] | None
    attributes: Mapping[str, str] | None
    single_numbers: bool = False  # the tests are for a compiled stage
    sides: dict[str, int] = msgspec.field(default_factory=dict)  # participant id -> side
    blocks: list[_Block] = msgspec.field(default_factory=list)
    places: int = 0
    lines: dict[int, int] = msgspec.field(default_factory=dict)  # place -> line

    def fail(self, reason: str, line: int | None = None) -> NoReturn:
        raise FlowPageError(self.path, self.line if line is None else line, reason)

    def place(self) -> int:
        self.places += 1
        self.lines[self.places] = self.line
        return self.places

    def parse(self, text: str) -> Expression:
        first = self.line
        self.blocks = [_Block("diagram", first, [_Branch("", first, 0)])]
        begun = False
        for number, raw in enumerate(text.split("\n"), first):
            self.line, statement = number, raw.strip()
            if not statement or statement.startswith("%%"):
                continue
            if begun:
                self.statement(statement)
            elif statement == "sequenceDiagram":
                begun = True
            else:
                self.fail("a flow is a Mermaid sequence diagram: the first line must be `sequenceDiagram`")
        if not begun:
            self.fail("the diagram is empty: begin it with `sequenceDiagram`", first)
        if len(self.blocks) > 1:
            block = self.blocks[-1]
            self.fail(f"this `{block.kind}` is never closed: add `end`", block.line)
        items = self.blocks[0].branches[0].items
        if not items:
            self.fail("the diagram has no message: write at least one, as `Client->>Server: SYN`", first)
        return sequence(*items)

    def statement(self, text: str) -> None:
        if match := _MESSAGE.fullmatch(text):
            self.message(match)
        elif match := _BLOCK.fullmatch(text):
            self.block(match["kind"], self.unescape((match["title"] or "").strip()))
        elif match := _NOTE.fullmatch(text):
            self.note(match)
        elif match := _PARTICIPANT.fullmatch(text):
            self.participant(match["id"], (match["label"] or match["id"]).strip())
        elif match := _ACTIVATION.fullmatch(text):
            self.side(match["id"])
        elif not _AUTONUMBER.fullmatch(text):
            self.fail(
                f"cannot read `{text[:60]}`: a flow page may use participant, messages (->>, -->>, ->, -->, -x, --x), "
                "opt, alt/else, loop, par/and, rect, end, Note, autonumber, activate and %% comments"
            )

    # Participants

    def participant(self, name: str, label: str) -> None:
        side = _SIDES.get(label)
        if side is None:
            self.fail(f"unknown participant `{label}`: a flow has two, `Client` and `Server`")
        if name in self.sides or side in self.sides.values():
            self.fail(f"participant `{label}` is declared twice")
        self.sides[name] = side

    def side(self, name: str) -> int:
        side = self.sides.get(name)
        if side is None:
            # Mermaid draws an undeclared participant too, but as a third one if an alias of it stands there already.
            side = _SIDES.get(name)
            if side is None or side in self.sides.values():
                self.fail(f"unknown participant `{name}`: declare it, as `participant {name} as Client`")
            self.sides[name] = side
        return side

    # Messages

    def message(self, match: re.Match[str]) -> None:
        side = self.side(match["sender"])
        if self.side(match["receiver"]) == side:
            self.fail("a message goes from one side to the other")
        text = (match["rest"] or ":")[1:].strip()
        if not text:
            self.fail("empty message: name at least one step after the colon, as `Client->>Server: SYN`")
        self.items.extend(self.message_steps(side, text))

    @property
    def items(self) -> list[Expression]:
        return self.blocks[-1].branches[-1].items

    def message_steps(self, side: int, text: str) -> Iterator[Step]:
        at = 0
        while True:
            name_match = _NAME.match(text, at)
            assert name_match is not None  # it matches the empty string
            name, at = " ".join(name_match[0].split()), name_match.end()
            if not name:
                self.fail("empty step: a message is one or several names with commas, as `Certificate, Finished`")
            tests: tuple[AttributeTest, ...] = ()
            if text[at : at + 1] == "[":
                tests, at = self.bracket(name, text, at)
            self.check_step(name)
            yield Step(side, name, tests, self.place())
            if at == len(text):
                return
            if text[at] != ",":
                self.fail(
                    f"unexpected `{text[at]}` after `{name}`: names are separated by commas, tests go in [brackets]"
                )
            at += 1

    def bracket(self, name: str, text: str, at: int) -> tuple[tuple[AttributeTest, ...], int]:
        """The tests in the bracket that begins at `at`, and where it ends."""
        match = _TESTS.match(text, at)
        if match is None:
            self.fail(f"the bracket after `{name}` is never closed: values with `]` need quotes")
        return tuple(self.attribute_tests(name, match[1])), match.end()

    def check_step(self, name: str) -> None:
        if self.steps is None or name in self.steps:
            return
        from difflib import get_close_matches  # only when there is something to complain about

        close = get_close_matches(name, self.steps, 1)
        hint = f"did you mean `{close[0]}`?" if close else f"known are {', '.join(self.steps)}"
        self.fail(f"unknown step `{name}`: {hint}")

    def attribute_tests(self, step: str, text: str) -> Iterator[AttributeTest]:
        if not text.strip():
            self.fail(f"empty brackets after `{step}`: write a test, as `[payload>0]`, or leave them out")
        at, end = 0, len(text.rstrip())
        while at < end:
            match = _TEST.match(text, at)
            if match is None or (match["negated"] and match["operator"]):
                self.fail(
                    f"bad attribute test `{text[at:].strip()}`: write name, name=value, name=one|other, name!=value, "
                    "name<number, name>number or !name, no spaces around the sign, and quote values with space, ], |, "
                    '# or ; as name="a b"'
                )
            values = [
                self.unescape(value[1:-1]) if value[0] == '"' else value
                for value in _VALUES.findall(match["values"] or "")
            ]
            operator = match["operator"] or match["negated"]
            name = match["name"]
            if name.lower().startswith(HEADERS[:-1]):  # field names have no case, RFC 9110 §5.1
                name = name.lower()
            yield self.checked(AttributeTest(name, operator, values[0] if values else "", tuple(values[1:])))
            at = match.end()

    def checked(self, test: AttributeTest) -> AttributeTest:
        kind = "flag" if test.name == RETRANSMISSION.name else None
        if self.attributes is not None:
            named = HEADERS if test.name.startswith(HEADERS[:-1]) else test.name
            kind = self.attributes.get(named)
            if kind is None:
                self.fail(f"unknown attribute `{test.name}`: the steps here carry {', '.join(self.attributes)}")
        if kind == "flag":
            return self.flag(test)
        if kind == "number" and test.operator in ("", "!"):
            # So that a number is only ever compared with a number.
            return AttributeTest(test.name, "!=" if not test.operator else "=", "0")
        if test.operator == "!" and kind is not None and not test.name.startswith(HEADERS[:-1]):
            self.fail(f"bad attribute test `{test}`: that a text is not there can be told of header fields only")
        if test.operator in ("<", ">", "<=", ">="):
            return self.ordered(test)
        if kind == "number":
            for value in test.values:
                span = span_of(value)
                if span is None:
                    self.fail(
                        f"bad attribute test `{test}`: `{value}` is not a whole number, nor a range as 300..399 or 2xx"
                    )
                if span[0] > span[1]:
                    self.fail(f"bad attribute test `{test}`: the range `{value}` is empty, write the lower end first")
            if test.number is None and self.single_numbers:
                self.fail(
                    f"bad attribute test `{test}`: what is compared here is one number: use two tests, as "
                    f"`{test.name}>0 {test.name}<100`"
                )
        return test

    def flag(self, test: AttributeTest) -> AttributeTest:
        if test.name == RETRANSMISSION.name and test.operator:
            self.fail(f"bad attribute test `{test}`: `{test.name}` is true or not, write `[{test.name}]`")
        if test.operator == "!":
            return AttributeTest(test.name, "=", "false")
        if test.operator and f"{test}" != f"{test.name}=false":
            self.fail(
                f"bad attribute test `{test}`: `{test.name}` is true or not, write `[{test.name}]` or "
                f"`[{test.name}=false]`"
            )
        return test

    def ordered(self, test: AttributeTest) -> AttributeTest:
        if test.number is None:
            self.fail(f"bad attribute test `{test}`: `{'|'.join(test.values)}` is not a whole number")
        if self.single_numbers and test.operator in ("<=", ">="):
            # Compiled stages know < and > only; of whole numbers they say the same.
            by = 1 if test.operator == "<=" else -1
            return AttributeTest(test.name, test.operator[0], str(test.number + by))
        return test

    def unescape(self, text: str) -> str:
        def character(match: re.Match[str]) -> str:
            if match[0] not in _CODES:
                self.fail(f"`{match[0]}` means something else in Mermaid: write #35; for # and #59; for ;")
            return _CODES[match[0]]

        return _CODE.sub(character, text)

    # Notes

    def note(self, match: re.Match[str]) -> None:
        for name in match["who"].split(","):
            self.side(name.strip())
        reference = _REFERENCE.fullmatch(match["text"].strip())
        if not reference or match["where"].lower() != "over":
            return
        if reference["scope"] == _BEGINNING:
            self.items.append(Beginning())
            return
        scope, tests, at = reference["scope"], reference["tests"] or "", 0
        found: tuple[AttributeTest, ...] = ()
        if self.attributes is not None and FLOW in self.attributes and "/" in scope:
            scope, _, names = scope.partition("/")
            first, *others = (f"{scope}/{name}" for name in names.split("|"))
            found = (AttributeTest(FLOW, "=", first, tuple(others)),)
        self.check_step(f"ref {scope}")
        if tests:
            more, at = self.bracket(f"ref {scope}", tests, 0)
            found += more
        if at < len(tests):
            self.fail(f"unexpected `{tests[at:]}` after the reference: it stands alone on its line")
        self.items.append(Reference(scope, self.place(), found))

    # Blocks

    def block(self, kind: str, title: str) -> None:
        if kind == "end":
            if title:
                self.fail("`end` stands alone on its line")
            if len(self.blocks) == 1:
                self.fail("`end` closes nothing: no block is open here")
            self.check_branch()
            block = self.blocks.pop()
            self.items.append(self.expression(block))
        elif kind in _OPENED_BY:
            opener, block = _OPENED_BY[kind], self.blocks[-1]
            if block.kind != opener:
                self.fail(f"`{kind}` outside `{opener}`")
            self.check_branch()
            if kind == "and" and len(block.branches) == MAX_BRANCHES:
                self.fail(f"a `par` has at most {MAX_BRANCHES} branches")
            block.branches.append(_Branch(title, self.line, self.place()))
        else:
            if len(self.blocks) > MAX_DEPTH:
                self.fail(f"blocks are nested more than {MAX_DEPTH} deep")
            self.blocks.append(_Block(kind, self.line, [_Branch(title, self.line, self.place())]))

    def check_branch(self) -> None:
        block, branch = self.blocks[-1], self.blocks[-1].branches[-1]
        if not branch.items:
            kind = block.kind if len(block.branches) == 1 else {"alt": "else", "par": "and"}[block.kind]
            self.fail(f"this `{kind}` has no message; what may be absent is written as `opt`", branch.line)

    @staticmethod
    def expression(block: _Block) -> Expression:
        bodies = [sequence(*branch.items) for branch in block.branches]
        first = block.branches[0]
        match block.kind:
            case "opt":
                return Option(bodies[0], first.title, first.place)
            case "loop":
                return Loop(bodies[0], first.title, first.place)
            case "rect":
                return Shaded(bodies[0])
            case "par":
                return Interleave(tuple(bodies)) if len(bodies) > 1 else bodies[0]
            case _:
                branches = zip(bodies, block.branches, strict=True)
                return Choice(tuple(Branch(body, branch.title, branch.place) for body, branch in branches))


def parse(
    text: str,
    *,
    path: str = "<diagram>",
    line: int = 1,
    steps: Collection[str] | None = None,
    attributes: Mapping[str, str] | None = None,
    single_numbers: bool = False,
) -> Expression:
    """The expression a diagram stands for. `line` is the number of the diagram's first line in the file `path`.

    `steps` are the names a message may use, `attributes` what tests may compare and whether it is a "number", a
    "flag" or "text"; None leaves either unchecked. `single_numbers`: a number is compared with one number, not with a
    range. Raises FlowPageError, and nothing else, whatever `text` is.
    """
    return _Parser(path, line, steps, attributes, single_numbers).parse(text)


def parse_steps(
    text: str, *, path: str, line: int, steps: Collection[str], attributes: Mapping[str, str]
) -> tuple[Step, ...]:
    """The steps that a list of names with attribute tests stands for, of no side in particular."""
    return tuple(_Parser(path, line, steps, attributes).message_steps(EITHER, text))


def lines_of(text: str, line: int) -> dict[int, int]:
    """The line of each place of a diagram that could be parsed; `line` is that of its first."""
    parser = _Parser("", line, None, None)
    parser.parse(text)
    return parser.lines
