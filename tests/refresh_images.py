"""Takes the pictures of the report that README.md and docs/report.md show, anew:

    python tests/refresh_images.py

Needs chromium and chromium-driver. Look at the pictures before they are committed.
"""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.cases import capture_of, keys_of  # noqa: E402
from tests.reporter.browser import browser  # noqa: E402

# File, captures, what of the page, width, height, dark.
PICTURES = (
    ("report-ladder", ("tls/reset-mid-handshake",), "#c0/ladder", 1180, 960, False),
    ("report-streams", ("http2/parallel",), "#c0/exchanges", 1180, 620, True),
    ("report-sequence", ("http2/loss-on-path",), "#c0/sequence", 1180, 860, False),
