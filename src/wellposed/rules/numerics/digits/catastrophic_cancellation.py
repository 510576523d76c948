"""Digits cancelled.

## What it sees
A sum or difference whose operands agree in almost all of their digits: what they agree in cancels, what is left are
their rounding errors, and a loss, a metric or a result is made of them. Seen by running the operators beside a
shadow in higher precision, where rounding the program's inputs does far less to the result than the formula does.

## Why it matters
No NaN tells of it. In float32 the variance of numbers around 1000 that differ by 0.001 comes out of
E[x²] − E[x]² with no digit right, and as likely negative as positive.

## A program that shows it
```python
import torch

def compute(x):
    return (x**2).mean() - x.mean() ** 2

safe = torch.tensor([0.5, 1.0, 2.0])
x = torch.tensor([1000.001, 1000.002, 1000.003])
print(compute(x).item())
```

## What to do instead
Subtract before squaring, so that what cancels is exact.
```python
import torch

def compute(x):
    return ((x - x.mean()) ** 2).mean()

safe = torch.tensor([0.5, 1.0, 2.0])
x = torch.tensor([1000.001, 1000.002, 1000.003])
print(compute(x).item())
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Finding, Rule
from wellposed.record import Record
from wellposed.rules.numerics.digits.lost import findings_of

RULE = Rule(
    name="catastrophic-cancellation",
    code="N256",
    cause="cancellation",
    summary="a difference of nearly equal numbers leaves only their rounding errors",
    specificity=1,
)


def check(record: Record) -> Iterator[Finding]:
    return findings_of(RULE, record)
