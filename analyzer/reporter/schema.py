"""The JSON Schema of what `--format jsonl` prints, made from the model so that the two cannot differ."""

from __future__ import annotations

from typing import Any

import msgspec

from analyzer import model


def connection_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of one line of `analyzer read --format jsonl`."""
    (root,), components = msgspec.json.schema_components([model.Connection], ref_template="#/$defs/{name}")
    for definition in components.values():
        if "properties" in definition:
            # Absent things are written as null, never left out: a reader may rely on every name.
            definition["required"] = list(definition["properties"])
            for described in definition["properties"].values():
                described.pop("default", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A TCP connection, as printed by analyzer read --format jsonl",
        **root,
        "$defs": components,
    }
