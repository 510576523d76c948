"""A chain of products multiplied in a wasteful order.

## What it sees
Three matrices or more that are multiplied one with another, the inner results used for nothing else, in an order that
takes at least half as many scalar multiplications again as the best one; forward and backward together, where gradients
are asked for. It is a root finding where the waste is a tenth of the run's time or more, and advice below.

## Why it matters
The product does not depend on where the parentheses stand, its price does: for matrices of 50x5, 5x100 and 100x10,
`(A @ B) @ C` takes 75,000 multiplications and `A @ (B @ C)` 7,500. Python multiplies from left to right, and no library
changes what is written: neither PyTorch nor its compiler, nor NumPy, nor XLA.

## A program that shows it
```python
import torch

torch.manual_seed(0)
A = torch.randn(600, 8, requires_grad=True)
B = torch.randn(8, 600, requires_grad=True)
optimizer = torch.optim.SGD([A, B], lr=1e-4)
x, y = torch.randn(4, 600), torch.randn(4, 600)
for step in range(6):
    loss = (x @ (A @ B) - y).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Put the parentheses where the plan says (`wellposed plan 4x600 600x8 8x600`), or let `torch.linalg.multi_dot` plan.
```python
import torch

torch.manual_seed(0)
A = torch.randn(600, 8, requires_grad=True)
B = torch.randn(8, 600, requires_grad=True)
optimizer = torch.optim.SGD([A, B], lr=1e-4)
x, y = torch.randn(4, 600), torch.randn(4, 600)
for step in range(6):
    loss = (x @ A @ B - y).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from wellposed.chain import matrix_chain_multiplication
from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.wording import number
from wellposed.rules.order.expressions import as_written, legend, names_of, written
from wellposed.rules.order.products import Chain, Leaf, chains
from wellposed.rules.order.worth import LEAST_MULTIPLICATIONS, measured_step, waste
from wellposed.rules.tracing import location

RULE = Rule(
    name="product-order",
    code="O101",
    cause="product-order",
    summary="matrices are multiplied in an order that takes more multiplications than the best one",
)

WASTEFUL = 1.5
"""Multiplications as written over those of the best order. Below, the order with fewer is often not the faster one: of
random chains the cheapest order is slower than another by more than a tenth in up to 8 % (docs/order.md)."""
LONGEST = 200


@dataclass(frozen=True, slots=True)
class Priced:
    """A chain, what its order costs, and the best."""

    chain: Chain
    cost: int
    best: int
    order: object


def check(record: Record) -> Iterator[Finding]:
    step = measured_step(record)
    if step is None:
        return
    learned = _differentiated(record, step)
    places: dict[object, list[Priced]] = defaultdict(list)
    for chain in chains(record, step):
        priced = _priced(chain, learned)
        if priced is not None:
            site = chain.last.operation.site
            places[site.id if site is not None else None].append(priced)
    for found in places.values():
        saved = sum(each.cost - each.best for each in found)
        if saved >= LEAST_MULTIPLICATIONS and sum(e.cost for e in found) >= WASTEFUL * sum(e.best for e in found):
            yield from _finding(record, step, found)


def _priced(chain: Chain, learned: frozenset[int]) -> Priced | None:
    if len(chain.leaves) > LONGEST:
        return None
    needs = [_needs_gradient(leaf, learned) for leaf in chain.leaves] if learned else []
    try:
        plan = matrix_chain_multiplication([leaf.shape for leaf in chain.leaves], requires_grad=needs or None)
    except ValueError:
        return None
    cost = _cost(chain, chain.order, needs)[0]
    return Priced(chain, cost, plan.cost, plan.order) if cost > plan.cost else None


def _needs_gradient(leaf: Leaf, learned: frozenset[int]) -> bool:
    operand = leaf.operand
    return bool(operand.label) if operand.producer is None else operand.producer in learned


def _differentiated(record: Record, step: int) -> frozenset[int]:
    """Forward operations that the backward pass of the step went through."""
    return frozenset(each.forward for each in record.operations(step=step, phase="backward") if each.forward)


def _cost(chain: Chain, order: object, needs: list[bool]) -> tuple[int, tuple[int, ...], bool]:
    """Multiplications of an order, forward and backward: a product, and one more for each factor that passes a gradient
    on. With the shape of the result, and whether it needs a gradient."""
    if not isinstance(order, tuple):
        assert isinstance(order, int)
        return 0, chain.leaves[order].shape, bool(needs) and needs[order]
    left, right = (_cost(chain, part, needs) for part in order)
    batch = left[1][:-2] if len(left[1]) > 2 else right[1][:-2]
    rows = left[1][-2:-1] if len(left[1]) > 1 else ()
    columns = right[1][-1:] if len(right[1]) > 1 else ()
    once = math.prod(batch) * math.prod(rows) * left[1][-1] * math.prod(columns)
    return left[0] + right[0] + once * (1 + left[2] + right[2]), (*batch, *rows, *columns), left[2] or right[2]


def _finding(record: Record, step: int, found: list[Priced]) -> Iterator[Finding]:
    first = max(found, key=lambda each: each.cost - each.best)
    cost, best = sum(each.cost for each in found), sum(each.best for each in found)
    operations = [product.operation for each in found for product in each.chain.products]
    lost = waste(record, step, operations, 1.0 - best / cost)
    instead = written(record, first.chain, first.order)
    times = f"{number(cost / best)} times as many" if best else "where none are needed"
    guilty = max(first.chain.products, key=lambda each: each.multiplications).operation
    if not lost.noticeable:
        return
    yield RULE.finding(
        location(_told_at(first.chain, guilty)),
        f"`{as_written(record, first.chain)}` takes {cost:,} multiplications a step, {times} as `{instead}` "
        f"({best:,}): about {lost.share:.0%} of the time.",
        severity=lost.severity,
        role=lost.role,
        step=step,
        evidence=[
            Evidence("multiplications as written", cost, "a step"),
            Evidence("multiplications in the best order", best, "a step"),
            Evidence("multiplications wasted", cost - best, "a step", LEAST_MULTIPLICATIONS),
            *lost.evidence(),
            Evidence("shapes", legend(first.chain)),
            Evidence("chains at this line", len(found)),
        ],
        fixes=[
            Fix("put the parentheses elsewhere", instead),
            Fix("let the library plan", f"torch.linalg.multi_dot([{', '.join(names_of(record, first.chain))}])"),
        ],
        operations=[guilty.id],
    )


def _told_at(chain: Chain, guilty: Operation) -> Operation:
    """The line of the last product, which is where parentheses are set; the costliest one's where that has another."""
    same = {each.operation.site.line if each.operation.site else None for each in chain.products}
    return chain.last.operation if len(same) == 1 else guilty
