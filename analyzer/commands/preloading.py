"""Loading all that may be needed later, while there still are rights to read it: Python itself may be where the user,
whose rights are left after root's were given up, must not look."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import re
from pathlib import Path

import analyzer

# Whoever takes part in an analysis.
_PARTS = (
    "analyzer.capture.compressed", "analyzer.commands.terminal", "analyzer.dissector.", "analyzer.flows.",
    "analyzer.reporter.",
)  # fmt: skip
_INNER_IMPORT = re.compile(r"^ +(?:from (\S+) import |import (\S+))", re.MULTILINE)


def load_all() -> None:
    """Modules, also those that others import only when they are needed, and tables."""
    from analyzer.dissector import registries

    for found in pkgutil.walk_packages(analyzer.__path__, "analyzer."):
        if found.name.startswith(_PARTS):
            module = importlib.import_module(found.name)
            folder = Path(analyzer.__path__[0]).joinpath(*found.name.split(".")[1:])
            source = folder / "__init__.py" if hasattr(module, "__path__") else folder.with_suffix(".py")
            for match in _INNER_IMPORT.finditer(source.read_text(encoding="utf-8")):
                name = match[1] or match[2]
                if not name.startswith("cython.cimports"):
                    with contextlib.suppress(ImportError):  # an extra that is not installed
                        importlib.import_module(name)
    registries.load_all()
