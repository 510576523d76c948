"""Gradients that are summed where they should be averaged.

## What it sees
A loss that grows or is lost although the rate would suit the mean gradient: backward() is called many times between two
updates without dividing the loss, or the loss itself is a sum over the batch. The curvature along the step times the
rate lies beyond the edge of stability, and within it once divided by the number of terms.

## Why it matters
The sum over n terms is n times the mean, and so is its curvature: a learning rate that suits one micro-batch is n times
too large for the sum of n. Whoever changes the batch size or the accumulation changes the step without meaning to.

## A program that shows it
```python
import torch

torch.manual_seed(0)
x = torch.randn(512, 8)
y = x.sum(1, keepdim=True)
model = torch.nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    optimizer.zero_grad()
    for part in range(16):
        rows = slice(32 * part, 32 * part + 32)
        loss = (model(x[rows]) - y[rows]).square().mean()
        loss.backward()
    optimizer.step()
```

## What to do instead
Divide the loss by the number of terms before backward().
```python
import torch

torch.manual_seed(0)
x = torch.randn(512, 8)
y = x.sum(1, keepdim=True)
model = torch.nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    optimizer.zero_grad()
    for part in range(16):
        rows = slice(32 * part, 32 * part + 32)
        loss = (model(x[rows]) - y[rows]).square().mean()
        (loss / 16).backward()
    optimizer.step()
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.harm import harm_of
from wellposed.rules.numerics.learning_rate.optimizers import Optimizer, optimizer_of
from wellposed.rules.numerics.trends import median
from wellposed.rules.numerics.wording import number
from wellposed.rules.sources import lines_with_value, place_of
from wellposed.rules.tracing import SAME_VALUES, line_of, location, origin

RULE = Rule(
    name="summed-gradients",
    code="N218",
    cause="learning-rate",
    summary="gradients are summed where they should be averaged",
    specificity=1,
)

EARLY = 30
MANY = 4
"""Terms from which on a sum is worth telling from a mean."""
_SUMMING_LOSSES = frozenset(
    {"mse_loss", "nll_loss_forward", "nll_loss2d_forward", "smooth_l1_loss", "huber_loss", "l1_loss", "kl_div",
     "binary_cross_entropy", "binary_cross_entropy_with_logits", "soft_margin_loss"}
)  # fmt: skip
_SUM = 2
"""PyTorch's number for reduction="sum"."""


@dataclass(frozen=True, slots=True)
class _Terms:
    count: int
    how: str
    where: Location


def check(record: Record) -> Iterator[Finding]:
    harm, used = harm_of(record), optimizer_of(record)
    if harm is None or harm.kind == "stuck" or used is None or used.edge is None:
        return
    terms = _accumulated(record) or _summed_loss(record)
    if terms is None or terms.count < MANY:
        return
    measured = [
        step.curvature * rate
        for step in record.steps()[:EARLY]
        if step.curvature is not None and (rate := step.learning_rate or used.rate)
    ]
    product = max((each for each in measured if math.isfinite(each)), default=math.nan)
    if not product > used.edge:
        return
    yield _finding(record, used, terms, product, harm.words)


def _accumulated(record: Record) -> _Terms | None:
    """Where backward() is called many times a step, on losses that nobody divided."""
    steps = [step for step in record.steps() if step.backwards]
    count = median([float(step.backwards or 0) for step in steps])
    if math.isnan(count) or count < MANY:
        return None
    loss = next((record.operation(step.loss_operation) for step in steps if step.loss_operation), None)
    if loss is not None and loss.base in ("div", "mul"):
        return None  # divided already, by whatever number
    site = next((step.backward_site for step in steps if step.backward_site is not None), None)
    return _Terms(int(count), f"over {int(count)} calls of backward()", place_of(site) or Location())


def _summed_loss(record: Record) -> _Terms | None:
    step = next((step for step in record.steps() if step.loss_operation), None)
    loss = record.operation(step.loss_operation) if step is not None and step.loss_operation else None
    summed = _sum_of(record, loss) if loss is not None else None
    if summed is None or not summed.inputs or not summed.inputs[0].shape:
        return None
    count = math.prod(summed.inputs[0].shape)
    where = location(summed)
    if "sum" not in line_of(record, summed) and where.file is not None:
        lines = lines_with_value(record, where.file, "reduction", "sum")
        where = replace(where, line=lines[0], function=None) if len(lines) == 1 else where
    return _Terms(count, f"over {count} elements", where)


def _sum_of(record: Record, loss: Operation) -> Operation | None:
    made = loss if loss.base not in SAME_VALUES else origin(record, loss.inputs[0]) if loss.inputs else None
    if made is None:
        return None
    if made.base == "sum" and made.output is not None and not made.output.shape:
        return made
    return made if made.base in _SUMMING_LOSSES and made.arguments.get("reduction") == _SUM else None


def _finding(record: Record, used: Optimizer, terms: _Terms, product: float, words: str) -> Finding:
    assert used.edge is not None
    rate = number(used.rate) if used.rate is not None else "unknown"
    return RULE.finding(
        terms.where,
        f"Gradients are summed {terms.how} and not averaged: the learning rate of {rate} times the curvature is "
        f"{number(product)}, where {number(used.edge)} is the edge and the mean would have "
        f"{number(product / terms.count)}, "
        f"{words}.",
        step=record.gradient_steps()[0] if record.gradient_steps() else 0,
        evidence=[
            Evidence("curvature along the step times the learning rate", product, "", used.edge),
            Evidence("the same for the mean of the terms", product / terms.count, "", used.edge),
            Evidence("terms that are summed", terms.count, "", MANY),
        ],
        fixes=[
            Fix("divide before backward()", f"(loss / {terms.count}).backward()"),
            Fix("the mean instead of the sum", 'loss = nn.functional.mse_loss(prediction, y, reduction="mean")'),
        ],
    )
