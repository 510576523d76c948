"""Denominators that are tiny against their own scale.

## What it sees
A division in the loss of which a few denominators are a million times smaller than the others without being zero,
so that a few quotients outweigh all the rest by orders of magnitude (a percentage error with targets near zero, an
inverse variance, an inverse frequency).

## Why it matters
Nothing turns NaN, but the loss consists of those few quotients: the optimizer serves them and ruins the others, and
the reported error (10⁶ %, say) tells nothing.

## A program that shows it
```python
import torch

def compute(prediction, target):
    return ((prediction - target).abs() / target).mean()

safe = (torch.tensor([40.0, 70.0]), torch.tensor([50.0, 60.0]))
prediction = torch.tensor([40.0, 70.0, 50.0, 55.0], requires_grad=True)
loss = compute(prediction, torch.tensor([50.0, 60.0, 1e-6, 52.0]))
loss.backward()
```

## What to do instead
Bound the denominator from below on the scale of ordinary values, or use an error that needs no division.
```python
import torch

def compute(prediction, target):
    return ((prediction - target).abs() / target.clamp_min(1.0)).mean()

safe = (torch.tensor([40.0, 70.0]), torch.tensor([50.0, 60.0]))
prediction = torch.tensor([40.0, 70.0, 50.0, 55.0], requires_grad=True)
loss = compute(prediction, torch.tensor([50.0, 60.0, 1e-6, 52.0]))
loss.backward()
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record, Statistics
from wellposed.rules.numerics.formulas import SUMMED, after, divisor
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import location

RULE = Rule(
    name="tiny-denominator",
    code="N222",
    cause="division-by-small",
    summary="a few tiny denominators outweigh everything else in the loss",
)

TINY = 1e-5
"""A denominator below this part of their rms is an outlier, not the low end of a distribution."""
OUTWEIGHS = 1e4
"""How much larger than the quotient of the rms values the loss must be: four orders of magnitude are no bad start."""


def check(record: Record) -> Iterator[Finding]:
    losses = {step.id: step for step in record.steps() if step.loss is not None and math.isfinite(step.loss)}
    told: set[int | None] = set()
    for division in record.operations("div", phase="forward"):
        step = losses.get(division.step)
        place = division.site.id if division.site else None
        if step is None or step.loss is None or place in told:
            continue
        distortion = _distortion(division, step.loss)
        if distortion is None or not _enters(record, division, step.loss_operation):
            continue
        denominators, typical = distortion
        told.add(place)
        yield RULE.finding(
            location(division),
            f"The smallest denominator, {number(denominators.smallest_nonzero)}, is tiny against their rms "
            f"{number(denominators.root_mean_square)}: a few quotients make a loss of {number(step.loss)} where "
            f"{number(typical)} is typical.",
            step=division.step,
            evidence=[
                Evidence("smallest denominator", denominators.smallest_nonzero),
                Evidence("rms of the denominators", denominators.root_mean_square),
                Evidence("loss over a typical quotient", abs(step.loss) / typical, "", OUTWEIGHS),
            ],
            fixes=[
                Fix("bound it on the scale of ordinary values", "x / d.clamp_min(floor)"),
                Fix("measure the error without dividing", "F.smooth_l1_loss(prediction, target)"),
            ],
            operations=[division.id],
        )


def _distortion(division: Operation, loss: float) -> tuple[Statistics, float] | None:
    """Statistics of the denominators and the size of a typical quotient, where the loss is far beyond that."""
    operand = divisor(division)
    below = operand.statistics if operand is not None else None
    above = division.inputs[0].statistics
    quotient = division.output.statistics if division.output is not None else None
    if below is None or above is None or quotient is None or below.count < 2 or below.zero or quotient.nonfinite:
        return None
    if not below.smallest_nonzero < TINY * below.root_mean_square:
        return None
    typical = above.root_mean_square / below.root_mean_square
    if not typical > 0 or not abs(loss) > OUTWEIGHS * typical:
        return None
    return below, typical


def _enters(record: Record, division: Operation, loss: int | None) -> bool:
    """Whether the quotients are summed or averaged into the loss."""
    through = SUMMED | {"abs", "pow", "square", "view"}
    return loss is not None and any(use.id == loss for use in after(record, division, through))
