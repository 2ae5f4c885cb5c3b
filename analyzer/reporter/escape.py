"""Text that came from outside, made safe for a terminal.

A capture is hostile input, and so are file names: an escape sequence can retitle or reprogram a terminal, a
bidirectional override can make one address read as another. Everything that is printed and not typed into this
program goes through `escape`.
"""

from __future__ import annotations

import re

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Whatever Markdown could act on, in text and in cells of tables: CommonMark §2.4 lets each be escaped.
_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>()#+!|~&$:]")


def escape(text: str) -> str:
    """`text` with every character that a terminal could act on written out as `\\x1b`, `\\u202e`, …

    `str.isprintable` is false for just these: control characters (C0, DEL, C1), format characters (bidirectional
    overrides, zero-width ones), surrogates, private-use and unassigned code points, separators other than the space.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _SHORT.get(c) or _written_out(c) for c in text)


def escape_markdown(text: str) -> str:
    """The same, and as text in which Markdown and HTML have nothing to act on."""
    return _MARKDOWN.sub(lambda found: "\\" + found[0], escape(text))


def _written_out(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8 (PEP 383)
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
