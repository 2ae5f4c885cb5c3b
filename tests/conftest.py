"""Settings for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# In CI the same examples each time: a change fails for what it changed. Elsewhere new ones, to find more.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI") == "true":
    settings.load_profile("ci")
