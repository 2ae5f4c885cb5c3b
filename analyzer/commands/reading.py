"""A run of `analyzer read`: the settings, the loop over the captures, and what it comes to."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec

from analyzer.commands.formats import Report, in_folder, report_of
from analyzer.commands.inputs import captures_in, ends_on_interrupt, is_live, key_files, refuse_to_overwrite
from analyzer.commands.terminal import Progress, open_output, say
from analyzer.errors import InputError, UsageError
from analyzer.reporter import words
from analyzer.reporter.escape import escape

if TYPE_CHECKING:
    from analyzer import model, pipeline
    from analyzer.capture.source import Damage
    from analyzer.commands.jobs import Jobs, Shared
    from analyzer.commands.values import When
    from analyzer.reporter.filters import Predicate
    from analyzer.reporter.outputs.html import Html
    from analyzer.reporter.outputs.jsonl import JsonLines
    from analyzer.reporter.outputs.markdown import Markdown
    from analyzer.reporter.outputs.summary import Summary
    from analyzer.reporter.outputs.zeek import Zeek
    from analyzer.reporter.redaction import Redactor

_INTERRUPTED = 130
_EXCHANGES = ("zeek", "ecs", "har")  # formats that quote header fields, none that hold secrets
_NAMED_FAILURES = 10  # connections that `--fail-on` names one by one


class Settings(msgspec.Struct, frozen=True):
    """The command line, as click checked it."""

    captures: tuple[str, ...]
    form: str
    verbose: bool
    quiet: bool
    output: str | None
    filters: tuple[Predicate, ...]
    capture_filter: str | None
    time_from: When | None
    time_to: When | None
    fail_on: tuple[tuple[str, ...], ...]
    merge: bool
    strict: bool
    count_checksums: bool
    verify_checksums: bool
    vlan_key: bool
    flows: tuple[str, ...]
    keys: tuple[str, ...]
    authorities: str | None
    tcp_only: bool
    headers: bool
    show_secrets: bool
    redact: bool
    redact_key: str | None
    linger: int | None  # nanoseconds
    max_connections: int | None
    jobs: int
    color: str
    width: int | None

    def __post_init__(self) -> None:
        if self.verbose and (self.quiet or self.form != "table"):
            raise UsageError(
                "--verbose and --quiet exclude each other"
                if self.quiet
                else f"--verbose is for --format table: {self.form} has all the evidence, or none"
            )
        if self.headers and not self.verbose and self.form not in ("jsonl", "html", "har"):
            raise UsageError(
                "--headers is for -v and for --format jsonl, html or har: there is no room for header fields elsewhere"
            )
        if self.show_secrets and not self.headers:
            raise UsageError("--show-secrets is for --headers: no header fields are shown without it")
        if self.tcp_only and (self.headers or any(wanted.needs_content for wanted in self.filters)):
            raise UsageError(
                "--tcp-only does not look into connections: leave it out to filter by, or list, what is there"
            )
        if self.tcp_only and (self.keys or self.authorities):
            raise UsageError("--tcp-only does not look into connections: leave out --keys and --ca, or --tcp-only")
        if self.show_secrets and self.redacted:
            raise UsageError("--show-secrets and --redact exclude each other: redacted values are not shown")
        if self.captures.count("-") > 1:
            raise UsageError("standard input can be read only once: give - once")
        if self.jobs > 1 and self.merge:
            raise UsageError("--merge makes one capture, in one process, of several: leave out --jobs, or --merge")
        if self.time_from and self.time_to:
            if self.time_from.relative != self.time_to.relative:
                raise UsageError("--from and --to must both be dates, or both count from the first packet (+10s)")
            if self.time_from.ns > self.time_to.ns:
                raise UsageError("--from is later than --to: nothing would be left")

    @property
    def _shows_claims(self) -> bool:
        return self.form == "html" and not self.redacted

    @property
    def redacted(self) -> bool:
        return self.redact or self.redact_key is not None

    def options(self) -> pipeline.Options:
        """What the pipeline is to do; its own defaults where the command line is silent."""
        from analyzer import pipeline

        optional: dict[str, Any] = {}
        if self.linger is not None:
            optional["linger_ns"] = self.linger
        if self.max_connections is not None:
            optional["max_connections"] = self.max_connections
        times = [when for when in (self.time_from, self.time_to) if when]
        return pipeline.Options(
            vlan_key=self.vlan_key,
            checksums="verify" if self.verify_checksums else "count" if self.count_checksums else None,
            packet_filter=self.capture_filter,
            time_from=self.time_from.ns if self.time_from else None,
            time_to=self.time_to.ns if self.time_to else None,
            time_relative=any(when.relative for when in times),
            flows=self.flows,
            tcp_only=self.tcp_only,
            keys=key_files(self.keys),
            authorities=self.authorities,
            # A page has claims in it, which are judged by header fields, also by those it does not show. Redacted ones
            # are no evidence.
            headers=self.headers or (not self.tcp_only and (self._shows_claims or self.form in _EXCHANGES)),
            secrets=self.show_secrets or self._shows_claims,
            samples=self.form == "html",
            accounts=self.form == "zeek",
            **optional,
        )


class Reading:
    """One run of the command."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self._fail_on = frozenset(outcome for outcomes in settings.fail_on for outcome in outcomes)
        self._failures: list[str] = []
        self._failed = 0
        self._connections = 0
        self._unreadable = 0
        self._analysed = 0
        self._damaged = False
        self._interrupted = False
        self._jobs: Jobs | None = None
        self._progress = Progress(wanted=not settings.quiet)
        self._redactor: Redactor | None = None
        if settings.redacted:
            from analyzer.reporter.redaction import Redactor

            self._redactor = Redactor(settings.redact_key)

    def run(self) -> int:
        """Analyses all captures; the exit code."""
        options = self.settings.options()
        if self.settings.flows:
            self._tell_unused_pages()
        captures = captures_in(self.settings.captures, "read", self._cannot_read)
        refuse_to_overwrite(self.settings.output, captures)
        if self.settings.merge and len(captures) < 2:
            raise UsageError("--merge makes one capture out of several: name two files or more, or a folder of them")
        try:
            folder = in_folder(self.settings)
            with contextlib.ExitStack() as files, open_output(None if folder else self.settings.output) as output:
                live = any(is_live(path) for path in captures)
                output.flush_always |= live
                if output.terminal:  # the same one that shows the progress bar
                    output.guard = self._progress.hidden
                together = [captures] if self.settings.merge else [[path] for path in captures]
                names = [paths[0] for paths in together]
                if self._redactor:
                    names = [self._redactor.capture(name) for name in names]
                report, summary = report_of(self.settings, output, names, live, files)
                try:
                    with self._processes(captures, options, live) as self._jobs:
                        for paths in together:
                            with ends_on_interrupt(next(filter(is_live, paths), paths[0]), self._interrupt):
                                self._read(paths, options, report, summary)
                            if self._interrupted:
                                break
                except KeyboardInterrupt:
                    if self.settings.output:
                        raise  # whole or not at all
                    self._interrupted = True
                report.finish()
                if summary and self._analysed:
                    output.text(("\n" if summary.shown else "") + summary.text())
        except KeyboardInterrupt:
            say(f"interrupted: {self.settings.output} was not written")
            return _INTERRUPTED
        return self._end()

    def _processes(
        self, captures: list[str], options: pipeline.Options, live: bool
    ) -> contextlib.AbstractContextManager[Jobs | None]:
        """Those of `--jobs`, where they are worth their start."""
        if self.settings.jobs > 1:
            from analyzer.commands.jobs import Jobs, worthwhile

            if live:
                raise UsageError("--jobs is for files: packets of a pipe come to one process; leave out --jobs")
            # A page and Zeek's logs need more of an analysis than its connections.
            if worthwhile(captures, options) and self.settings.form not in ("html", "zeek"):
                return Jobs(captures, options, self.settings.jobs, lines=self._only_lines())
        return contextlib.nullcontext()

    def _tell_unused_pages(self) -> None:
        from analyzer.flows import load_library
        from analyzer.flows.whole import WHOLE

        unused = [page.id for page in load_library(self.settings.flows).pages if page.scope in WHOLE]
        if unused:
            say(f"not used, since `analyzer check --flows` is for pages about whole connections: {', '.join(unused)}")

    def _read(self, paths: list[str], options: pipeline.Options, report: Report, summary: Summary | None) -> None:
        """Analyses one capture, or several as one."""
        from analyzer import pipeline

        merged = self.settings.merge
        shown = "merged" if merged else "standard input" if paths[0] == "-" else paths[0]
        try:
            if self._jobs is not None:
                analysis: pipeline.Analysis | Shared = self._jobs.open()
            else:
                analysis = pipeline.analyze(tuple(paths) if merged else paths[0], options)
        except InputError as error:
            self._cannot_read(error)
            return
        whole = cast("pipeline.Analysis", analysis)  # where a page or Zeek's logs are asked for: see `_processes`
        if self.settings.form == "zeek" and whole.accounts is not None:
            cast("Zeek", report).begin(whole.accounts)
        warned = 0
        page = cast("Html", report) if self.settings.form == "html" else None
        if page:
            page.begin(whole)
        before = self._connections
        self._analysed += 1
        try:
            with contextlib.closing(analysis), self._progress.of(analysis, shown):
                try:
                    if self._only_lines():
                        for lines in analysis.lines():
                            warned = self._warn(shown, analysis.warnings, warned)
                            self._connections = before + analysis.totals.connections
                            cast("JsonLines", report).add_lines(lines)
                    else:
                        for connection in analysis:
                            if analysis.warnings[warned:]:
                                warned = self._warn(shown, analysis.warnings, warned)
                            if all(holds(connection) for holds in self.settings.filters):
                                self._take(connection, report, summary)
                finally:
                    self._warn(shown, analysis.warnings, warned)
                    if summary:
                        summary.end_capture(analysis.totals)
                    if self.settings.form == "markdown":
                        cast("Markdown", report).summary.end_capture(analysis.totals)
                    if page:
                        page.end(whole, self._redactor)
                    if doubts := words.checksum_doubts(analysis.totals):
                        with self._progress.hidden():
                            say(f"{shown}: {doubts}")
        except InputError as error:  # found out only when its first bytes were asked for
            self._analysed -= 1
            self._cannot_read(error)

    def _only_lines(self) -> bool:
        """Whether nothing but JSON Lines of all connections is wanted: no connection need become a struct."""
        settings = self.settings
        return settings.form == "jsonl" and not settings.filters and not self._fail_on and not self._redactor

    def _take(self, connection: model.Connection, report: Report, summary: Summary | None) -> None:
        self._connections += 1
        if self._redactor:  # here, so that no report knows anything else, and filters know what was there
            connection = self._redactor.connection(connection)
        if summary:
            summary.add(connection)
        if self._fail_on:
            self._check(connection)
        report.add(connection)

    def _check(self, connection: model.Connection) -> None:
        found = [(scope, verdict) for scope, verdict in words.verdicts(connection) if verdict.outcome in self._fail_on]
        failed = [
            f"{scope} {words.MARKS[words.outcome(verdict)]} {words.verdict_word(verdict)}"
            for scope, verdict in found
            if scope != "lifecycle" or len(found) == 1  # else the part is named that made it so
        ]
        if not failed:
            return
        self._failed += 1
        if len(self._failures) < _NAMED_FAILURES:
            ends = f"{words.endpoint(connection.client)} → {words.endpoint(connection.server)}"
            self._failures.append(f"{escape(connection.capture)} #{connection.id} {ends}: {', '.join(failed)}")

    def _warn(self, shown: str, warnings: Sequence[Damage], already: int) -> int:
        """Prints the warnings that are new; how many there are now."""
        for warning in warnings[already:]:
            self._damaged = True
            with self._progress.hidden():
                say(f"{shown}: warning: {warning.message}")
        return len(warnings)

    def _cannot_read(self, error: InputError) -> None:
        self._unreadable += 1
        with self._progress.hidden():
            say(str(error))

    def _interrupt(self) -> None:
        self._interrupted = True

    def _end(self) -> int:
        if self.settings.output and not self.settings.quiet:
            say(f"{words.plural(self._connections, 'connection')} written to {self.settings.output}")
        if self._interrupted:
            say("interrupted: this is what was finished so far")
            return _INTERRUPTED
        if self._failed:
            outcomes = " or ".join(sorted(self._fail_on))
            say(f"check failed: {words.plural(self._failed, 'connection')} {outcomes}")
            for failure in self._failures:
                say(f"  {failure}")
            if more := self._failed - len(self._failures):
                say(f"  … and {more:,} more")
        if self._unreadable or (self.settings.strict and self._damaged):
            return InputError.exit_code
        return 1 if self._failed else 0
