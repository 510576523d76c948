"""A·B + A·C is A·(B + C): one product instead of two."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

from wellposed.integrations.torch_reorder.gathering import Expression, Leaf, Term
from wellposed.integrations.torch_reorder.indices import Axes

MOST_LEAVES = 4
"""Of a term that is compared with others: all ways to pair their leaves are tried."""


def factored(expression: Expression) -> Expression:
    """The expression with fewer terms, where two of them differ in one leaf only; itself where none do."""
    fixed = frozenset(index for axis in expression.axes for index in axis)
    terms = list(expression.terms)
    at = 0
    while at < len(terms):
        for other in range(at + 1, len(terms)):
            together = _together(terms[at], terms[other], fixed)
            if together is not None:
                terms[at] = together
                del terms[other]
                break
        else:
            at += 1
    return replace(expression, terms=tuple(terms)) if len(terms) < len(expression.terms) else expression


def _together(one: Term, other: Term, fixed: frozenset[int]) -> Term | None:
    count = len(one.leaves)
    if not 2 <= count <= MOST_LEAVES or len(other.leaves) != count or not one.coefficient:
        return None
    for order in permutations(other.leaves):
        differing = [at for at in range(count) if not _same_tensor(one.leaves[at], order[at])]
        # The same leaf on both sides may stand there in another position, and so be the one that differs.
        for at in differing if len(differing) == 1 else range(count) if not differing else ():
            renamed: dict[int, int] = {}
            if not all(_match(one.leaves[k].axes, order[k].axes, fixed, renamed) for k in range(count) if k != at):
                continue
            leaf, added = one.leaves[at], order[at]
            axes = tuple(tuple(renamed.get(index, index) for index in axis) for axis in added.axes)
            if added.others or sorted(_flat(axes)) != sorted(_flat(leaf.axes)):
                continue
            more = (other.coefficient / one.coefficient, replace(added, axes=axes))
            joined = replace(leaf, others=(*leaf.others, more))
            return Term(one.coefficient, (*one.leaves[:at], joined, *one.leaves[at + 1 :]))
    return None


def _same_tensor(one: Leaf, other: Leaf) -> bool:
    return one.node is other.node and not one.others and not other.others


def _match(one: Axes, other: Axes, fixed: frozenset[int], renamed: dict[int, int]) -> bool:
    """Whether the axes agree, with the summed indices of `other` under other names, which are added to `renamed`."""
    if len(one) != len(other) or any(len(a) != len(b) for a, b in zip(one, other, strict=True)):
        return False
    for mine, its in zip(_flat(one), _flat(other), strict=True):
        if its in fixed or mine in fixed:
            if mine != its:
                return False
        elif renamed.setdefault(its, mine) != mine:
            return False
    return len(set(renamed.values())) == len(renamed)


def _flat(axes: Axes) -> list[int]:
    return [index for axis in axes for index in axis]
