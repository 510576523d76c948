"""A function where it is unstable.

## What it sees
A function called where its result hangs on the last bits of its argument: `acos` next to 1, `log` next to 1, `tan` of
a large angle, `log1p` or `pow` of what was rounded before. Its argument is good to the last digit of its dtype and its
result is not, and a loss, a metric or a result is made of it.

## Why it matters
The function itself is exact. What is lost was rounded away before it: 1 − 10⁻⁹ is 1 in float32, and its acos 0
instead of 4.5 · 10⁻⁵.

## A program that shows it
```python
import torch

def compute(angle):
    return torch.acos(torch.cos(angle))

safe = torch.tensor([0.5, 1.0, 2.0])
angle = torch.tensor([1.0e-4, 2.0e-4])
print(compute(angle).sum().item())
```

## What to do instead
Choose the formula that does not pass through the rounded number: the angle between vectors by `atan2` of the cross
and the dot product, distances on a sphere by the haversine.
```python
import torch

def compute(angle):
    return torch.atan2(torch.sin(angle), torch.cos(angle))

safe = torch.tensor([0.5, 1.0, 2.0])
angle = torch.tensor([1.0e-4, 2.0e-4])
print(compute(angle).sum().item())
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Finding, Rule
from wellposed.record import Record
from wellposed.rules.numerics.digits.lost import findings_of

RULE = Rule(
    name="unstable-function",
    code="N259",
    cause="unstable-function",
    summary="a function is called where its result hangs on the last bits of its argument",
    specificity=-1,
)


def check(record: Record) -> Iterator[Finding]:
    return findings_of(RULE, record)
