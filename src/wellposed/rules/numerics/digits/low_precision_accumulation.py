"""A sum that its dtype cannot hold.

## What it sees
Many numbers added up one after another in float16, bfloat16 or float32, so that each addition rounds away a part of
what is added, and the sum that comes out is off by far more than rounding its inputs would explain.

## Why it matters
A sum stops growing when what is added falls under half the spacing of its dtype: a count in float16 stays at 2048, in
bfloat16 at 256, in float32 at 16,777,216. Long before that it is wrong by percents.

## A program that shows it
```python
import torch

torch.manual_seed(0)
total = torch.zeros((), dtype=torch.bfloat16)
for value in torch.rand(300).bfloat16():
    total += value
print(total.item())
```

## What to do instead
Add up in float32 (or float64), and round once at the end.
```python
import torch

torch.manual_seed(0)
total = torch.zeros(())
for value in torch.rand(300).bfloat16():
    total += value.float()
print(total.item())
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Finding, Rule
from wellposed.record import Record
from wellposed.rules.numerics.digits.lost import finding_of, lost_digits

RULE = Rule(
    name="low-precision-accumulation",
    code="N257",
    cause="low-precision-accumulation",
    summary="a long sum is kept in a dtype that rounds away what is added",
    specificity=1,
)


def check(record: Record) -> Iterator[Finding]:
    for lost in lost_digits(record, "low-precision-accumulation"):
        finding = finding_of(RULE, record, lost)
        if finding is not None:
            yield finding
