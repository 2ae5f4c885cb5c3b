"""The packet stage twice: as it is imported, and from its sources, interpreted."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import analyzer
from analyzer import dissector

PACKAGES = ("analyzer.dissector.", "analyzer.capture.")
SOURCES = Path(analyzer.__file__).parent.parent


class SourcesOnly:
    """Finds a module's source where a compiled one would come first."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None):
        if not name.startswith(PACKAGES):
            return None
        source = SOURCES / name.replace(".", "/")
        if source.is_dir():
            return importlib.util.spec_from_file_location(
                name, source / "__init__.py", submodule_search_locations=[str(source)]
            )
        return importlib.util.spec_from_file_location(name, source.with_suffix(".py"))


@contextlib.contextmanager
def _forgotten() -> Iterator[None]:
    """The modules of the packages above are imported anew, and afterwards those from before are back."""
    before = {name: module for name, module in sys.modules.items() if name.startswith(PACKAGES)}
    attributes = {
        name: getattr(sys.modules[name], "__dict__", {}).copy() for name in ("analyzer.dissector", "analyzer.capture")
    }
    for name in before:
        del sys.modules[name]
    sys.meta_path.insert(0, SourcesOnly)
    try:
        yield
    finally:
        sys.meta_path.remove(SourcesOnly)
        for name in [name for name in sys.modules if name.startswith(PACKAGES)]:
            del sys.modules[name]
        sys.modules.update(before)
        for package, names in attributes.items():
            vars(sys.modules[package]).update(names)


def interpreted(name: str) -> ModuleType:
    """The module of this name, and all of the packet stage that it imports, without compiled code."""
    with _forgotten():
        return importlib.import_module(name)


def is_compiled() -> bool:
    return dissector.compiled()
