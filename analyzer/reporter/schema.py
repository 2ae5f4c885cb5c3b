"""The JSON Schema of what is printed for programs, made from the structs that are printed so that the two cannot
differ."""

from __future__ import annotations

from typing import Any

import msgspec


def schema_of(command: str) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of what "read" (one line of its JSON Lines), "live" (the same),
    "claims" or "check" prints."""
    match command:
        case "read":
            from analyzer.model import Connection

            return _schema("A TCP connection, as printed by analyzer read --format jsonl", Connection)
        case "live":
            from analyzer.model import Connection, LiveEvent, LiveSummary

            return _schema("A line of analyzer live --format jsonl", LiveEvent | Connection | LiveSummary)
        case "claims":
            from analyzer.reporter.claims.found import Report

            return _schema("What analyzer claims --format json prints", Report)
        case _:
            from analyzer.reporter.outputs.checks import Report as Checks

            return _schema("What analyzer check --format json prints", Checks)


def _schema(title: str, of: Any) -> dict[str, Any]:
    (root,), components = msgspec.json.schema_components([of], ref_template="#/$defs/{name}")
    for definition in components.values():
        if "properties" in definition:
            # Absent things are written as null, never left out: a reader may rely on every name.
            definition["required"] = list(definition["properties"])
            for described in definition["properties"].values():
                described.pop("default", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **root,
        "$defs": components,
    }
