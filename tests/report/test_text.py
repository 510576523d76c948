"""Words and numbers fit to be read."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellposed.report.text import duration, human, is_code, plain, plain_lines


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0"),
        (6.55e4, "65,500"),
        (65504.0, "65,504"),
        (0.03125, "0.03125"),
        (1e-12, "1e-12"),
        (1.2345e-9, "1.23e-9"),
        (6.02214e23, "6.02e23"),
        (123456.789, "1.23e5"),
        (12345.678, "12,350"),
        (-0.5, "-0.5"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (4_194_304, "4,194,304"),
        (10**400, "inf"),
        (True, "yes"),
        ("float16", "float16"),
    ],
)
def test_numbers_are_written_as_people_write_them(value, expected):
    assert human(value) == expected


def test_a_unit_stands_behind_its_number():
    assert human(9.1, "s") == "9.1 s"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0, "0 s"),
        (3.4e-5, "34 µs"),
        (0.0123, "12 ms"),
        (0.8, "0.8 s"),
        (9.1, "9.1 s"),
        (42.4, "42 s"),
        (123.0, "2 min 3 s"),
        (3900.0, "1 h 5 min"),
        (math.nan, "an unknown time"),
        (None, "an unknown time"),
    ],
)
def test_times_are_short(seconds, expected):
    assert duration(seconds) == expected


@given(st.text())
def test_nothing_that_a_terminal_obeys_gets_through(text):
    assert plain(text).isprintable()


def test_what_is_removed_is_shown():
    assert plain("a\x1b[31mred\n\u202eb\ud800") == "a\\x1b[31mred\\x0a\\u202eb\\ud800"
    assert plain("a\u00a0b") == "a b"


def test_long_names_lose_their_middle():
    shown = plain("a" * 500 + "end", limit=20)
    assert len(shown) == 21
    assert "…" in shown
    assert shown.endswith("end")


def test_lines_keep_their_breaks_and_lose_their_tabs():
    assert plain_lines("a\n\tb\x07") == ["a", "    b\\x07"]


@pytest.mark.parametrize("code", ["x = torch.log(p + 1e-8)", "return (squared + 1e-12).sqrt()", "a\nb = 1", "f(x)"])
def test_code_is_told_from_prose(code):
    assert is_code(code)


@pytest.mark.parametrize("prose", ["Lower the learning rate.", "normalise", "", "(" * 5000, "x" * 9000, "\x00"])
def test_prose_is_told_from_code(prose):
    assert not is_code(prose)
