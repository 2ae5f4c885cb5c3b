"""Sequence diagrams you can run against real traffic.

    import analyzer

    for connection in analyzer.analyze("capture.pcapng"):
        print(connection.client, connection.open.flow, connection.close.flow)

    web = analyzer.read("capture.pcapng").only("server.port=443")

`analyze` yields connections as they finish, and holds none; `read` returns all of them, in order. Both take a path,
"-" for standard input or a binary file object, or a list of them, which are analysed as one capture in the order of
time; and the fields of `pipeline.Options` by name. Connections are structs of `analyzer.model`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analyzer.errors import AnalyzerError, FlowPageError, InputError, LiveError, UsageError

if TYPE_CHECKING:
    from analyzer.connections import Connections
    from analyzer.model import Connection, Endpoint, Step, Verdict
    from analyzer.pipeline import Analysis, Source

__version__ = "0.1.0"
__all__ = [
    "AnalyzerError", "Connection", "Connections", "Endpoint", "FlowPageError", "InputError", "LiveError", "Step",
    "UsageError", "Verdict", "__version__", "analyze", "read",
]  # fmt: skip


def analyze(source: Source | list[Source] | tuple[Source, ...], **options: Any) -> Analysis:
    """Every connection of a capture, labelled: an iterable of `model.Connection`, with `totals` and `warnings`.

    `options` are the fields of `pipeline.Options`: `packet_filter="tcp port 443"`, `vlan_key=True`,
    `flows=("my-flows/",)` … Raises InputError where there is no capture to read, UsageError for wrong options.
    """
    # Only now: `import analyzer` alone stays cheap.
    from analyzer import pipeline

    try:
        chosen = pipeline.Options(**options)
    except TypeError as error:
        raise UsageError(f"analyze: {error}") from None
    return pipeline.analyze(source, chosen)


def read(source: Source | list[Source] | tuple[Source, ...], **options: Any) -> Connections:
    """All connections of a capture, labelled, in order of their first packets: a sequence of `model.Connection`.

    Arguments and errors are those of `analyze`. Everything is kept in memory.
    """
    from analyzer.connections import Connections

    with analyze(source, **options) as analysis:
        return Connections.of(analysis)


def __getattr__(name: str) -> Any:
    """Types, imported when they are first asked for."""
    if name == "Connections":
        from analyzer.connections import Connections

        return Connections
    if name in ("Connection", "Endpoint", "Step", "Verdict"):
        from analyzer import model

        return getattr(model, name)
    raise AttributeError(f"module 'analyzer' has no attribute {name!r}")
