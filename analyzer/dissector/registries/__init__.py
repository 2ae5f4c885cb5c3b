"""Names of numbers in protocols, out of IANA's tables. Where these come from: README.md beside this file.

name("cipher-suites", 0x1301)  # "TLS_AES_128_GCM_SHA256"
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
_UNREGISTERED: Final = "unregistered.csv"

# Registry -> its file, the column of its names, and how many hexadecimal digits a value has.
_FILES: Final[dict[str, tuple[str | None, str, int]]] = {
    "cipher-suites": ("tls-parameters-4.csv", "Description", 4),
    "content-types": ("tls-parameters-5.csv", "Description", 2),
    "alerts": ("tls-parameters-6.csv", "Description", 2),
    "handshake-types": ("tls-parameters-7.csv", "Description", 2),
    "groups": ("tls-parameters-8.csv", "Description", 4),
    "signature-schemes": ("tls-signaturescheme.csv", "Description", 4),
    "extensions": ("tls-extensiontype-values-1.csv", "Extension Name", 4),
    "certificate-compression": ("certificate-compression-algorithm-ids.csv", "Description", 4),
    "ssl2-cipher-kinds": (None, "", 6),
    "http2-frame-types": ("http2-frame-type.csv", "Frame Type", 2),
    "http2-settings": ("http2-settings.csv", "Name", 4),
    "http2-error-codes": ("http2-error-code.csv", "Name", 2),
}
_NAMELESS: Final = ("Unassigned", "Reserved")
_REMARKS: Final = (" (OBSOLETE)",)


def name(registry: str, code: int) -> str:
    """What a number is called; "GREASE (0x1a1a)" if it is reserved to be no name (RFC 8701); "0x1a2b" if it has none.

    `registry` is one of the names in README.md; another one is a KeyError.
    """
    found = table(registry).get(code)
    if found is not None:
        return found
    return f"0x{code:0{_FILES[registry][2]}x}"


def load_all() -> None:
    """Reads all tables now, for whoever cannot later."""
    for registry in _FILES:
        table(registry)


@cache
def table(registry: str) -> dict[int, str]:
    """All names of a registry."""
    file, column, digits = _FILES[registry]
    found: dict[int, str] = {}
    with (_HERE / _UNREGISTERED).open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["Registry"] == registry:
                found[_code(row["Value"])] = row["Name"]
    if file is None:
        return found
    with (_HERE / file).open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            called = row[column]
            value = row["Value"] if "Value" in row else row["Code"]
            if "RFC8701" in row["Reference"]:
                for code in _codes(value):
                    found[code] = f"GREASE (0x{code:0{digits}x})"
            elif not called.startswith(_NAMELESS):
                for remark in _REMARKS:
                    called = called.removesuffix(remark)
                for code in _codes(value):
                    found[code] = called
    return found


def _codes(value: str) -> range:
    """`7`, `0x0804`, `0x13,0x01`, or a range: `16-18`, `0x0804-0x0806`, `0x00,0x1C-1D`; nothing for `0x14-19,*`."""
    first, dash, last = value.partition("-")
    if "*" in value:
        return range(0)
    begin = _code(first)
    if not dash:
        return range(begin, begin + 1)
    if "," in first:
        return range(begin, (begin & ~0xFF) + int(last, 16) + 1)
    return range(begin, _code(last) + 1)


def _code(value: str) -> int:
    """One number, in bytes or as a whole."""
    high, comma, low = value.partition(",")
    return int(high, 0) << 8 | int(low, 0) if comma else int(value, 0)
