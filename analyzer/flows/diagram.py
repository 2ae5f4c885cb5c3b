"""Reads a Mermaid sequence diagram as the expression it stands for.

Only the part of Mermaid that has one clear meaning as a flow is understood (docs/flows.md); anything else is refused
with the line and the reason, because a diagram that renders but means something else would be worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn

from analyzer.errors import FlowPageError
from analyzer.flows.expression import (
    CLIENT,
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
_REFERENCE = re.compile(r"ref\s+(\S+)")
_BEGINNING: Final = "beginning"  # the reference that is to no scope
_ACTIVATION = re.compile(r"(?:activate|deactivate)\s+(?P<id>\w+)")
_AUTONUMBER = re.compile(r"autonumber(?:\s+(?:off|\d+(?:\s+\d+)?))?")
_BLOCK = re.compile(r"(?P<kind>opt|alt|else|loop|par|and|rect|end)(?:\s+(?P<title>.*))?")

_NAME = re.compile(r'[^\[\],"#;]*')
_TESTS = re.compile(r'\[((?:[^\]"]|"[^"]*")*)\]\s*')
_TEST = re.compile(
    r"\s*(?P<name>[A-Za-z_][A-Za-z0-9_.]*)"
    r'(?:(?P<operator>!=|=|<|>)(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s"\]#;]+)))?(?=\s|$)'
)
# In Mermaid `#` begins a character code and `;` ends a statement, so both must be written as codes.
_CODES: Final = {"#35;": "#", "#59;": ";"}
_CODE = re.compile(r"#35;|#59;|[#;]")

_OPENED_BY: Final = {"else": "alt", "and": "par"}


@dataclass(slots=True)
class _Branch:
    title: str
    line: int
    place: int
    items: list[Expression] = field(default_factory=list)


@dataclass(slots=True)
class _Block:
    kind: str
    line: int
    branches: list[_Branch]


@dataclass(slots=True)
class _Parser:
    path: str
    line: int
    steps: Collection[str] | None
    attributes: Mapping[str, str] | None
    sides: dict[str, int] = field(default_factory=dict)  # participant id -> side
    blocks: list[_Block] = field(default_factory=list)
    places: int = 0

    def fail(self, reason: str, line: int | None = None) -> NoReturn:
        raise FlowPageError(self.path, self.line if line is None else line, reason)

    def place(self) -> int:
        self.places += 1
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
                tests_match = _TESTS.match(text, at)
                if tests_match is None:
                    self.fail(f"the bracket after `{name}` is never closed: values with `]` need quotes")
                tests, at = tuple(self.attribute_tests(name, tests_match[1])), tests_match.end()
            self.check_step(name)
            yield Step(side, name, tests, self.place())
            if at == len(text):
                return
            if text[at] != ",":
                self.fail(
                    f"unexpected `{text[at]}` after `{name}`: names are separated by commas, tests go in [brackets]"
                )
            at += 1

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
            if match is None:
                self.fail(
                    f"bad attribute test `{text[at:].strip()}`: write name, name=value, name!=value, name<number or "
                    'name>number, no spaces around the sign, and quote values with space, ], # or ; as name="a b"'
                )
            value = match["bare"] if match["quoted"] is None else self.unescape(match["quoted"])
            yield self.checked(AttributeTest(match["name"], match["operator"] or "", value or ""))
            at = match.end()

    def checked(self, test: AttributeTest) -> AttributeTest:
        kind = "flag" if test.name == RETRANSMISSION.name else None
        if self.attributes is not None:
            kind = self.attributes.get(test.name)
            if kind is None:
                self.fail(f"unknown attribute `{test.name}`: the steps here carry {', '.join(self.attributes)}")
        if kind == "flag" and test.operator and (test.name == RETRANSMISSION.name or f"{test}" != f"{test.name}=false"):
            negated = "" if test.name == RETRANSMISSION.name else f" or `[{test.name}=false]`"
            self.fail(f"bad attribute test `{test}`: `{test.name}` is true or not, write `[{test.name}]`{negated}")
        if kind == "number" and not test.operator:
            return AttributeTest(test.name, "!=", "0")  # so that a number is only ever compared with a number
        if (kind == "number" or test.operator in ("<", ">")) and test.number is None:
            self.fail(f"bad attribute test `{test}`: `{test.value}` is not a whole number")
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
        if reference[1] == _BEGINNING:
            self.items.append(Beginning())
        else:
            self.check_step(f"ref {reference[1]}")
            self.items.append(Reference(reference[1], self.place()))

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
) -> Expression:
    """The expression a diagram stands for. `line` is the number of the diagram's first line in the file `path`.

    `steps` are the names a message may use, `attributes` what tests may compare and whether it is a "number", a
    "flag" or "text"; None leaves either unchecked. Raises FlowPageError, and nothing else, whatever `text` is.
    """
    return _Parser(path, line, steps, attributes).parse(text)
