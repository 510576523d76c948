"""An einsum of three operands or more that runs over all its indices at once.

## What it sees
``np.einsum`` with more than two operands and no ``optimize``: NumPy then runs one loop over every index there is. The
same sum, two operands at a time in the best order, takes a fraction of the multiplications.

## Why it matters
One pass costs the product of the sizes of all indices: a transformation of a matrix by two others costs n⁴ instead of
2·n³, and each further operand multiplies the cost by a size. Two at a time, products of matrices go to BLAS besides.
PyTorch and opt_einsum do so by default; NumPy, for the sake of memory, does not.

## A program that shows it
```python
import numpy as np

rng = np.random.default_rng(0)
T = rng.normal(size=(40, 40, 30))
C = rng.normal(size=(40, 40))
for step in range(3):
    out = np.einsum("ijk,ip,jq->pqk", T, C, C)
```

## What to do instead
Let NumPy look for an order; ``np.einsum_path`` shows it, and finds it once for many calls.
```python
import numpy as np

rng = np.random.default_rng(0)
T = rng.normal(size=(40, 40, 30))
C = rng.normal(size=(40, 40))
for step in range(3):
    out = np.einsum("ijk,ip,jq->pqk", T, C, C, optimize=True)
```
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.wording import number
from wellposed.rules.order.products import written_shape
from wellposed.rules.order.worth import LEAST_MULTIPLICATIONS, measured_step, waste
from wellposed.rules.tracing import location

RULE = Rule(
    name="einsum-in-one-pass",
    code="O106",
    cause="product-order",
    summary="an einsum of several operands runs over all indices at once instead of two operands at a time",
)

WASTEFUL = 2.0
"""Multiplications of one pass over those of the best order. Below, the intermediate results that an order needs may
cost what it saves."""
_MOST_OPERANDS = 10
"""Beyond, the best of all orders takes too long to find."""


@dataclass(frozen=True, slots=True)
class Priced:
    """An einsum, and what it costs in one pass and in the best order."""

    operation: Operation
    cost: int
    best: int


def check(record: Record) -> Iterator[Finding]:
    step = measured_step(record)
    if step is None:
        return
    places: dict[object, list[Priced]] = defaultdict(list)
    for operation in record.operations("einsum", step=step):
        priced = _priced(operation)
        if priced is not None:
            places[operation.site.id if operation.site is not None else None].append(priced)
    for found in places.values():
        cost, best = sum(each.cost for each in found), sum(each.best for each in found)
        if cost - best >= LEAST_MULTIPLICATIONS and cost >= WASTEFUL * best:
            yield from _finding(record, step, found, cost, best)


def _priced(operation: Operation) -> Priced | None:
    """None where NumPy plans an order, where there is none to choose, or where the subscripts are not understood."""
    equation, shapes = operation.arguments.get("equation"), [each.shape for each in operation.inputs]
    if operation.arguments.get("optimize") or not isinstance(equation, str) or not 3 <= len(shapes) <= _MOST_OPERANDS:
        return None
    terms, output = _subscripts(equation)
    if len(terms) != len(shapes):
        return None
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        if len(term) != len(shape):
            return None
        for index, size in zip(term, shape, strict=True):
            sizes[index] = max(size, sizes.get(index, 1))
    if not set(output) <= set(sizes):
        return None
    whole = math.prod(sizes.values()) * (len(terms) - 1)
    return Priced(operation, whole, _best([frozenset(each) for each in terms], frozenset(output), sizes))


def _subscripts(equation: str) -> tuple[list[str], str]:
    """Of each operand, and of the result; without ``->`` those that occur once, in alphabetical order."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    if "." in left:
        return [], ""
    once = "".join(sorted(each for each in set(left) - {","} if left.count(each) == 1))
    return left.split(","), right if arrow else once


def _best(terms: list[frozenset[str]], output: frozenset[str], sizes: dict[str, int]) -> int:
    """Multiplications of the best order of two operands at a time: dynamic programming over sets of operands."""
    everything = (1 << len(terms)) - 1

    @cache
    def kept(group: int) -> frozenset[str]:
        """The indices that a group's result still has: those of the output, and those of operands outside."""
        inside = frozenset[str]().union(*(term for at, term in enumerate(terms) if group >> at & 1))
        outside = output.union(*(term for at, term in enumerate(terms) if not group >> at & 1))
        return inside & outside

    @cache
    def cost(group: int) -> int:
        if group & (group - 1) == 0:
            return 0
        best = None
        part = (group - 1) & group
        while part:
            other = group ^ part
            if part > other:
                here = math.prod(sizes[each] for each in _held(part) | _held(other)) + cost(part) + cost(other)
                best = here if best is None else min(best, here)
            part = (part - 1) & group
        return best or 0

    def _held(group: int) -> frozenset[str]:
        return kept(group) if group & (group - 1) else terms[group.bit_length() - 1]

    return cost(everything)


def _finding(record: Record, step: int, found: list[Priced], cost: int, best: int) -> Iterator[Finding]:
    operations = [each.operation for each in found]
    lost = waste(record, step, operations, 1.0 - best / cost)
    if not lost.noticeable:
        return
    first = operations[0]
    equation = str(first.arguments["equation"])
    yield RULE.finding(
        location(first),
        f"`{equation}` runs over all its indices at once: {cost:,} multiplications a step, {number(cost / best)} times "
        f"as many as two operands at a time ({best:,}): about {lost.share:.0%} of the time.",
        severity=lost.severity,
        role=lost.role,
        step=step,
        evidence=[
            Evidence("multiplications in one pass", cost, "a step"),
            Evidence("multiplications in the best order", best, "a step"),
            *lost.evidence(),
            Evidence("shapes", ", ".join(written_shape(each.shape) or "()" for each in first.inputs)),
        ],
        fixes=[
            Fix("let NumPy plan", f'np.einsum("{equation}", ..., optimize=True)'),
            Fix("plan once, for many calls", f'path, _ = np.einsum_path("{equation}", ..., optimize="optimal")'),
        ],
        operations=[first.id],
    )
