"""The numbers that compiled modules and their readers share stand in two files, and are the same."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from analyzer.dissector import layout
from analyzer.dissector.http1 import STEPS, states
from analyzer.dissector.http2 import wire

DECLARED = re.compile(r"^ +(\w+) = (\S+)", re.MULTILINE)


def constants(module: ModuleType = layout) -> dict[str, int]:
    return {name: value for name, value in vars(module).items() if name.isupper()}


def declared(module: ModuleType) -> dict[str, int]:
    return {
        name: int(value, 0) for name, value in DECLARED.findall(Path(module.__file__).with_suffix(".pxd").read_text())
    }


@pytest.mark.parametrize("module", [layout, states, wire])
def test_the_declarations_for_c_are_those_for_python(module):
    assert declared(module) == constants(module)


def test_the_steps_of_http_are_in_their_order():
    names = [step.upper().replace(" ", "_") for step in STEPS]
    assert [constants(states)[name] for name in names] == list(range(len(STEPS)))


def test_the_words_of_a_row_do_not_overlap():
    row = list(constants().items())
    names = [name for name, _ in row]
    words = [number for _, number in row[names.index("FIRST_PACKET") : names.index("SIDES") + 1]]
    assert words == list(range(layout.SIDES + 1))
    side = [number for _, number in row[names.index("ISN") : names.index("ROW_WORDS")]]
    assert side == list(range(layout.SIDE_WORDS))
    assert layout.ROW_WORDS == layout.SIDES + 2 * layout.SIDE_WORDS


def test_bits_are_single_and_different():
    for prefix in ("OPTION_", "FLAG_"):
        bits = [value for name, value in constants().items() if name.startswith(prefix)]
        assert all(bit and bit & (bit - 1) == 0 for bit in bits)
        assert len(set(bits)) == len(bits)
