"""Loss that is not a number.

## What it sees
The first step whose loss, the scalar that `backward()` is called on, is NaN or infinite. Where an operator was found
that made it so, this is told as a consequence.

## Why it matters
Its gradients are NaN too, and so is every weight after the next update.

## A program that shows it
```python
import torch

def compute(x, scale):
    return (x * scale).sum()

safe = (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0]))
x = torch.tensor([1.0, 2.0], requires_grad=True)
loss = compute(x, torch.tensor([1.0, float("inf")]))
loss.backward()
```

## What to do instead
Find the operator that made it so; failing that, stop before the update.
```python
import torch

def compute(x, scale):
    return (x * scale.nan_to_num(posinf=0.0)).sum()

safe = (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0]))
x = torch.tensor([1.0, 2.0], requires_grad=True)
scale = torch.tensor([1.0, float("inf")])
loss = compute(x, scale)
loss.backward()
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Record
from wellposed.rules.numerics.wording import number

RULE = Rule(
    name="loss-not-finite",
    code="N290",
    cause="unstable-function",
    summary="the loss is NaN or infinite",
    specificity=-2,
)


def check(record: Record) -> Iterator[Finding]:
    steps = record.steps()
    bad = [step for step in steps if step.loss is not None and not math.isfinite(step.loss)]
    if not bad:
        return
    first = bad[0]
    assert first.loss is not None
    site = next((event.site for event in record.events("nonfinite-loss") if event.site), None)
    before = [step.loss for step in steps if step.id < first.id and step.loss is not None]
    evidence = [Evidence("steps with such a loss", len(bad), f"of {len(steps)}")]
    if before:
        evidence.append(Evidence("loss of the step before", before[-1]))
    yield RULE.finding(
        Location(
            file=site.file if site else None,
            line=site.line if site else None,
            function=(site.function or None) if site else None,
            phase="forward",
        ),
        f"The loss of step {first.id} is {number(first.loss)}.",
        role="consequence",
        step=first.id,
        evidence=evidence,
        fixes=[Fix("stop before the update", "assert torch.isfinite(loss), loss")],
        operations=[first.loss_operation] if first.loss_operation else [],
    )
