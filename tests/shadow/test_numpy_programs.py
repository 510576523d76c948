"""Random programs with views and in-place writes: the shadow is what the same program computes in the reference."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wellposed.shadow.numpy_array import followed, plain
from wellposed.shadow.numpy_engine import Engine
from wellposed.shadow.numpy_reference import Reference, has_extended_precision

Instruction = Callable[[list[Any], int, int], None]
"""Does something to a pool of arrays of 4 × 6 (or views of them), choosing by two numbers."""

SHAPE = (4, 6)


def _append(function: Callable[[Any], Any]) -> Instruction:
    return lambda pool, i, j: pool.append(function(pool[i % len(pool)]))


def _combine(function: Callable[[Any, Any], Any]) -> Instruction:
    def instruction(pool: list[Any], i: int, j: int) -> None:
        left, right = pool[i % len(pool)], pool[j % len(pool)]
        if left.shape == right.shape:
            pool.append(function(left, right))

    return instruction


def _in_place(function: Callable[[Any, Any], Any]) -> Instruction:
    def instruction(pool: list[Any], i: int, j: int) -> None:
        left, right = pool[i % len(pool)], pool[j % len(pool)]
        if left.shape == right.shape:
            function(left, right)

    return instruction


def _written(left: Any, right: Any) -> None:
    np.multiply(left, right, out=left)


def _masked(left: Any, right: Any) -> None:
    mask = np.arange(left.size).reshape(left.shape) % 3 == 0
    np.add(left, right, out=left, where=mask)


def _assign_mask(left: Any, right: Any) -> None:
    mask = np.arange(left.size).reshape(left.shape) % 2 == 0
    left[mask] = right[mask]


def _accumulate(left: Any, right: Any) -> None:
    np.add.at(left, np.array([0, -1, 0])[: len(right)], right[:3])


def _assign_row(left: Any, right: Any) -> None:
    left[-1] = right[0] / 3


def _assign_number(left: Any, right: Any) -> None:
    left[-1, 0] = right[0, 0] * right[-1, -1]


def _assign_picked(left: Any, right: Any) -> None:
    left[[0, -1]] = right[[-1, len(right) // 2]]


INSTRUCTIONS: dict[str, Instruction] = {
    "half": _append(lambda a: a[::2]),
    "reverse": _append(lambda a: a[:, ::-1]),
    "transpose": _append(lambda a: a.T),
    "reshape": _append(lambda a: a.reshape(a.shape[::-1])),
    "ravel-back": _append(lambda a: a.ravel().reshape(a.shape)),
    "copy": _append(lambda a: a.copy()),
    "roll": _append(lambda a: np.roll(a, 1, axis=0)),
    "tanh": _append(np.tanh),
    "centre": _append(lambda a: a - a.mean(axis=0)),
    "scale": _append(lambda a: a / (1 + np.abs(a).max())),
    "sort": _append(lambda a: np.sort(a, axis=1)),
    "picked": _append(lambda a: a[np.arange(len(a))[::-1]]),
    "add": _combine(operator.add),
    "subtract": _combine(operator.sub),
    "multiply": _combine(lambda a, b: np.tanh(a) * b),
    "select": _combine(lambda a, b: np.where(np.arange(a.shape[1]) % 2 == 0, a, b)),
    "larger": _combine(np.maximum),
    "matmul": _combine(lambda a, b: (a @ b.T) @ b / 50),
    "stack": _combine(lambda a, b: np.concatenate([a[:1], b[1:]])),
    "add-in-place": _in_place(operator.iadd),
    "divide-in-place": _in_place(lambda a, b: operator.itruediv(a, 1.5 + np.abs(b).max())),
    "out": _in_place(lambda a, b: _written(a, np.tanh(b))),
    "out-where": _in_place(_masked),
    "assign": _in_place(lambda a, b: operator.setitem(a, slice(1, 3), b[0:1] * 0.1)),
    "assign-row": _in_place(_assign_row),
    "assign-number": _in_place(_assign_number),
    "assign-mask": _in_place(_assign_mask),
    "assign-picked": _in_place(_assign_picked),
    "accumulate": _in_place(_accumulate),
    "copy-to": _in_place(lambda a, b: np.copyto(a, b * 0.7)),
    "fill": _in_place(lambda a, b: a[0].fill(b.sum() / 7)),
    "sort-in-place": _in_place(lambda a, b: a.sort(axis=0)),
}


def ran(program: list[tuple[str, int, int]], arrays: list[Any]) -> list[Any]:
    pool = list(arrays)
    for name, i, j in program:
        before = len(pool)
        INSTRUCTIONS[name](pool, i, j)
        del pool[before + 1 :]
        if len(pool) > 8:
            del pool[0]
    return pool


def starting(dtype: Any) -> list[Any]:
    rng = np.random.default_rng(3)
    return [rng.standard_normal(SHAPE).astype(dtype) for _ in range(3)]


programs = st.lists(
    st.tuples(st.sampled_from(sorted(INSTRUCTIONS)), st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=14
)


def check(program: list[tuple[str, int, int]], dtype: Any, wide: Any) -> None:
    """Brute force, twice: the program alone in its format, and alone in the reference's."""
    engine = Engine(Reference())
    with np.errstate(all="ignore"):
        measured = ran(program, followed(starting(dtype), engine))
        alone = ran(program, starting(dtype))
        reference = ran(program, [array.astype(wide) for array in starting(dtype)])
    for followed_array, ours, true in zip(measured, alone, reference, strict=True):
        value = plain(followed_array)
        assert value.dtype == ours.dtype and value.strides == ours.strides
        assert value.tobytes() == ours.tobytes()
        shadow = engine.store.find(value).shadow
        assert np.array_equal(shadow, true, equal_nan=True)
    assert not engine.table.skips


@given(programs)
@settings(max_examples=150, deadline=None)
def test_the_shadow_of_float32_is_the_program_in_float64(program: list[tuple[str, int, int]]) -> None:
    check(program, np.float32, np.float64)


@given(programs)
@settings(max_examples=100, deadline=None)
@pytest.mark.skipif(not has_extended_precision(), reason="longdouble is float64 here")
def test_the_shadow_of_float64_is_the_program_in_extended_precision(program: list[tuple[str, int, int]]) -> None:
    check(program, np.float64, np.longdouble)


@pytest.mark.parametrize("name", sorted(INSTRUCTIONS))
def test_every_instruction_does_something_and_is_followed(name: str) -> None:
    program = [("centre", 0, 0), ("divide-in-place", 0, 1), ("divide-in-place", 1, 2), (name, 0, 1)]
    check(program, np.float32, np.float64)
    after, before = ran(program, starting(np.float32)), ran(program[:-1], starting(np.float32))
    assert len(after) > len(before) or any((one != two).any() for one, two in zip(after, before, strict=True))
