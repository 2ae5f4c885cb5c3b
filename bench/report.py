"""How long the HTML report of a large capture takes to be written, and to be opened in a browser.

    python bench/report.py --connections 50000

The capture is made of recorded ones (replicate.py). The browser is Debian's chromium, from a file, with an empty
profile; a page is open when its table is drawn and can be searched, and a connection when its ladder is. Needs
chromium, chromium-driver and selenium.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.reporter.browser import Browser, browser  # noqa: E402

CAPTURES = ("tcp/web-page", "http1/keep-alive")
PACKETS_PER_CONNECTION = 14  # of these captures, about
OPENED = "return document.querySelector('#connection .ladder') && !document.getElementById('connection').hidden"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        capture, page = Path(folder) / "large.pcap", Path(folder) / "report.html"
        sources = [str(next((ROOT / "captures" / case).glob("capture.*"))) for case in CAPTURES]
        packets = str(given.connections * PACKETS_PER_CONNECTION)
        replicate = [sys.executable, str(ROOT / "bench/replicate.py"), "--packets", packets, "-o", str(capture)]
        subprocess.run([*replicate, *sources], check=True, capture_output=True)
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "analyzer", "read", "-q", "-o", str(page), str(capture)], check=True)
        print(f"written in {time.monotonic() - began:.1f} s: {page.stat().st_size / 1e6:.1f} MB")
        with browser(Path(folder) / "profile") as chromium:
            measured = [measure(chromium, page) for _ in range(given.rounds)]
    for name in measured[0]:
        print(f"{name}: {statistics.median(one[name] for one in measured):.2f}")


def measure(chromium: Browser, page: Path) -> dict[str, float]:
    """Seconds, by what was waited for."""
    began = time.monotonic()
    chromium.open(page)
    opened = time.monotonic()
    rows = chromium.js("return report.count")
    chromium.js("document.querySelector('[data-key=bytes] button').click()")
    sorted_at = time.monotonic()
    search = "table.search('style.css 200')"
    chromium.js(search)
    searched = time.monotonic()
    chromium.js(search)
    again = time.monotonic()
    chromium.js(f"location.hash = 'c{rows // 2}'")
    chromium.wait(OPENED)
    return {
        "connections": rows,
        "seconds until it is open": opened - began,
        "until it is sorted": sorted_at - opened,
        "until the first search is done": searched - sorted_at,
        "a further one": again - searched,
        "until a connection is open": time.monotonic() - again,
    }


if __name__ == "__main__":
    main()
