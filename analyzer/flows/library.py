"""Loads the flow pages and checks them.

A page is Markdown that renders anywhere: front matter of `key: value` lines, prose, one Mermaid diagram. The pages of
a scope are read when the scope is first asked for, so that a program that looks at TCP only reads TCP's pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from analyzer.dissector import http1, http2, tcp, tls
from analyzer.errors import FlowPageError, UsageError
from analyzer.flows import whole
from analyzer.flows.diagram import FLOW, lines_of, parse, parse_steps
from analyzer.flows.expression import Beginning, Expression, Step, most_next, most_remainders, steps_of, walk

if TYPE_CHECKING:
    from analyzer.flows.matcher import Automaton

# Next to this file: importlib.resources would cost more than reading all the pages.
PAGES: Final = Path(__file__).parent / "pages"


class Vocabulary(msgspec.Struct, frozen=True):
    """What the diagrams of a scope may say: step names and attributes, as the scope's dissector promises them."""

    steps: tuple[str, ...]
    attributes: Mapping[str, str] = msgspec.field(default_factory=dict)  # name -> "number", "flag" or "text"
    compiled: bool = False  # its automaton is walked by the compiled packet stage
    traced: bool = True  # its automaton's states say which blocks were taken: too many where pages have many blocks
    whole: bool = False  # its pages are not run by an automaton, but one by one (`following.py`)


# What depends on the other events of a connection, so that no dissector can say it (`reporter/tls_verdicts.py`).
OF_A_TLS_RUN: Final[Mapping[str, str]] = {
    "renegotiation": "flag",  # this is not the connection's first handshake
    "completed": "flag",  # the handshake was complete before
}

# What a connection's surroundings, or the rest of a stream, say (`reporter/http2.py`).
OF_AN_HTTP2_CONNECTION: Final[Mapping[str, str]] = {
    "tls": "flag",  # the connection runs inside TLS
}
OF_AN_HTTP2_STREAM: Final[Mapping[str, str]] = {
    "tunnel": "flag",  # of a final response: CONNECT was answered with 200 to 299
    "above_goaway": "flag",  # of a request: GOAWAY said that it was not processed
}

SCOPES: Final[Mapping[str, Vocabulary]] = {
    "tcp-open": Vocabulary(tcp.STEPS, tcp.ATTRIBUTES, compiled=True),
    "tcp-close": Vocabulary(tcp.STEPS, tcp.ATTRIBUTES, compiled=True),
    "tls": Vocabulary(tls.STEPS, {**tls.ATTRIBUTES, **OF_A_TLS_RUN}, traced=False),
    "http1": Vocabulary(http1.STEPS, http1.ATTRIBUTES),
    "http2": Vocabulary(http2.CONNECTION_STEPS, {**http2.ATTRIBUTES, **OF_AN_HTTP2_CONNECTION}, traced=False),
    "http2-stream": Vocabulary(http2.STREAM_STEPS, {**http2.ATTRIBUTES, **OF_AN_HTTP2_STREAM}),
    "lifecycle": Vocabulary(("ref tcp-open", "ref tls", "ref http1", "ref http2", "ref tcp-close")),
    **{scope: Vocabulary(whole.STEPS, whole.ATTRIBUTES[scope], whole=True) for scope in whole.WHOLE},
}

_REQUIRED: Final = ("id", "scope", "title")
_DEFAULTS: Final = {"drawn_in_article": "none", "standard": "none", "either_side": "false"}
_OPTIONAL: Final = (*_DEFAULTS, "ends_by", "order", "where", "times", "required", "ignores")
# Of a page that is run without automaton; of the others `matcher.MAX_STATES` is the limit.
MAX_STEPS: Final = 2000
MAX_REMAINDERS: Final = 10_000
MAX_WORK: Final = 20_000_000  # what can be left to do, times what can come next then, times steps: seconds at most
_KEY_VALUE = re.compile(r"(?P<key>[A-Za-z_-]+):(?:\s+(?P<value>.*))?")
_ID = re.compile(r"[a-z0-9][a-z0-9.-]*/[a-z0-9][a-z0-9.-]*")
_LAST: Final = 1 << 30  # the order of pages that ask for none


class Page(msgspec.Struct, frozen=True, eq=False):
    """One documented flow."""

    id: str
    scope: str
    title: str
    drawn_in_article: str | None  # "F1" to "F9"
    standard: str | None  # "RFC 9293 §3.5"
    either_side: bool  # also matches with client and server exchanged
    ends_by_silence: bool  # complete only when the connection ends or falls silent
    prose: str  # Markdown, without the diagram
    mermaid: str  # the diagram's source, without the fence
    expression: Expression
    path: str
    builtin: bool
    order: int = _LAST
    where: str | None = None  # which connections it is about, as `read --filter`; None: all
    times: str | None = None  # how many must follow it, as "1..3" or ">=1"; None: any number
    required: bool = False  # to follow another page of the scope instead is not enough
    ignores: tuple[Step, ...] = ()  # events that do not matter to it, of either side
    lines: Mapping[str, int] = msgspec.field(default_factory=dict)  # of the front matter's keys
    diagram_line: int = 1  # where `mermaid` begins

    @property
    def rank(self) -> tuple[bool, bool, int, str]:
        """Sorts pages that are equally good: drawn in the article first, built-in first, then by `order` and id."""
        return self.drawn_in_article is None, not self.builtin, self.order, self.id

    @property
    def begins_like_others(self) -> bool:
        """Whether it refers to the beginnings of the other flows."""
        return any(isinstance(node, Beginning) for node in walk(self.expression))


class _Text(msgspec.Struct):
    """A page's text, cut into its three parts."""

    path: str
    values: dict[str, tuple[str, int]] = msgspec.field(default_factory=dict)  # key -> value, line
    prose: list[str] = msgspec.field(default_factory=list)
    diagram: list[str] = msgspec.field(default_factory=list)
    diagram_line: int = 0  # 0: none yet

    def fail(self, line: int, reason: str) -> NoReturn:
        raise FlowPageError(self.path, line, reason)

    def read(self, text: str) -> None:
        lines = text.split("\n")
        body = self.front_matter(lines)
        fence, fence_line = "", 0
        for number, line in enumerate(lines[body:], body + 1):
            is_fence = line.lstrip().startswith("```")
            if not fence and is_fence:
                fence, fence_line = line.strip().lstrip("`").strip() or "text", number
                if fence == "mermaid":
                    if self.diagram_line:
                        self.fail(number, "a page has one diagram: put the second flow on a page of its own")
                    self.diagram_line = number + 1
                    continue
            elif fence and is_fence:
                ended, fence = fence, ""
                if ended == "mermaid":
                    continue
            (self.diagram if fence == "mermaid" else self.prose).append(line)
        if fence:
            self.fail(fence_line, "this ``` is never closed")
        if not self.diagram_line:
            self.fail(len(lines), "the page has no diagram: add a ```mermaid block with a sequenceDiagram")

    def front_matter(self, lines: list[str]) -> int:
        """Reads the `key: value` lines; returns the index of the first line after them."""
        if lines[0].rstrip() != "---":
            self.fail(1, "a page begins with front matter between two lines `---`")
        for number, line in enumerate(lines[1:], 2):
            text = line.strip()
            if text == "---":
                self.check_keys(number)
                return number
            if not text or text.startswith("#"):
                continue
            match = _KEY_VALUE.fullmatch(text)
            if match is None:
                self.fail(number, f"cannot read `{text[:60]}`: front matter has lines `key: value`")
            key, value = match["key"], (match["value"] or "").strip()
            if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
                value = value[1:-1]
            if key not in _REQUIRED + _OPTIONAL:
                self.fail(number, f"unknown key `{key}`: known are {', '.join(_REQUIRED + _OPTIONAL)}")
            if key in self.values:
                self.fail(number, f"`{key}` is given twice")
            if not value:
                self.fail(number, f"`{key}` has no value")
            self.values[key] = value, number
        return self.fail(1, "the front matter is never closed: add a line `---`")

    def check_keys(self, number: int) -> None:
        for key in _REQUIRED:
            if key not in self.values:
                self.fail(number, f"the front matter lacks `{key}`")

    def get(self, key: str) -> tuple[str, int]:
        """The value of a key that is required or has a default, and its line."""
        return self.values[key] if key in self.values else (_DEFAULTS[key], 1)

    def optional(self, key: str) -> str | None:
        return self.values[key][0] if key in self.values else None

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        value, line = self.get(key)
        if value not in choices:
            self.fail(line, f"`{key}` is {' or '.join(choices)}, not `{value}`")
        return value

    def matching(self, key: str, pattern: str, what: str) -> str:
        value, line = self.get(key)
        if not re.fullmatch(pattern, value):
            self.fail(line, f"`{key}` is {what}, not `{value}`")
        return value


def parse_page(
    text: str, path: str, *, scopes: Mapping[str, Vocabulary] = SCOPES, expected_id: str = "", builtin: bool = False
) -> Page:
    """A page from its text. `expected_id` is the id its place asks for (`scope/name`), "" for none."""
    source = _Text(path)
    source.read(text)
    scope, scope_line = source.get("scope")
    if scope not in scopes:
        source.fail(scope_line, f"unknown scope `{scope}`: known are {', '.join(scopes)}")
    page_id, id_line = source.get("id")
    if not _ID.fullmatch(page_id) or page_id.split("/")[0] != scope:
        source.fail(id_line, f"the id of a page of this scope is `{scope}/` and a lower-case name, not `{page_id}`")
    if expected_id and page_id != expected_id:
        source.fail(id_line, f"id `{page_id}` does not match the file's place: it must be `{expected_id}`")
    drawn = source.matching("drawn_in_article", r"F[0-9]{1,2}|none", "F1 to F9, or none")
    if "ends_by" in source.values:
        source.choice("ends_by", ("silence",))
    if "required" in source.values:
        source.choice("required", ("true", "false"))
    order = int(source.matching("order", r"[0-9]{1,6}", "a number")) if "order" in source.values else _LAST
    mermaid, vocabulary = "\n".join(source.diagram), scopes[scope]
    expression = parse(
        mermaid,
        path=path,
        line=source.diagram_line,
        steps=vocabulary.steps,
        attributes=vocabulary.attributes,
        single_numbers=vocabulary.compiled,
    )
    ignores: tuple[Step, ...] = ()
    if "ignores" in source.values:
        text, line = source.values["ignores"]
        if not vocabulary.whole:
            source.fail(line, f"`ignores` is for pages of scope {' and '.join(whole.WHOLE)}")
        ignores = parse_steps(text, path=path, line=line, steps=vocabulary.steps, attributes=vocabulary.attributes)
    if vocabulary.whole:
        _check_whole(source, expression)
    return Page(
        id=page_id,
        scope=scope,
        title=source.get("title")[0],
        drawn_in_article=None if drawn == "none" else drawn,
        standard=None if source.get("standard")[0] == "none" else source.get("standard")[0],
        either_side=source.choice("either_side", ("true", "false")) == "true",
        ends_by_silence="ends_by" in source.values,
        prose="\n".join(source.prose).strip(),
        mermaid=mermaid,
        expression=expression,
        path=path,
        builtin=builtin,
        order=order,
        where=source.optional("where"),
        times=source.optional("times"),
        required=source.optional("required") == "true",
        ignores=ignores,
        lines={key: line for key, (_, line) in source.values.items()},
        diagram_line=source.diagram_line,
    )


def _check_whole(source: _Text, expression: Expression) -> None:
    """What a page that is run without automaton must not say, and how large it may be."""
    if any(isinstance(node, Beginning) for node in walk(expression)):
        source.fail(source.diagram_line, "`ref beginning` stands for other flows of a scope, which has none here")
    if "ends_by" in source.values:
        source.fail(source.values["ends_by"][1], "`ends_by` is not for this scope: its pages end with the connection")
    if (reason := too_large(expression)) is not None:
        source.fail(source.diagram_line, reason)


def too_large(expression: Expression) -> str | None:
    """Why a diagram is too large to be followed step by step; None if it is not."""
    steps, remainders = sum(1 for _ in steps_of(expression)), most_remainders(expression)
    if steps > MAX_STEPS:
        return f"the diagram has {steps} steps, more than {MAX_STEPS}: write a `loop`"
    if remainders > MAX_REMAINDERS:
        return f"its `par` blocks have more than {MAX_REMAINDERS} states: use shorter or fewer branches"
    if remainders * most_next(expression) * steps > MAX_WORK:
        return "too many of its steps may be left out or chosen from: use fewer `opt`, `alt` and `loop` in a row"
    return None


class Library:
    """The built-in pages and a user's own: folders with the same layout, `<scope>/<name>.md`.

    A user's pages are checked at once; the built-in ones when their scope is first used. `own`: pages that have been
    loaded before. They come before the built-in ones that are complete as well; with `alone` they are all there is in
    their scopes, but what must be consumed (rule 2) stays the same.
    """

    def __init__(
        self,
        extra: Iterable[str | Path] = (),
        *,
        root: Path = PAGES,
        scopes: Mapping[str, Vocabulary] = SCOPES,
        own: Iterable[Page] = (),
        alone: bool = False,
    ):
        own = tuple(own)
        self._only = frozenset(page.scope for page in own if alone)
        self._own_first = bool(own)
        self._root, self._scopes = root, scopes
        self._loaded: dict[str, tuple[Page, ...]] = {}
        self._automata: dict[str, Automaton] = {}
        self._extra: dict[str, Page] = {}
        self._extra.update((page.id, page) for page in own)
        for folder in extra:
            for page in self._read_folder(Path(folder)):
                self._add_extra(page)
                if self._scopes[page.scope].whole:
                    self._check_references(page)

    @property
    def scopes(self) -> tuple[str, ...]:
        return tuple(self._scopes)

    @property
    def pages(self) -> tuple[Page, ...]:
        """All pages, scope by scope, each scope in its own order."""
        return tuple(page for scope in self._scopes for page in self.of_scope(scope))

    def page(self, id: str) -> Page:
        """The page with this id. Raises UsageError if there is none."""
        scope = id.partition("/")[0]
        if scope in self._scopes:
            for page in self.of_scope(scope):
                if page.id == id:
                    return page
            for page in self._built_in(scope) if scope in self._only else ():
                if page.id == id:
                    return page
        raise UsageError(f"no flow page `{id}`: `analyzer flows` lists those there are")

    def of_scope(self, scope: str) -> tuple[Page, ...]:
        """The pages of a scope, in order: `order` of the front matter, then id."""
        if scope not in self._loaded:
            if scope not in self._scopes:
                raise UsageError(f"unknown scope `{scope}`: known are {', '.join(self._scopes)}")
            pages = [] if scope in self._only else self._built_in(scope)
            pages += [page for page in self._extra.values() if page.scope == scope]
            self._loaded[scope] = tuple(sorted(pages, key=lambda page: (not page.builtin, page.order, page.id)))
        return self._loaded[scope]

    def _built_in(self, scope: str) -> list[Page]:
        return list(self._read_scope(self._root / scope, scope, builtin=True))

    def automaton(self, scope: str) -> Automaton:
        """The automaton that runs all pages of a scope at once; one per library, it grows as traffic is seen.

        With a user's pages in the scope it is explored to the end here: whether the pages need too many states must
        not depend on the traffic.
        """
        if scope not in self._automata:
            from analyzer.flows.matcher import Automaton  # brings NumPy: not needed to list or check pages

            pages = self.of_scope(scope)
            vocabulary = self._scopes[scope]
            alphabet: frozenset[str] = frozenset()
            if scope in self._only:
                alphabet = Automaton(scope, self._built_in(scope), vocabulary.steps, tabled=False).alphabet
            automaton = Automaton(
                scope,
                pages,
                vocabulary.steps,
                tabled=vocabulary.compiled,
                traced=vocabulary.traced,
                alphabet=alphabet,
                own_first=self._own_first,
            )
            if not all(page.builtin for page in pages):
                from analyzer.flows.language import explore

                explore(automaton)
            self._automata[scope] = automaton
        return self._automata[scope]

    def _add_extra(self, page: Page) -> None:
        name = page.id.partition("/")[2]
        twin = self._extra.get(page.id)
        if twin is not None or (self._root / page.scope / f"{name}.md").exists():
            where = twin.path if twin is not None else "a built-in page"
            raise FlowPageError(page.path, 1, f"the id `{page.id}` is taken by {where}: choose another file name")
        self._extra[page.id] = page

    def _check_references(self, page: Page) -> None:
        """The flows that a page refers to must be there: a misspelt one would never be followed."""
        known = {f"{scope}/{file.stem}" for scope in whole.REFERENCES for file in (self._root / scope).glob("*.md")}
        for step in steps_of(page.expression):
            for test in step.tests:
                for value in test.values if test.name == FLOW else ():
                    if value not in known and not set(value) & set("*?"):
                        from difflib import get_close_matches

                        close = get_close_matches(value, known, 1)
                        hint = f"did you mean `{close[0]}`?" if close else "`analyzer flows` lists those there are"
                        line = lines_of(page.mermaid, page.diagram_line)[step.place]
                        raise FlowPageError(page.path, line, f"there is no built-in flow `{value}`: {hint}")

    def _read_folder(self, folder: Path) -> Iterator[Page]:
        if not folder.is_dir():
            raise UsageError(f"no folder {folder}: give one that holds flow pages as <scope>/<name>.md")
        found = False
        for child in sorted(folder.iterdir()):
            if child.is_dir() and child.name in self._scopes:
                pages = list(self._read_scope(child, child.name, builtin=False))
                found = found or bool(pages)
                yield from pages
            elif child.is_dir() and any(child.glob("*.md")):
                raise UsageError(f"{child}: unknown scope `{child.name}`: known are {', '.join(self._scopes)}")
            elif child.suffix == ".md" and child.name != "README.md":
                raise FlowPageError(str(child), 1, "a page lies in the folder of its scope, as tcp-open/<name>.md")
        if not found:
            raise UsageError(f"{folder} holds no flow pages: put them in folders named after their scope")

    def _read_scope(self, folder: Path, scope: str, *, builtin: bool) -> Iterator[Page]:
        for file in sorted(folder.glob("*.md")):
            if file.name == "README.md":
                continue
            try:
                text = file.read_text(encoding="utf-8-sig")
            except UnicodeDecodeError as error:
                line = error.object[: error.start].count(b"\n") + 1
                raise FlowPageError(str(file), line, "the page is not UTF-8: save it as UTF-8") from None
            except OSError as error:
                raise UsageError(f"cannot read {file}: {error.strerror}") from None
            yield parse_page(text, str(file), scopes=self._scopes, expected_id=f"{scope}/{file.stem}", builtin=builtin)


def load_library(extra: Iterable[str | Path] = ()) -> Library:
    """The built-in pages, and those in the folders `extra`. Raises FlowPageError for a page that cannot be used."""
    return Library(extra)
