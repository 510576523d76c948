"""Bᵀ·A·Aᵀ·B is Sᵀ·S with S = Aᵀ·B: what is there twice, transposed or not, is multiplied out once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations, permutations

from wellposed.integrations.torch_reorder.contraction import Again, Order, cheapest_order
from wellposed.integrations.torch_reorder.gathering import Leaf

FEWEST_LEAVES, MOST_LEAVES = 4, 6
"""Of a term that is searched for halves: all ways to halve it, and to pair the halves, are tried."""


def mirrored_order(
    leaves: Sequence[Leaf], result: frozenset[int], hint: Callable[[Iterable[int]], int]
) -> Order | None:
    """The cheapest order that multiplies out one half and uses it twice; None where no two halves are the same."""
    count = len(leaves)
    if count % 2 or not FEWEST_LEAVES <= count <= MOST_LEAVES:
        return None
    held = [frozenset(_flat(leaf)) for leaf in leaves]
    best: Order | None = None
    for others in combinations(range(1, count), count // 2 - 1):
        first = (0, *others)
        second = tuple(at for at in range(count) if at not in first)
        if sorted(id(leaves[at].node) for at in first) != sorted(id(leaves[at].node) for at in second):
            continue
        inside, outside = _union(held, first), _union(held, second)
        kept, kept_again = inside & (outside | result), outside & (inside | result)
        for order in permutations(second):
            renamed = _renaming([leaves[at] for at in first], [leaves[at] for at in order])
            if renamed is None or {renamed[index] for index in kept} != kept_again:
                continue
            half = cheapest_order([held[at] for at in first], kept, hint)
            cost = half.multiplications + hint(kept | kept_again)
            if best is None or cost < best.multiplications:
                tree = _numbered(half.tree, first)
                best = Order((tree, Again(second, tuple(sorted(renamed.items())))), cost)
    return best


def _renaming(one: Sequence[Leaf], other: Sequence[Leaf]) -> dict[int, int] | None:
    """What the indices of `one` are called in `other`; None where these are not the same tensors, used alike."""
    renamed: dict[int, int] = {}
    for mine, its in zip(one, other, strict=True):
        if mine.node is not its.node or mine.others or its.others or len(mine.axes) != len(its.axes):
            return None
        if [len(axis) for axis in mine.axes] != [len(axis) for axis in its.axes]:
            return None
        for index, name in zip(_flat(mine), _flat(its), strict=True):
            if renamed.setdefault(index, name) != name:
                return None
    return renamed if len(set(renamed.values())) == len(renamed) else None


def _numbered(tree: object, numbers: Sequence[int]) -> object:
    if isinstance(tree, tuple):
        return (_numbered(tree[0], numbers), _numbered(tree[1], numbers))
    assert isinstance(tree, int)
    return numbers[tree]


def _union(held: Sequence[frozenset[int]], which: Iterable[int]) -> frozenset[int]:
    return frozenset[int]().union(*(held[at] for at in which))


def _flat(leaf: Leaf) -> list[int]:
    return [index for axis in leaf.axes for index in axis]
