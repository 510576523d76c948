"""A product of matrices that never change, computed anew at every step.

## What it sees
A product at the same place in at least three measured steps whose two factors were the same each time, element for
element. It is a root finding where that takes a tenth of the run's time or more, and advice below.

## Why it matters
What does not depend on the loop can be computed before it. Frozen weights multiplied with each other, a graph's powers,
a fixed projection of fixed features: the program pays for them at every step.

## A program that shows it
```python
import torch

torch.manual_seed(0)
graph = torch.rand(400, 400) / 400
features = torch.randn(400, 300)
w = torch.zeros(300, 1, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=1e-2)
for step in range(6):
    loss = ((graph @ features) @ w - 1).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Multiply once, before the loop.
```python
import torch

torch.manual_seed(0)
graph = torch.rand(400, 400) / 400
features = torch.randn(400, 300)
w = torch.zeros(300, 1, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=1e-2)
smoothed = graph @ features
for step in range(6):
    loss = (smoothed @ w - 1).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Record
from wellposed.rules.order.products import Product, products
from wellposed.rules.order.same_values import same
from wellposed.rules.order.worth import LEAST_MULTIPLICATIONS, waste
from wellposed.rules.tracing import location

RULE = Rule(
    name="invariant-product-in-loop",
    code="O103",
    cause="product-order",
    summary="a product of matrices that never change is computed at every step",
    specificity=1,
)

FEWEST_STEPS = 3
"""Measured steps in which the factors are the same; two could be an evaluation repeated."""
MOST_STEPS = 6


def check(record: Record) -> Iterator[Finding]:
    full = [step.id for step in record.steps() if step.level == "full"]
    if len(full) < FEWEST_STEPS:
        return
    chosen = full[1 : 1 + MOST_STEPS] if len(full) > FEWEST_STEPS else full
    every = {step: products(record, step) for step in chosen}
    groups = same(product for step in chosen for product in every[step])
    places: dict[object, list[list[Product]]] = defaultdict(list)
    for group in groups:
        if {each.operation.step for each in group} == set(chosen):
            site = group[0].operation.site
            places[site.id if site is not None else None].append(group)
    for found in places.values():
        if sum(group[0].multiplications for group in found) >= LEAST_MULTIPLICATIONS:
            yield from _finding(record, chosen, found)


def _finding(record: Record, steps: list[int], found: list[list[Product]]) -> Iterator[Finding]:
    step = steps[len(steps) // 2]
    here = [each for group in found for each in group if each.operation.step == step]
    first = max(here, key=lambda each: each.multiplications)
    lost = waste(record, step, [each.operation for each in here], 1.0)
    if not lost.noticeable:
        return
    yield RULE.finding(
        location(first.operation),
        f"The product {first.shapes} is computed at every step from matrices that never change: about "
        f"{lost.share:.0%} of the time.",
        severity=lost.severity,
        role=lost.role,
        step=step,
        evidence=[
            Evidence("measured steps with the same factors", len(steps), f"of {len(steps)}", FEWEST_STEPS),
            Evidence("multiplications wasted", sum(each.multiplications for each in here), "a step"),
            *lost.evidence(),
        ],
        fixes=[Fix("multiply before the loop", "smoothed = graph @ features  # once")],
        operations=[first.operation.id],
    )
