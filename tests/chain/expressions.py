"""Random expressions of products, transposes and factors, evaluated with the operators of whatever library."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import hypothesis.strategies as st
import numpy as np

DIMENSIONS = st.sampled_from([1, 2, 3, 5, 8, 13])
FACTORS = [("times", 2), ("times", -3), ("over", 4), ("over", -2), ("minus", None), ("times", 0.5)]
"""Exact in binary, so that results are equal to the last bit whatever the order."""


@st.composite
def matrices(
    draw: Any, rows: int | None = None, columns: int | None = None, depth: int = 4, batches: bool = False
) -> Any:
    """An expression of a matrix, as nested tuples, with leaves ``("leaf", shape, number)``."""
    rows = draw(DIMENSIONS) if rows is None else rows
    columns = draw(DIMENSIONS) if columns is None else columns
    kind = draw(st.sampled_from(["leaf", "turned", "scaled", "product", "product", "product"])) if depth else "leaf"
    if kind == "leaf":
        batch = draw(st.sampled_from([(), (), (1,), (3,), (2, 1), (2, 3)])) if batches else ()
        return ("leaf", (*batch, rows, columns), draw(st.integers(0, 2**31)))
    if kind == "turned":
        return ("turned", draw(matrices(columns, rows, depth - 1, batches)))
    if kind == "scaled":
        return ("scaled", draw(st.sampled_from(FACTORS)), draw(matrices(rows, columns, depth - 1, batches)))
    inner = draw(DIMENSIONS)
    left, right = draw(matrices(rows, inner, depth - 1, batches)), draw(matrices(inner, columns, depth - 1, batches))
    return ("product", left, right)


@st.composite
def expressions(draw: Any, batches: bool = False) -> Any:
    """An expression that may begin and end with a vector, and go on after one."""
    rows, columns = draw(DIMENSIONS), draw(DIMENSIONS)
    made = draw(matrices(rows, columns, batches=batches))
    ends = draw(st.sampled_from(["none", "row", "column", "both", "quadratic"]))
    if ends in ("column", "both", "quadratic"):
        made = ("product", made, ("leaf", (columns,), draw(st.integers(0, 2**31))))
    if ends == "row" or (ends == "both" and not batches):
        made = ("product", ("leaf", (rows,), draw(st.integers(0, 2**31))), made)
        if ends == "both":
            return made
    if ends in ("row", "quadratic") and not batches:
        # A vector goes on on the other side than the one on which it came.
        here = rows if ends == "quadratic" else columns
        more = draw(matrices(here, draw(DIMENSIONS), depth=2))
        made = ("product", made, more) if ends == "quadratic" else ("product", ("turned", more), made)
    return made


def evaluated(expression: Any, make: Any) -> Any:
    """The value with Python's operators; `make(shape, number)` gives the leaves."""
    kind = expression[0]
    if kind == "leaf":
        return make(expression[1], expression[2])
    if kind == "turned":
        return evaluated(expression[1], make).mT
    if kind == "product":
        return evaluated(expression[1], make) @ evaluated(expression[2], make)
    (how, number), inner = expression[1], evaluated(expression[2], make)
    if how == "minus":
        return -inner
    return inner * number if how == "times" else inner / number


def leaves(expression: Any) -> list[tuple[tuple[int, ...], int]]:
    """Shape and number of every leaf, once."""
    if expression[0] == "leaf":
        return [(expression[1], expression[2])]
    parts = expression[2:] if expression[0] == "scaled" else expression[1:]
    return list(dict.fromkeys(entry for part in parts for entry in leaves(part)))


def chain(expression: Any, turned: bool = False) -> list[tuple[int, ...]]:
    """The shapes that an expression of matrices multiplies, from left to right."""
    kind = expression[0]
    if kind == "leaf":
        shape = expression[1]
        return [(*shape[:-2], shape[-1], shape[-2]) if turned and len(shape) > 1 else shape]
    if kind == "turned":
        return chain(expression[1], not turned)
    if kind == "scaled":
        return chain(expression[2], turned)
    parts = [chain(part, turned) for part in expression[1:]]
    return [shape for part in (reversed(parts) if turned else parts) for shape in part]


def integers(shape: tuple[int, ...], number: int) -> Any:
    """An array of small integers in float64: products of a few are exact."""
    return np.random.default_rng(number).integers(-2, 3, shape).astype(float)


def fewest_multiplications(shapes: list[tuple[int, ...]]) -> int:
    """Of all orders of a chain with batches, by the recurrence of the textbooks."""
    full = [(1, *shape) if len(shape) == 1 and at == 0 else (*shape, 1) if len(shape) == 1 else shape
            for at, shape in enumerate(shapes)]  # fmt: skip

    @cache
    def least(i: int, j: int) -> int:
        if j - i < 2:
            return 0
        batch = math.prod(np.broadcast_shapes(*(shape[:-2] for shape in full[i:j])))
        return min(
            least(i, k) + least(k, j) + batch * full[i][-2] * full[k][-2] * full[j - 1][-1] for k in range(i + 1, j)
        )

    return least(0, len(full))
