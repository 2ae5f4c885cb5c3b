"""A run of `analyzer check --flows`: captures held against a user's own pages."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

from analyzer import pipeline
from analyzer.commands.checking import keys_beside
from analyzer.commands.inputs import captures_in, refuse_to_overwrite
from analyzer.commands.terminal import open_output
from analyzer.errors import InputError, UsageError
from analyzer.flows import Library, Page, load_library
from analyzer.reporter.conformance import Conformance, Rule, groups, rules_of, uses_headers
from analyzer.reporter.outputs import checks, conformance
from analyzer.reporter.outputs.conformance import Capture


def pages_in(folders: Sequence[str]) -> list[Page]:
    """The pages of these folders. Raises UsageError for what cannot be used."""
    return [page for page in load_library(folders).pages if not page.builtin]


class Conforming:
    """Pages, and the automata of those that have one, for any number of captures."""

    def __init__(self, folders: Sequence[str], keys: tuple[str, ...] = ()):
        self._rules = rules_of(pages_in(folders))
        self._groups: list[tuple[tuple[Rule, ...], Library, Library]] = []
        for group in groups(self._rules):
            own = [rule.page for rule in group]
            beside, alone = Library(own=own), Library(own=own, alone=True)
            for page in own:  # what is wrong with the pages is said before the first capture
                beside.automaton(page.scope)
                alone.automaton(page.scope)
            self._groups.append((group, beside, alone))
        self._keys = keys
        self._headers = uses_headers(rule.page for rule in self._rules)

    def hold(self, path: str) -> Capture:
        """Reads a capture once, once more for every set of pages that are run together, and then once again where
        somebody does not follow them, to find out why."""
        keys = (*self._keys, *keys_beside(Path(path).parent))
        options = pipeline.Options(keys=tuple(dict.fromkeys(keys)), headers=self._headers)
        began = time.monotonic()
        try:
            analysis = pipeline.analyze(path, options)
            with contextlib.closing(analysis):
                held = Conformance(self._rules, analysis.lives())
            for group, beside, alone in self._groups:
                with contextlib.closing(pipeline.analyze(path, options, beside)) as again:
                    why = held.judged(group, again)
                if why:
                    with contextlib.closing(pipeline.analyze(path, options, alone)) as again:
                        held.explained(why, again)
        except InputError as error:
            return Capture(path, error=str(error))
        held.follow_whole()
        return Capture(
            path,
            tuple(held.results()),
            warnings=tuple(warning.message for warning in analysis.warnings),
            seconds=time.monotonic() - began,
        )


def run(folders: Sequence[str], given: Sequence[str], keys: tuple[str, ...], form: str, output: str | None) -> int:
    """Holds the captures against the pages in `folders`, and prints how they did; the exit code."""
    if "-" in given:
        raise UsageError("check --flows reads a capture more than once: save it to a file first")
    conforming = Conforming(folders, keys)
    found: list[Capture] = []
    paths = captures_in(given, "check", lambda error: found.append(Capture("", error=str(error))))
    refuse_to_overwrite(output, paths)
    found += map(conforming.hold, paths)
    with open_output(output) as file:
        if form == "text":
            file.text(conformance.as_text(found))
        elif form == "json":
            file.bytes(conformance.as_json(found))
        elif form == "junit":
            file.bytes(checks.as_junit(conformance.as_results(found)))
        else:
            file.text(checks.as_annotations(conformance.as_results(found)))
    outcomes = {one.outcome for one in found}
    return InputError.exit_code if "unreadable" in outcomes else 1 if "failed" in outcomes else 0
