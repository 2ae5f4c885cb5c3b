"""`--format html`: one page with everything, that needs nothing else: no network, no server, no other file.

What is the same for all connections (summary, claims, faults) is written as HTML, and readable without scripts. The
connections stand in the page as data, packed; the scripts draw what is asked for. `page.html` is the template,
`*.css` and `*.js` are put into it as they are.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, get_args

import msgspec

from analyzer import model
from analyzer.dissector import layout
from analyzer.errors import UsageError
from analyzer.flows import Library
from analyzer.reporter import words
from analyzer.reporter.alignment import Aligner
from analyzer.reporter.claims.article import Claims
from analyzer.reporter.claims.writing import value_words
from analyzer.reporter.outputs.html.details import details, segments, shown
from analyzer.reporter.outputs.html.packing import NOWHERE, Blocks, Place, packed
from analyzer.reporter.outputs.html.rows import Rows
from analyzer.reporter.outputs.summary import Summary, Totals

if TYPE_CHECKING:
    from array import array

    from analyzer.dissector.samples import Samples
    from analyzer.reporter.redaction import Redactor

MOST_CONNECTIONS: Final = 200_000  # in the table
MOST_DETAIL_BYTES: Final = 256 << 20  # of packed text: connections beyond it are in the table only
MOST_LISTED: Final = 200  # connections named of those that deviate, and of those that could not be told

_FOLDER: Final = Path(__file__).parent
# In the order in which they are loaded: each uses only those before it.
SCRIPTS: Final = (
    "format.js", "dom.js", "data.js", "table.js", "ladder.js", "exchanges.js", "frames.js", "plot.js", "sequence.js",
    "tls.js", "facts.js", "connection.js", "main.js",
)  # fmt: skip
STYLES: Final = ("page.css", "charts.css", "print.css")

# What the words mean, said where they stand.
OUTCOMES: Final[dict[str, str]] = {
    "documented": "follows a flow that is drawn in the article the project grew out of",
    "variant": "follows another flow that a standard documents",
    "diverged": "follows no documented flow; the first step that none allows is marked",
    "incomplete": "a proper beginning of a flow, cut off by the end of the capture or of the connection",
    "unseen": "the capture does not show it",
    words.NEVER_OPENED: "there was no connection that could have closed",
}
CAUSES: Final[dict[str, str]] = {
    "mid-stream": "the connection was open before the capture began: what came before is not known",
    "one-sided": "only one direction was captured: what the other side sent is not known",
    "lost-in-capture": "the peer acknowledged bytes that the capture does not have: they were sent, and not captured",
    "snaplen": "packets were cut short when they were captured: what was behind the cut is not known",
    "no-keys": "it is encrypted, and there were no keys: --keys takes the key log of the client or of the server",
    "evicted": "too many connections at a time: this one had to make room; --max-connections allows more",
    "never-opened": "the connection never opened, so nothing had to be closed",
    "open-at-end": "the capture ended before it did",
    "connection-ended": "the connection ended before it was complete",
}


class Source(Protocol):
    """What is asked of the analysis of a capture, beside its connections (`pipeline.Analysis`)."""

    name: str

    @property
    def totals(self) -> Totals: ...
    @property
    def samples(self) -> Samples | None: ...
    @property
    def frame_logs(self) -> dict[int, array[int]]: ...
    @property
    def warnings(self) -> list[Any]: ...


class Html:
    """Writes a report of connections to `write`, all at `finish`. `begin` and `end` stand around each capture.

    `headers`: show header fields; `secrets`: those that hold secrets, too.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        library: Library,
        *,
        captures: int = 1,
        headers: bool = False,
        secrets: bool = False,
        version: str = "",
    ):
        self._write, self._headers, self._secrets, self._version = write, headers, secrets, version
        self._library, self._aligner = library, Aligner(library)
        self._rows, self._details, self._segments = Rows(), Blocks(MOST_DETAIL_BYTES), Blocks(MOST_DETAIL_BYTES)
        self._encoder = msgspec.json.Encoder()
        self._claims, self._summary = Claims(), Summary(width=10_000, captures=captures)
        self._source: Source | None = None
        self._drawn: list[tuple[int, int]] = []  # of the capture at hand: connection and start of each row
        self._places: list[Place] = []  # of the segments of each row
        self._captures: list[dict[str, Any]] = []
        self._flows: set[str] = set()
        self._deviating: list[dict[str, Any]] = []
        self._untold: list[dict[str, Any]] = []
        self._faulty: list[dict[str, Any]] = []
        self._counts = {"deviating": 0, "untold": 0, "faulty": 0}
        self._not_listed = 0
        self._verified = False  # segments with a wrong checksum were left out

    def begin(self, source: Source) -> None:
        self._source, self._drawn = source, []

    def add(self, connection: model.Connection) -> None:
        self._summary.add(connection)
        self._claims.add(connection)
        row = self._rows.count
        if row >= MOST_CONNECTIONS:
            self._not_listed += 1
            return
        if not connection.capture.isascii():  # JSON is Unicode; a file name may not be
            connection = msgspec.structs.replace(connection, capture=readable_data(connection.capture))
        connection = shown(connection, headers=self._headers, secrets=self._secrets)
        start_ns = nanoseconds(connection.start)
        frames = self._source.frame_logs.get(connection.id) if self._source else None
        place = NOWHERE
        if not self._details.full:
            place = self._details.add(self._encoder.encode(details(connection, self._aligner, frames, start_ns)))
        self._rows.add(connection, place)
        self._drawn.append((connection.id, start_ns))
        self._find(connection, row)

    def _find(self, c: model.Connection, row: int) -> None:
        """What a reader should look at first."""
        for scope, verdict in words.verdicts(c):
            divergence = verdict.divergence
            for page in (verdict.flow, divergence and divergence.nearest):
                if page:
                    self._flows.add(page)
            if scope == "lifecycle":
                continue
            if verdict.outcome == "diverged":
                why = words.divergence_words(divergence) if divergence else "follows no flow"
                self._note("deviating", self._deviating, c, row, scope, why)
            elif verdict.outcome in ("unseen", "incomplete") and verdict.cause not in (None, "never-opened"):
                self._note("untold", self._untold, c, row, scope, f"{verdict.cause}: {CAUSES[verdict.cause or '']}")
        for fault in c.faults:
            self._note("faulty", self._faulty, c, row, fault.layer, f"packet {fault.packet}: {fault.message}")

    def _note(
        self, kind: str, found: list[dict[str, Any]], c: model.Connection, row: int, scope: str, why: str
    ) -> None:
        self._counts[kind] += 1
        if len(found) < MOST_LISTED:
            ends = f"{words.endpoint(c.client)} → {words.endpoint(c.server)}"
            found.append({"row": row, "id": c.id, "ends": ends, "scope": scope, "why": why})

    def end(self, source: Source, redactor: Redactor | None = None) -> None:
        """The capture was read to its end, or as far as it could be. `redactor` has been at its connections."""
        self._summary.end_capture(source.totals)
        samples = source.samples
        if samples is not None:
            samples.finish()
        for connection, start_ns in self._drawn:
            found = samples.of(connection) if samples is not None else None
            encoded = None if found is None else self._encoder.encode(segments(found, start_ns))
            self._places.append(NOWHERE if encoded is None else self._segments.add(encoded))
        self._verified = self._verified or source.totals.left_out > 0
        doubts = words.checksum_doubts(source.totals)
        warnings = [*(str(one.message) for one in source.warnings), *filter(None, [doubts])]
        name = source.name
        if redactor is not None:
            name, warnings = redactor.capture(name), [redactor.message(one) for one in warnings]
        self._captures.append({"name": name, "warnings": warnings})
        self._source, self._drawn = None, []

    def finish(self) -> None:
        for piece in self._page():
            self._write(piece)

    def _page(self) -> Iterator[str]:
        import jinja2

        def text(name: str) -> str:
            return (_FOLDER / name).read_text(encoding="utf-8")

        environment = jinja2.Environment(
            loader=jinja2.FunctionLoader(text),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["safe_text"] = readable
        script, style = ("\n".join(map(text, names)) for names in (SCRIPTS, STYLES))
        report = self._claims.report()
        template = environment.get_template("page.html")
        yield from template.generate(
            script=script, script_hash=_hash(script), style=style, style_hash=_hash(style),
            index=packed(self._encoder.encode(readable_data(self._index()))),
            details=self._details.texts(), segments=self._segments.texts(),
            captures=self._captures, sentence=self._summary.sentence(), ranked=list(self._summary.ranked()),
            counted=list(self._summary.counted()), measured=list(self._summary.measured()),
            left_out=list(self._summary.left_out()), marks=words.MARKS, outcomes=OUTCOMES, count=words.count,
            deviating=self._deviating, untold=self._untold, faulty=self._faulty, counts=self._counts,
            listed=self._rows.count, not_listed=self._not_listed, most_listed=MOST_LISTED,
            report=report, value=value_words, version=self._version, rows=self._rows_of(report),
        )  # fmt: skip

    def _rows_of(self, report: Any) -> dict[tuple[str, int], int]:
        """Where the connections stand in the table that claims name."""
        wanted = {(place.capture, place.connection) for judged in report.claims for place in judged.evidence}
        return {key: row for row, key in enumerate(self._rows.keys()) if key in wanted}

    def _index(self) -> dict[str, Any]:
        return {
            "rows": self._rows.columns,
            "segmentBlock": [place.block for place in self._places],
            "segmentItem": [place.item for place in self._places],
            "flows": dict(self._described()),
            "outcomes": OUTCOMES,
            "causes": CAUSES,
            "marks": words.MARKS,
            "notes": {"retransmission": layout.NOTE_RETRANSMISSION, "outOfOrder": layout.NOTE_OUT_OF_ORDER,
                      "duplicateAck": layout.NOTE_DUPLICATE_ACK, "keepAlive": layout.NOTE_KEEP_ALIVE,
                      "afterGap": layout.NOTE_AFTER_GAP, "copy": layout.NOTE_COPY},
            "verified": self._verified,
            "several": len(self._captures) > 1,
        }  # fmt: skip

    def _described(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The pages that verdicts name, as far as the library has them."""
        for name in sorted(self._flows):
            with contextlib.suppress(UsageError):
                page = self._library.page(name)
                flow = {"title": page.title, "standard": page.standard, "drawn": page.drawn_in_article}
                yield name, flow | {"prose": page.prose}


def nanoseconds(start: str) -> int:
    """Nanoseconds since 1970 of a connection's start, RFC 3339 in UTC with nine digits behind the second."""
    import datetime

    whole, _, fraction = start.removesuffix("Z").partition(".")
    moment = datetime.datetime.fromisoformat(f"{whole}+00:00")
    return int(moment.timestamp()) * 10**9 + int(fraction or 0)


def readable(text: str) -> str:
    """Text without what HTML cannot hold or show: control characters, surrogates, bidirectional overrides."""
    from analyzer.reporter.escape import escape

    return escape(text)


def readable_data(value: Any) -> Any:
    """The same for the keys and texts of data, of which only surrogates cannot be encoded: they are the bytes of file
    names that are not UTF-8 (PEP 383)."""
    match value:
        case str():
            return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        case list():
            return [readable_data(one) for one in value]
        case dict():
            return {name: readable_data(one) for name, one in value.items()}
        case _:
            return value


def _hash(text: str) -> str:
    """As Content-Security-Policy names what it allows."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


assert set(CAUSES) == set(get_args(model.Cause))
