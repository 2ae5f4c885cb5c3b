"""From captured frames to connections and events. Knows no files and no clock: time arrives as data."""

from __future__ import annotations


def compiled() -> bool:
    """Whether the packet stage runs as compiled code. If not it gives the same answers, slower."""
    from analyzer.capture import records
    from analyzer.dissector import connections, headers

    return bool(connections.COMPILED and headers.COMPILED and records.COMPILED)
