"""Text for a terminal: escapes, widths, cuts."""

from __future__ import annotations

import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdo.cli import formats, terminal


@given(st.text(alphabet=st.characters()))
def test_nothing_that_drives_a_terminal_is_left(text):
    shown = terminal.safe_line(text)
    assert not [char for char in shown if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")]
    assert terminal.safe(shown) == shown


def test_escapes_say_what_was_there():
    assert terminal.safe("a\x1b[31m\tb\nc\x9b\u202e\udcff") == "a\\x1b[31m\tb\nc\\x9b\\u202e\\xff"
    assert terminal.safe_line("a\tb\n") == "a\\tb\\n"
    assert terminal.safe_styled("\x1b[31mred\x1b[m\x1b]0;x\x07") == "\x1b[31mred\x1b[m\\x1b]0;x\\x07"


@pytest.mark.parametrize(
    ("text", "columns"),
    [("abc", 3), ("漢字", 4), ("é", 1), ("e\u0301", 1), ("🎉", 2), ("\x1b[31mred\x1b[0m", 3), ("", 0)],
)
def test_width_is_that_of_the_terminal(text, columns):
    assert terminal.width(text) == columns


@given(st.text(alphabet="abc漢字🎉e\u0301 "), st.integers(1, 20))
def test_a_cut_fits_and_says_so(text, columns):
    cut = terminal.cut(text, columns)
    assert terminal.width(cut) <= columns
    assert cut == text or cut.endswith("…")


def test_pad_counts_columns():
    assert terminal.pad("漢", 4) == "漢  " and terminal.pad("9", 3, right=True) == "  9"


@pytest.mark.parametrize(
    ("usd", "text"),
    [(None, ""), ("0", "$0.00"), ("0.00004", "$0.0000"), ("0.0421", "$0.0421"), ("1", "$1.00"), ("12.346", "$12.35")],
)
def test_costs(usd, text):
    assert formats.cost(None if usd is None else Decimal(usd)) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.25, "0.2 s"), (3, "3 s"), (59.7, "1 min 0 s"), (61, "1 min 1 s"), (7260, "2 h 1 min")]
)
def test_durations(seconds, text):
    assert formats.duration(seconds) == text
