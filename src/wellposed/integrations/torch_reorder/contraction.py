"""The cheapest order of one product of tensors, given which of them has which index.

A product of matrices, batches included, is planned by `wellposed.chain`, whatever its length. What is no chain (a
scalar among matrices, an outer product, an index that three tensors share) is planned by dynamic programming over the
subsets of its tensors, which is exact too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from wellposed.chain import matrix_chain_multiplication

Tree: TypeAlias = "Any"
"""The number of a tensor, a pair of trees whose results are multiplied, or, on the right of a pair, `Again`."""

MOST_BY_SUBSETS = 8
"""Tensors that the programme over subsets takes on: 3ⁿ steps, some 20 ms. Beyond, the cheapest pair is multiplied next;
the graph is left as it is where that is no gain."""


@dataclass(frozen=True)
class Order:
    """What to multiply with what, and what it costs."""

    tree: Tree
    multiplications: int
    """Scalar multiplications; one for each element that is scaled or summed."""


@dataclass(frozen=True)
class Again:
    """The result of the tree on the left of the pair a second time, with its indices under other names."""

    tensors: tuple[int, ...]
    """Whose product it is too."""
    renamed: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class _Bundle:
    """Indices that the same tensors have."""

    holders: int
    """The tensors that have them, as bits."""
    kept: bool
    """Whether the result has them too."""
    size: int


def cheapest_order(
    tensors: Sequence[frozenset[int]], result: frozenset[int], hint: Callable[[Iterable[int]], int]
) -> Order:
    """The cheapest order of a product of `tensors`, each given by its indices; those not in `result` are summed."""
    bundles: dict[tuple[int, bool], int] = {}
    for index in sorted(frozenset().union(*tensors)):
        holders = sum(1 << at for at, held in enumerate(tensors) if index in held)
        key = (holders, index in result)
        bundles[key] = bundles.get(key, 1) * hint((index,))
    return _planned(len(tensors), tuple(sorted((*key, size) for key, size in bundles.items())))


def in_products(
    tree: Tree, tensors: Sequence[frozenset[int]], result: frozenset[int], hint: Callable[[Iterable[int]], int]
) -> int:
    """The multiplications of those products in an order that sum over an index: scalings and outer products do not."""
    if not isinstance(tree, tuple):
        return 0
    parts = [_tensors(part) for part in tree]
    held = [frozenset[int]().union(*(tensors[at] for at in part)) for part in parts]
    rest = [tensors[at] for at in range(len(tensors)) if at not in {*parts[0], *parts[1]}]
    outside = result.union(*rest)
    left, right = held[0] & (outside | held[1]), held[1] & (outside | held[0])
    here = hint(left | right) if (left & right) - outside else 0
    return here + sum(in_products(part, tensors, result, hint) for part in tree)


def _tensors(tree: Tree) -> tuple[int, ...]:
    if isinstance(tree, tuple):
        return (*_tensors(tree[0]), *_tensors(tree[1]))
    return tree.tensors if isinstance(tree, Again) else (tree,)


@lru_cache(maxsize=4096)
def _planned(count: int, described: tuple[tuple[int, bool, int], ...]) -> Order:
    bundles = [_Bundle(*one) for one in described]
    alone, shared = 0, []
    for bundle in bundles:
        if not bundle.kept and bundle.holders.bit_count() == 1:
            # Summed over at once: every later product is smaller for it.
            alone |= bundle.holders
        else:
            shared.append(bundle)
    summed = sum(_elements(at, bundles) for at in range(count) if alone >> at & 1)
    planned = _by_chain(count, shared)
    if planned is None:
        planned = _by_subsets(count, shared) if count <= MOST_BY_SUBSETS else _by_pairs(count, shared)
    return Order(planned.tree, planned.multiplications + summed)


def _elements(tensor: int, bundles: Iterable[_Bundle]) -> int:
    return math.prod(bundle.size for bundle in bundles if bundle.holders >> tensor & 1)


# --- chains ---------------------------------------------------------------------------------------------------


def _by_chain(count: int, bundles: Sequence[_Bundle]) -> Order | None:
    """By the planner of chains; None where the tensors are no chain of matrices."""
    if count < 3:
        return None
    links: list[dict[int, int]] = [{} for _ in range(count)]
    for bundle in bundles:
        if bundle.kept:
            continue
        holders = _bits(bundle.holders)
        if len(holders) != 2:
            return None
        first, second = holders
        links[first][second] = links[second][first] = bundle.size
    line = _line(links)
    if line is None:
        return None
    shapes = []
    batches = [bundle for bundle in bundles if bundle.kept]
    for position, tensor in enumerate(line):
        before = links[tensor][line[position - 1]] if position else 1
        behind = links[tensor][line[position + 1]] if position + 1 < count else 1
        # An index that one end alone has multiplies like a batch of its own.
        shapes.append((*(b.size if b.holders >> tensor & 1 else 1 for b in batches), before, behind))
    plan = matrix_chain_multiplication(shapes)
    return Order(_renumbered(plan.order, line), plan.cost)


def _line(links: Sequence[dict[int, int]]) -> list[int] | None:
    """The tensors from one end to the other where each is linked with its neighbours alone."""
    ends = [at for at, linked in enumerate(links) if len(linked) == 1]
    if len(ends) != 2 or any(len(linked) not in (1, 2) for linked in links):
        return None
    line = [ends[0]]
    while len(line) < len(links):
        following = [at for at in links[line[-1]] if len(line) == 1 or at != line[-2]]
        if not following:
            return None
        line.append(following[0])
    return line


def _renumbered(order: Any, line: Sequence[int]) -> Tree:
    return (_renumbered(order[0], line), _renumbered(order[1], line)) if isinstance(order, tuple) else line[order]


# --- everything else ------------------------------------------------------------------------------------------


def _by_subsets(count: int, bundles: Sequence[_Bundle]) -> Order:
    everything = (1 << count) - 1
    alive = [_alive(subset, everything, bundles) for subset in range(everything + 1)]
    best: list[tuple[int, Tree]] = [(0, 0)] * (everything + 1)
    sizes: dict[int, int] = {}
    for subset in range(1, everything + 1):
        if subset & (subset - 1) == 0:
            best[subset] = (0, subset.bit_length() - 1)
            continue
        lowest = subset & -subset
        chosen: tuple[int, Tree] | None = None
        part = (subset - 1) & subset
        while part:
            if part & lowest:
                rest = subset ^ part
                held = alive[part] | alive[rest]
                if held not in sizes:
                    sizes[held] = _product(held, bundles)
                cost = best[part][0] + best[rest][0] + sizes[held]
                if chosen is None or cost < chosen[0]:
                    chosen = (cost, (best[part][1], best[rest][1]))
            part = (part - 1) & subset
        assert chosen is not None
        best[subset] = chosen
    cost, tree = best[everything]
    return Order(tree, cost)


def _by_pairs(count: int, bundles: Sequence[_Bundle]) -> Order:
    everything = (1 << count) - 1
    left: dict[int, Tree] = {1 << at: at for at in range(count)}
    total = 0
    while len(left) > 1:
        pairs = [(one, other) for one in left for other in left if one < other]
        costs = {
            pair: _product(
                _alive(pair[0], everything, bundles) | _alive(pair[1], everything, bundles),
                bundles,
            )
            for pair in pairs
        }
        pair = min(pairs, key=costs.__getitem__)
        total += costs[pair]
        left[pair[0] | pair[1]] = (left.pop(pair[0]), left.pop(pair[1]))
    return Order(next(iter(left.values())), total)


def _alive(subset: int, everything: int, bundles: Sequence[_Bundle]) -> int:
    """The bundles, as bits, that the product of a subset has: those of the result, and of tensors outside."""
    outside = everything ^ subset
    return sum(
        1 << at
        for at, bundle in enumerate(bundles)
        if bundle.holders & subset and (bundle.kept or bundle.holders & outside)
    )


def _product(held: int, bundles: Sequence[_Bundle]) -> int:
    return math.prod(bundle.size for at, bundle in enumerate(bundles) if held >> at & 1)


def _bits(mask: int) -> list[int]:
    return [at for at in range(mask.bit_length()) if mask >> at & 1]
