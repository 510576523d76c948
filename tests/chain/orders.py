"""Every order of a chain, and what it costs: the oracles of this room, written as plainly as possible."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

Tree = Any
"""A matrix's number, or a pair of trees."""


def every_tree(low: int, high: int) -> Iterator[Tree]:
    """Every order of the matrices low … high - 1."""
    if high - low == 1:
        yield low
    for split in range(low + 1, high):
        yield from itertools.product(every_tree(low, split), every_tree(split, high))


def every_sequence(matrices: int) -> Iterator[tuple[int, ...]]:
    """Every sequence in which the inner dimensions can be contracted: trees and all their interleavings."""
    return itertools.permutations(range(1, matrices))


def span(tree: Tree) -> tuple[int, int]:
    if isinstance(tree, int):
        return tree, tree + 1
    return span(tree[0])[0], span(tree[1])[1]


def products(tree: Tree) -> Iterator[tuple[int, int, int]]:
    """Positions of the three dimensions of each product, both factors before it, the left one first."""
    if isinstance(tree, int):
        return
    yield from products(tree[0])
    yield from products(tree[1])
    yield own_product(tree)


def own_product(tree: Tree) -> tuple[int, int, int]:
    """Positions of the three dimensions of the last product of `tree`."""
    return span(tree[0])[0], span(tree[0])[1], span(tree[1])[1]


def multiplications(tree: Tree, dimensions: Sequence[int]) -> int:
    return sum(dimensions[i] * dimensions[k] * dimensions[j] for i, k, j in products(tree))


def least_multiplications(dimensions: Sequence[int]) -> int:
    """The recurrence of the textbooks."""

    @cache
    def least(i: int, j: int) -> int:
        if j - i < 2:
            return 0
        return min(least(i, k) + least(k, j) + dimensions[i] * dimensions[k] * dimensions[j] for k in range(i + 1, j))

    return least(0, len(dimensions) - 1)


def cost_of_sequence(dimensions: Sequence[int], sequence: Sequence[int]) -> int:
    """What it costs to contract the inner dimensions in this sequence."""
    left = list(range(len(dimensions)))
    cost = 0
    for k in sequence:
        at = left.index(k)
        cost += dimensions[left[at - 1]] * dimensions[k] * dimensions[left[at + 1]]
        del left[at]
    assert left == [0, len(dimensions) - 1]
    return cost
