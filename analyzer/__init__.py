"""Sequence diagrams you can run against real traffic.

    import analyzer

    for connection in analyzer.analyze("capture.pcapng"):
        print(connection.client, connection.open.flow, connection.close.flow)

    web = analyzer.read("capture.pcapng").only("server.port=443")

    for one in analyzer.live("eth0", packet_filter="port 443"):
        print(one)

`analyze` yields connections as they finish, and holds none; `read` returns all of them, in order. Both take a path,
"-" for standard input or a binary file object, or a list of them, which are analysed as one capture in the order of
time; and the fields of `pipeline.Options` by name. Connections are structs of `analyzer.model`. `live` also yields
`LiveEvent`s as steps happen, and a `LiveSummary` at the end; `async for` works, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analyzer.errors import AnalyzerError, FlowPageError, InputError, LiveError, UsageError

if TYPE_CHECKING:
    from analyzer.capture.window import Readable
    from analyzer.connections import Connections
    from analyzer.live_pipeline import LiveAnalysis
    from analyzer.model import Connection, Endpoint, LiveEvent, LiveSummary, Step, Verdict
    from analyzer.pipeline import Analysis, Source

__version__ = "0.1.0"
__all__ = [
    "AnalyzerError", "Connection", "Connections", "Endpoint", "FlowPageError", "InputError", "LiveError", "LiveEvent",
    "LiveSummary", "Step", "UsageError", "Verdict", "__version__", "analyze", "live", "read",
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


def live(
    *interfaces: str,
    source: Readable | str = "scapy",
    packet_filter: str | None = None,
    snaplen: int = 262_144,
    promiscuous: bool = True,
    packets: int | None = None,
    seconds: float | None = None,
    buffer_bytes: int = 32 << 20,
    write: str | None = None,
    ring: tuple[int, int] | None = None,
    **options: Any,
) -> LiveAnalysis:
    """Packets of interfaces as they pass: an iterable, also an asynchronous one, of `LiveEvent`, of `Connection` when
    one has finished, and of a `LiveSummary` at the end.

    `source`: "scapy", "dumpcap", "tshark", or a pipe: "-" or a binary file object. `packet_filter` is in pcap syntax;
    `snaplen` and `buffer_bytes` are bytes. It ends after `packets` or `seconds`, when `stop()` was called, and for good
    when the iteration is left. `write`: a pcapng file for what is seen, with `ring=(files, bytes)` a ring of them.
    `options` are the fields of `pipeline.Options`. Capturing begins here, not with the iteration; nothing is done
    about signals and privileges. Raises LiveError if it cannot start, UsageError for wrong options.
    """
    from analyzer import live_pipeline, pipeline
    from analyzer.capture.live.base import Wanted
    from analyzer.capture.live.recorder import Recorder, Ring

    if bool(interfaces) == (not isinstance(source, str) or source == "-"):
        raise UsageError("live: name an interface, `live('eth0')`, or give a pipe as `source`; not both")
    piped = not interfaces
    wanted = Wanted(
        interfaces=interfaces,
        packet_filter=None if piped else packet_filter,
        snaplen=snaplen,
        promiscuous=promiscuous,
        buffer_bytes=buffer_bytes,
        packets=packets,
        seconds=seconds,
    )
    try:
        chosen = pipeline.Options(**options, packet_filter=packet_filter if piped else None)
    except TypeError as error:
        raise UsageError(f"live: {error}") from None
    capture = live_pipeline.open_live(wanted, source)
    try:
        if write is not None:
            capture.recorder = Recorder(write, None if ring is None else Ring(*ring))
        return live_pipeline.LiveAnalysis(capture, chosen)
    except BaseException:
        capture.close()
        raise


def __getattr__(name: str) -> Any:
    """Types, imported when they are first asked for."""
    if name == "Connections":
        from analyzer.connections import Connections

        return Connections
    if name in ("Connection", "Endpoint", "LiveEvent", "LiveSummary", "Step", "Verdict"):
        from analyzer import model

        return getattr(model, name)
    raise AttributeError(f"module 'analyzer' has no attribute {name!r}")
