"""Settings for all tests."""

from __future__ import annotations

import contextlib
import os
import signal

from hypothesis import settings

# How long an example takes says more of the machine than of the code. In CI they are the same ones each time: a change
# fails for what it changed. Elsewhere new ones, to find more.
settings.register_profile("untimed", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "untimed")

# A shell has programs in its background ignore Ctrl-C, and they hand that down; here it is what is tested.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGINT, signal.default_int_handler)
