"""The order of a chain whose sizes may be symbols, by comparisons that a tracer of Python can follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wellposed.chain.ordering import Order

LONGEST = 8
"""Matrices that are best ordered so: it takes O(n³) traced operations, and as many guards."""


def order_of_symbols(shapes: Sequence[Sequence[Any]], requires_grad: Sequence[bool]) -> Order:
    """The order with the fewest multiplications, as `wellposed.chain.ordering.order_of` finds it."""
    count = len(shapes)
    first, last = shapes[0], shapes[-1]
    dims = [1 if len(first) == 1 else first[-2]]
    dims += [shape[-1] for shape in shapes[:-1]]
    dims += [1 if len(last) == 1 else last[-1]]
    batches = [tuple(shape[:-2]) for shape in shapes]
    best: dict[tuple[int, int], tuple[Any, tuple[tuple[int, int], ...]]] = {}
    for at in range(count):
        best[at, at + 1] = (0, ())
    for length in range(2, count + 1):
        for i in range(count - length + 1):
            j = i + length
            batch = _batch(batches[i:j])
            found = None
            # Of equals the last, so that left to right stays where it makes no difference.
            for k in range(j - 1, i, -1):
                passes = 1 + (any(requires_grad[i:k]) + any(requires_grad[k:j]))
                own = batch * dims[i] * dims[k] * dims[j] * passes
                cost = best[i, k][0] + best[k, j][0] + own
                if found is None or cost < found[0]:
                    found = (cost, (*best[i, k][1], *best[k, j][1], (i, k)))
            assert found is not None
            best[i, j] = found
    steps = best[0, count][1]
    return Order(steps, all(i == 0 for i, _ in steps))


def _batch(shapes: Sequence[tuple[Any, ...]]) -> Any:
    axes = max(map(len, shapes))
    total = 1
    for axis in range(1, axes + 1):
        size = 1
        for shape in shapes:
            if len(shape) >= axis and shape[-axis] != 1:
                size = shape[-axis]
        total = total * size
    return total
