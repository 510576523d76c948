"""Weights destroyed by a gradient that is not finite.

## What it sees
The first update made with gradients that hold NaN or infinities. Steps that a GradScaler skips do not count.

## Why it matters
From here on the weights are NaN, and so is everything they touch: no later step can recover, and a checkpoint saved
now is lost.

## A program that shows it
```python
import torch

def compute(x):
    return x.abs().sqrt().sum()

safe = torch.tensor([1.0, 4.0])
x = torch.tensor([0.0, 1.0], requires_grad=True)
optimizer = torch.optim.SGD([x], lr=0.1)
compute(x).backward()
optimizer.step()
```

## What to do instead
Find the operator that made the gradient so; failing that, look before the update.
```python
import torch

def compute(x):
    return x.abs().clamp_min(1e-12).sqrt().sum()

safe = torch.tensor([1.0, 4.0])
x = torch.tensor([0.0, 1.0], requires_grad=True)
optimizer = torch.optim.SGD([x], lr=0.1)
compute(x).backward()
if torch.isfinite(x.grad).all():
    optimizer.step()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Record

RULE = Rule(
    name="weights-not-finite",
    code="N291",
    cause="unstable-function",
    summary="an update with NaN or infinite gradients destroys the weights",
    specificity=-2,
)


def check(record: Record) -> Iterator[Finding]:
    first = next((step for step in record.steps() if step.gradient_nonfinite and not step.skipped), None)
    if first is None or first.learning_rate is None:
        return
    names = {parameter.id: parameter.name for parameter in record.parameters()}
    spoiled = [
        names.get(each.parameter, "")
        for each in record.parameter_steps(step=first.id)
        if each.gradient is not None and each.gradient.nonfinite
    ]
    shown = ", ".join(spoiled[:3]) + (f" and {len(spoiled) - 3} more" if len(spoiled) > 3 else "")
    yield RULE.finding(
        Location(phase="optimizer"),
        f"The update of step {first.id} uses gradients that are not finite"
        + (f" ({shown}): these weights are lost." if shown else ": the weights are lost."),
        role="consequence",
        step=first.id,
        evidence=[Evidence("gradient elements that are not finite", first.gradient_nonfinite or 0)],
        fixes=[
            *(
                []
                if spoiled
                else [Fix("see the operators of this step", f"wellposed run --steps {first.id}-{first.id} …")]
            ),
            Fix("look before the update", "if all(torch.isfinite(p.grad).all() for p in model.parameters()): ..."),
        ],
    )
