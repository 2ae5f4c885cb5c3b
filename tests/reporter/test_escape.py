import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.reporter.escape import escape


@given(st.text())
def test_nothing_a_terminal_acts_on_remains(text):
    for character in escape(text):
        category = unicodedata.category(character)
        assert category not in {"Cc", "Cf", "Cs", "Zl", "Zp"}, f"{character!r} ({category})"


@given(st.text())
def test_escaping_twice_is_escaping_once(text):
    assert escape(escape(text)) == escape(text)


@given(st.text(st.characters(exclude_categories=["C", "Z"])))
def test_harmless_text_stays(text):
    assert escape(text) == text


@given(st.binary())
def test_any_file_name_can_be_printed(name):
    escape(name.decode("utf-8", "surrogateescape")).encode("utf-8")


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("\x9b31m", r"\x9b31m"),  # CSI as one C1 character
        ("a\x7fb", r"a\x7fb"),
        ("evil\u202egpj.exe", r"evil\u202egpj.exe"),
        ("10.0.0.1\n#7 forged", r"10.0.0.1\n#7 forged"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("latin\udce9.pcap", r"latin\xe9.pcap"),  # a byte that is not UTF-8
        ("größe ✓ 東京", "größe ✓ 東京"),
    ],
)
def test_examples(hostile, shown):
    assert escape(hostile) == shown
