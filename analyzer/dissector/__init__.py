"""From captured frames to connections and events. Knows no files and no clock: time arrives as data."""

from __future__ import annotations


def compiled() -> bool:
    """Whether the packet stage runs as compiled code. If not it gives the same answers, slower."""
    from analyzer.capture import records
    from analyzer.dissector import applications, connections, headers, history, links, reader, rows, tunnels, wireless
    from analyzer.dissector.http1 import connection

    packets = (records, headers, links, wireless, tunnels, reader)
    modules = (*packets, rows, history, connections, applications, connection)
    return all(module.COMPILED for module in modules)
