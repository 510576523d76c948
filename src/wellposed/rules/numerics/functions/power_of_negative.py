"""Fractional power of a negative number.

## What it sees
`x ** p` where x is negative and p is no whole number (a cube root, a learnable exponent), and the NaN reaches the
loss, a gradient or a result. With a learnable exponent the gradient is NaN even where p is a whole number, since it
takes the logarithm of x.

## Why it matters
Among real numbers there is no such power, not even for the cube root of −8: `pow` knows nothing of odd roots.

## A program that shows it
```python
import torch

def compute(x):
    return (x ** (1 / 3)).sum()

safe = torch.tensor([1.0, 27.0])
x = torch.tensor([-8.0, 8.0], requires_grad=True)
loss = compute(x)
loss.backward()
```

## What to do instead
Take the power of the magnitude and put the sign back, or keep the base positive.
```python
import torch

def compute(x):
    return (x.sign() * x.abs() ** (1 / 3)).sum()

safe = torch.tensor([1.0, 27.0])
x = torch.tensor([-8.0, 8.0], requires_grad=True)
loss = compute(x)
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Record
from wellposed.rules.numerics.births import original_births
from wellposed.rules.numerics.formulas import scalar, subject
from wellposed.rules.numerics.functions.sqrt_of_negative import is_root
from wellposed.rules.numerics.wording import birth_finding, made, number

RULE = Rule(
    name="power-of-negative",
    code="N242",
    cause="unstable-function",
    summary="a negative number is raised to a power that is no whole number",
)


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        power = subject(record, birth)
        if power.base not in ("pow", "float_power") or birth.kind != "nan" or is_root(power) or not power.inputs:
            continue
        smallest = power.inputs[0].statistics.minimum if power.inputs[0].statistics else scalar(power, "self")
        if smallest is None or not smallest < 0:
            continue
        exponent = scalar(power, "exponent")
        backward = birth.operation.phase == "backward"
        what = "The gradient of a power with a learnable exponent" if backward else "A power that is no whole number"
        yield birth_finding(
            RULE,
            birth,
            f"{what} meets the base {number(smallest)}: {made(birth)} results.",
            evidence=[
                Evidence("smallest base", smallest, "", 0.0),
                *([Evidence("exponent", exponent)] if exponent is not None else []),
            ],
            fixes=[
                Fix("power of the magnitude, sign put back", "x.sign() * x.abs() ** p"),
                Fix("keep the base positive", "x.clamp_min(eps) ** p"),
            ],
        )
