"""Times as the report has them, back into numbers."""

from __future__ import annotations

import calendar
import functools
import time


def nanoseconds(timestamp: str) -> int:
    """Since 1970 UTC. `timestamp`: RFC 3339 with nine decimals and Z, as in `Connection.start`."""
    return _second(timestamp[:-11]) * 1_000_000_000 + int(timestamp[-10:-1])


@functools.lru_cache(1024)
def _second(text: str) -> int:
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))
