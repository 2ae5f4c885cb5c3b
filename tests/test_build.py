"""What is built and installed: every file that the program needs, with and without a C compiler."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import analyzer

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
COMPILED = {m["name"]: m["sources"] for m in PROJECT["tool"]["setuptools"]["ext-modules"]}
CAPTURE = ROOT / "captures/tcp/web-page/capture.pcapng"


def run(*arguments: str, cwd: Path, **environment: str) -> str:
    """Standard output of this Python with `arguments`, away from the sources."""
    command = [sys.executable, "-P", *arguments]
    result = subprocess.run(command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A copy of what a wheel is built from, so that building leaves nothing behind."""
    copy = tmp_path_factory.mktemp("sources")
    shutil.copytree(ROOT / "analyzer", copy / "analyzer", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(ROOT / name, copy)
    # What is asked here does not depend on the optimiser, which takes most of the time.
    project = copy / "pyproject.toml"
    project.write_text(project.read_text().replace('"-O3"', '"-O0"'))
    return copy


def built(sources: Path, out: Path, **environment: str) -> Path:
    shutil.rmtree(sources / "build", ignore_errors=True)
    run("-m", "build", "-q", "--wheel", "--no-isolation", "--outdir", str(out), str(sources), cwd=out, **environment)
    (wheel,) = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def compiled_wheel(sources, tmp_path_factory):
    if not shutil.which("cc"):
        pytest.skip("no C compiler here")
    return built(sources, tmp_path_factory.mktemp("compiled"))


@pytest.fixture(scope="module")
def plain_wheel(sources, tmp_path_factory):
    """Built where the compiler fails."""
    return built(sources, tmp_path_factory.mktemp("plain"), CC="/bin/false", LDSHARED="/bin/false")


def modules_in(wheel: Path) -> set[str]:
    """The names of the compiled modules in a wheel."""
    names = zipfile.ZipFile(wheel).namelist()
    return {name.split(".")[0].replace("/", ".") for name in names if name.endswith((".so", ".pyd"))}


def test_every_listed_module_is_compiled(compiled_wheel):
    assert modules_in(compiled_wheel) == set(COMPILED)


def test_without_a_compiler_nothing_is_compiled(plain_wheel):
    assert modules_in(plain_wheel) == set()


@pytest.mark.parametrize("which", ["compiled_wheel", "plain_wheel"])
def test_a_wheel_has_sources_pages_and_types(which, request):
    packed = set(zipfile.ZipFile(request.getfixturevalue(which)).namelist())
    needed = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "analyzer").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".so"
    }
    assert "analyzer/py.typed" in needed
    assert any(name.startswith("analyzer/flows/pages/") for name in needed)
    assert needed - packed == set()


def test_building_leaves_no_c_beside_the_sources(sources, compiled_wheel):
    assert list((sources / "analyzer").rglob("*.c")) == []
    pages = {path.relative_to(sources) for path in (sources / "analyzer").rglob("*.html")}  # of Cython's annotations
    assert pages == {path.relative_to(ROOT) for path in (ROOT / "analyzer").rglob("*.html")}


def test_the_version_tells_how_it_runs(tmp_path):
    said = run("-m", "analyzer", "--version", cwd=tmp_path)
    imports = f"import importlib; print(*(importlib.import_module(m).__file__ for m in {list(COMPILED)}))"
    files = run("-c", imports, cwd=tmp_path).split()
    assert ("interpreted" not in said) == all(not file.endswith(".py") for file in files), (said, files)
    assert ("interpreted" in said) != ("compiled" in said.split("interpreted")[0])
    assert said.startswith(f"analyzer {PROJECT['project']['version']} ")


def test_without_a_compiler_the_report_is_the_same(plain_wheel, tmp_path):
    zipfile.ZipFile(plain_wheel).extractall(tmp_path)
    plain = {"PYTHONPATH": str(tmp_path)}
    assert "interpreted" in run("-m", "analyzer", "--version", cwd=tmp_path, **plain)
    read = ("-m", "analyzer", "read", "--format", "jsonl", str(CAPTURE), str(ROOT / "captures/http1"))
    expected = run(*read, cwd=tmp_path)
    assert run(*read, cwd=tmp_path, **plain) == expected
    assert [json.loads(line)["type"] for line in expected.splitlines()].count("connection") > 0


def test_the_version_is_the_same_everywhere():
    assert PROJECT["project"]["version"] == analyzer.__version__


def test_what_is_written_to_be_compiled_is_listed():
    written = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "analyzer").rglob("*.py")
        if any(line.startswith("COMPILED = cython.compiled") for line in path.read_text().splitlines())
    }
    assert written == {source for listed in COMPILED.values() for source in listed}


def test_no_compiled_module_is_older_than_its_source():
    declarations = list((ROOT / "analyzer").rglob("*.pxd"))
    for source in (ROOT / source for listed in COMPILED.values() for source in listed):
        newest = max(path.stat().st_mtime for path in (source, *declarations))
        for module in source.parent.glob(f"{source.stem}.*.so"):
            assert module.stat().st_mtime >= newest, f"{module.name} is older than {source.name}: run make setup"
