"""Sequences and names of two runs: what stands in the same place."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellposed.report.compare.align import paired, renamed_roots, stretches


def cut(a, b):
    return [(a[s.a.start : s.a.stop], b[s.b.start : s.b.stop], s.same) for s in stretches(a, b)]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("", "", []),
        ("abc", "abc", [("abc", "abc", True)]),
        ("abc", "", [("abc", "", False)]),
        ("abcdefg", "abcXdefg", [("abc", "abc", True), ("", "X", False), ("defg", "defg", True)]),
        ("abcdefg", "abcXefgh", [("abc", "abc", True), ("d", "X", False), ("efg", "efg", True), ("", "h", False)]),
        ("xyzabc", "abc", [("xyz", "", False), ("abc", "abc", True)]),
    ],
)
def test_stretches_meet_again(a, b, expected):
    assert cut(a, b) == expected


@given(st.text("abc", max_size=60), st.text("abc", max_size=60))
def test_stretches_cover_both_and_tell_the_truth(a, b):
    found = cut(a, b)

    assert "".join(left for left, _, _ in found) == a
    assert "".join(right for _, right, _ in found) == b
    assert all(left == right for left, right, same in found if same)
    assert all(left or right for left, right, _ in found)


@pytest.mark.parametrize("letters", ["a", "ab", "abcdefghij"])
def test_the_work_stays_linear(letters):
    chance = random.Random(0)
    a, b = (chance.choices(letters, k=50_000) for _ in range(2))
    before = time.perf_counter()
    list(stretches(a, b))
    assert time.perf_counter() - before < 20


def test_sequences_without_anything_in_common_are_left_apart():
    found = list(stretches(range(100_000), range(-100_000, 0)))

    assert not any(each.same for each in found)


def test_a_renamed_class_is_found_by_its_order():
    assert renamed_roots(["A.x", "A.y", "C"], ["B.x", "C"]) == {"A": "B"}
    assert renamed_roots(["A.x", "C"], ["B.x"]) == {}


def test_names_are_paired_by_themselves_then_by_kind_and_order():
    a = [("n.first", (4, 4)), ("n.second", (4, 4)), ("n.bias", (4,)), ("n.same", (2,))]
    b = [("m.one", (4, 4)), ("n.same", (3,)), ("m.two", (4, 4)), ("m.more", (9,))]

    assert paired(a, b) == ([(0, 0), (1, 2), (3, 1)], [2], [3])
    assert paired([("x", 1), ("x", 1)], [("x", 1)]) == ([(0, 0)], [1], [])
