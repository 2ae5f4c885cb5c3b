"""Every capture below some folders, read in one process: for `make asan`, where starting one takes seconds.

    python bench/sanitized.py FOLDER…

AddressSanitizer ends the process where memory is used wrongly; the last line printed is the capture it was reading.
"""

from __future__ import annotations

import sys
from pathlib import Path

import analyzer


def main() -> None:
    files = [path for folder in sys.argv[1:] for path in sorted(Path(folder).rglob("*")) if path.is_file()]
    read = 0
    for path in files:
        print(path, flush=True)
        for options in ({}, {"tcp_only": True, "chunk_bytes": 4096}, {"checksums": "verify", "vlan_key": True}):
            try:
                with analyzer.analyze(path, **options) as analysis:
                    for _ in analysis.lines():
                        pass
                read += 1
            except analyzer.InputError:
                break  # a README, a key log
    print(f"{read} reports, and nothing that AddressSanitizer found")


if __name__ == "__main__":
    main()
