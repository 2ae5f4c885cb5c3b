"""Bytes go one way: a stage knows itself and the stages before it, and they meet in one place."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import analyzer
from tests.cases import ROOT, capture_of

PACKAGE = Path(analyzer.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
# In this order: traffic flows to the right. The packet stage steps the automata of `flows` while packets arrive,
# through a protocol of its own (`dissector.tracker.StepAutomaton`), and so does not know that stage.
STAGES = ("capture", "dissector", "flows", "reporter")
COMMON = ("analyzer.model", "analyzer.errors")
# Lists of step names: what the pages are written in, so they are free of everything else.
VOCABULARIES = ("analyzer.dissector.tcp",)
# Users of the stages: what puts them together, and the command line around it.
MEETING = {"analyzer.pipeline", "analyzer.live_pipeline"}
AROUND = (
    "analyzer", "analyzer.__main__", "analyzer.cli", "analyzer.commands", "analyzer.connections",
    "analyzer.pytest_evidence", "analyzer.pytest_plugin",
)  # fmt: skip
# Loaded only where they are used; `read` on a small capture uses none of them.
HEAVY = (
    "scapy",
    "pyshark",
    "jinja2",
    "lxml",
    "pyarrow",
    "pytest",
    "ruamel.yaml",
    "yaml",
    "asyncio",
    "cryptography",
    "lz4",
    "backports.zstd",
    "hpack",
    "multiprocessing",
    "numpy.typing",
    "difflib",
    "hashlib",
    "logging",
    "shlex",
    "subprocess",
)
# Of this package: what small captures without TLS, HTTP/2, damage and options need not know.
UNUSED = (
    "analyzer.capture.merging",
    "analyzer.commands.check",
    "analyzer.commands.jobs",
    "analyzer.dissector.http2.connection",
    "analyzer.dissector.starttls.connection",
    "analyzer.dissector.tls.connection",
    "analyzer.dissector.tls.decrypt",
    "analyzer.reporter.claims",
    "analyzer.reporter.http2",
    "analyzer.reporter.observed",
    "analyzer.reporter.outputs.csv",
    "analyzer.reporter.outputs.evidence",
    "analyzer.reporter.tls",
    "analyzer.reporter.watching",
)
# Nor what lays out tables, where lines of JSON are printed, nor what writes files.
FOR_PEOPLE = (
    "analyzer.reporter.outputs.summary",
    "analyzer.reporter.outputs.table",
    "importlib.metadata",
    "tabulate",
    "tempfile",
)


def imports(path: Path, *, loading: bool = False) -> set[str]:
    """Modules of this package that a file imports, wherever in it, or only those that it needs to be loaded."""
    tree = ast.parse(path.read_text())
    found = set()
    for node in tree.body if loading else ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            origin = str(node.module).replace("cython.cimports.", "")
            wholes = {f"{origin}.{alias.name}" for alias in node.names}
            found |= wholes & MODULES.keys() or {origin}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.partition(".")[0] == "analyzer"}


def stage(module: str) -> str | None:
    return next((name for name in STAGES if module.startswith(f"analyzer.{name}")), None)


STAGED = [module for module in MODULES if stage(module)]


@pytest.mark.parametrize("module", STAGED)
def test_a_stage_knows_only_what_comes_before_it(module):
    known = STAGES[: STAGES.index(stage(module)) + 1]
    for imported in imports(MODULES[module]) - set(COMMON):
        assert stage(imported) in known, f"{module} imports {imported}: a stage imports only {', '.join(known)}"


@pytest.mark.parametrize("module", VOCABULARIES)
def test_a_vocabulary_is_names_only(module):
    assert imports(MODULES[module]) == set()


def test_the_stages_meet_in_one_place():
    meeting = {
        module
        for module in MODULES
        if not stage(module)
        and {"capture", "dissector", "reporter"} <= {stage(name) for name in imports(MODULES[module])}
    }
    assert {"analyzer.pipeline"} <= meeting <= MEETING


def test_every_module_has_its_place():
    others = {module for module in MODULES if not stage(module) and not module.startswith("analyzer.commands.")}
    assert others == {*COMMON, *MEETING, *AROUND}


@pytest.mark.parametrize("module", ["analyzer.model", "analyzer.errors"])
def test_what_all_share_knows_nobody(module):
    assert imports(MODULES[module]) == set()


def test_no_cycle_of_imports():
    graph = {module: imports(path, loading=True) - {module} for module, path in MODULES.items()}
    while leaves := {module for module, needs in graph.items() if not needs & graph.keys()}:
        graph = {module: needs for module, needs in graph.items() if module not in leaves}
    assert graph == {}


@pytest.mark.parametrize("form", ["table", "jsonl"])
@pytest.mark.parametrize("case", ["tcp/refused", "tcp/four-way-client", "http1/chunked"])
def test_reading_loads_nothing_heavy(case, form):
    """Bytes of nobody's protocol are held against every protocol's `probe`; only HTTP/1 has a dissector at once."""
    code = (
        "import sys\nfrom analyzer.cli import main\n"
        f"sys.argv = ['analyzer', 'read', {str(capture_of(case))!r}, '--format', {form!r}]\n"
        "try:\n    main()\nfinally:\n    print(*sorted(sys.modules), file=sys.stderr)\n"
    )
    # What measures coverage in every process loads modules of its own.
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=unmeasured, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "three-way" in done.stdout or "refused" in done.stdout
    loaded = set(done.stderr.split())
    assert {"analyzer.pipeline", "numpy"} <= loaded
    assert sorted(loaded & {*HEAVY, *UNUSED, *(FOR_PEOPLE if form == "jsonl" else ())}) == []
    assert set(UNUSED) <= MODULES.keys()


def test_importing_the_package_loads_next_to_nothing():
    code = "import sys, analyzer; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    loaded = set(done.stdout.split())
    assert {name for name in loaded if name.startswith("analyzer")} == {"analyzer", "analyzer.errors"}
    assert "numpy" not in loaded


SOURCES = [*MODULES.values(), *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "captures").glob("*.py"))]


@pytest.mark.parametrize(
    "path", SOURCES, ids=lambda path: str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name)
)
def test_no_file_is_too_long(path):
    lines = len(path.read_text().splitlines())
    assert lines < 650, "split it: one file, one subject"
