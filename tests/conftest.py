"""Settings for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# How long an example takes says more of the machine than of the code. In CI they are the same ones each time: a change
# fails for what it changed. Elsewhere new ones, to find more.
settings.register_profile("untimed", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "untimed")
