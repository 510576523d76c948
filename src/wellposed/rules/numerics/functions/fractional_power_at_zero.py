"""Gradient of a fractional power at zero.

## What it sees
`x ** p` with 0 < p < 1 (a gamma correction, a generalised mean, a p-norm written by hand), through which gradients
flow while some x is exactly zero; also powers with a learnable exponent, whose derivative takes the logarithm of x.

## Why it matters
The derivative p·x^(p−1) is infinite at zero. Forward values and loss look healthy; the infinity meets a zero on its
way back and becomes NaN. Black pixels, padding and outputs of a ReLU are exact zeros.

## A program that shows it
```python
import torch

def compute(image):
    return image.pow(1 / 2.2).sum()

safe = torch.tensor([0.25, 0.5])
image = torch.tensor([0.0, 0.5], requires_grad=True)
loss = compute(image)
loss.backward()
```

## What to do instead
Bound the base away from zero before the power.
```python
import torch

def compute(image):
    return image.clamp_min(1e-8).pow(1 / 2.2).sum()

safe = torch.tensor([0.25, 0.5])
image = torch.tensor([0.0, 0.5], requires_grad=True)
loss = compute(image)
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.births import original_births
from wellposed.rules.numerics.formulas import scalar, statistics_of, subject
from wellposed.rules.numerics.wording import birth_finding, made, number, operand_evidence

RULE = Rule(
    name="fractional-power-at-zero",
    code="N238",
    cause="unstable-function",
    summary="the gradient of a power below one is infinite at zero",
)


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        if birth.operation.phase != "backward":
            continue
        power = subject(record, birth)
        base = statistics_of(power)
        if power.base != "pow" or base is None or not base.zero or base.minimum < 0:
            continue
        exponent = scalar(power, "exponent")
        if exponent == 0.5 or (exponent is not None and not 0 < exponent < 1):
            continue
        yield birth_finding(
            RULE,
            birth,
            f"The gradient of x ** {_shown(power, exponent)} is infinite at x = 0: {made(birth)} results.",
            evidence=operand_evidence(power.inputs[0], "base"),
            fixes=[Fix("bound the base away from zero", "x.clamp_min(1e-8) ** p")],
        )


def _shown(power: Operation, exponent: float | None) -> str:
    if exponent is not None:
        return number(exponent)
    learnt = statistics_of(power, 1)
    return number(learnt.minimum) if learnt is not None and learnt.minimum == learnt.maximum else "p"
