"""What a protocol module's `probe` answers about the first bytes of a connection."""

from __future__ import annotations

from enum import Enum


class Probe(Enum):
    """Certain, not ours, or not enough bytes to tell."""

    MATCH = "match"
    NO_MATCH = "no match"
    NEED_MORE = "need more"
