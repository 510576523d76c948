"""The same product computed several times within a step.

## What it sees
Products of the same two matrices, element for element, more than once in the forward pass of one step. It is a root
finding where the repetitions take a tenth of the run's time or more, and advice below; written out at several lines, as
formulas often are, they are advice up to half of the time.

## Why it matters
Neither Python nor PyTorch remembers results: `(A @ B) @ x` in one line and `(A @ B) @ y` in the next multiplies A and B
twice. Within a compiled function common subexpressions are found, across functions and loops they are not.

## A program that shows it
```python
import torch

torch.manual_seed(0)
A = torch.randn(300, 300, requires_grad=True)
B = torch.randn(300, 300)
x, y = torch.randn(300, 400), torch.randn(300, 400)
optimizer = torch.optim.SGD([A], lr=1e-4)
for step in range(6):
    loss = ((A @ B) @ x).pow(2).mean() + ((A @ B) @ y).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Keep the result.
```python
import torch

torch.manual_seed(0)
A = torch.randn(300, 300, requires_grad=True)
B = torch.randn(300, 300)
x, y = torch.randn(300, 400), torch.randn(300, 400)
optimizer = torch.optim.SGD([A], lr=1e-4)
for step in range(6):
    AB = A @ B
    loss = (AB @ x).pow(2).mean() + (AB @ y).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Record
from wellposed.rules.order.products import Product, products
from wellposed.rules.order.same_values import same
from wellposed.rules.order.worth import LEAST_MULTIPLICATIONS, measured_step, waste
from wellposed.rules.tracing import location

RULE = Rule(
    name="repeated-product",
    code="O102",
    cause="product-order",
    summary="the same matrices are multiplied several times within a step",
)

DOMINANT = 0.5
"""Share of the time up to which a product that stands on several lines is advice: a formula is written as the book has
it, and its repetitions cost a constant factor, where a wrong order costs one that grows with the sizes."""


def check(record: Record) -> Iterator[Finding]:
    step = measured_step(record)
    if step is None:
        return
    for group in same(products(record, step)):
        repeated = group[1:]
        if sum(each.multiplications for each in repeated) >= LEAST_MULTIPLICATIONS:
            yield from _finding(record, step, group)


def _finding(record: Record, step: int, group: list[Product]) -> Iterator[Finding]:
    repeated = [each.operation for each in group[1:]]
    lost = waste(record, step, repeated, 1.0)
    lines = sorted({each.operation.site.line for each in group if each.operation.site is not None})
    where = f" (lines {', '.join(map(str, lines))})" if len(lines) > 1 else ""
    if not lost.noticeable:
        return
    spread = len(lines) > 1 and lost.share < DOMINANT
    yield RULE.finding(
        location(repeated[0]),
        f"The same product {group[0].shapes} is computed {len(group)} times in a step{where}: about "
        f"{lost.share:.0%} of the time.",
        severity="note" if spread else lost.severity,
        role="advice" if spread else lost.role,
        step=step,
        evidence=[
            Evidence("times it is computed", len(group), "a step", 1),
            Evidence("multiplications wasted", sum(each.multiplications for each in group[1:]), "a step"),
            *lost.evidence(),
        ],
        fixes=[Fix("keep the result", "AB = A @ B  # once, before both uses")],
        operations=[repeated[0].id],
    )
