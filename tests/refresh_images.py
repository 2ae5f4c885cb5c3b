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
)
_QUALITY = 82


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, browser(Path(folder) / "profile") as chromium:
        for name, cases, fragment, width, height, dark in PICTURES:
            page = Path(folder) / f"{name}.html"
            captures = [str(capture_of(case).relative_to(ROOT)) for case in cases]
            keys = [part for case in cases for key in keys_of(case) for part in ("--keys", key)]
            command = [sys.executable, "-m", "analyzer", "read", "-q", "-o", str(page), *keys, *captures]
            subprocess.run(command, check=True, cwd=ROOT)
            chromium.resize(width, height, dark=dark)
            chromium.open(page, fragment)
            if "exchanges" in fragment:
                chromium.click("[data-view=order]")
            time.sleep(0.5)  # what says something for a moment has faded
            wanted = {"format": "webp", "quality": _QUALITY}
            picture = chromium.driver.execute_cdp_cmd("Page.captureScreenshot", wanted)["data"]
            (ROOT / "docs/images" / f"{name}.webp").write_bytes(base64.b64decode(picture))


if __name__ == "__main__":
    main()
