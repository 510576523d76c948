"""A sum that its dtype cannot hold.

## What it sees
Many numbers added up one after another in float16, bfloat16 or float32, so that each addition rounds away a part of
what is added, and the sum that comes out is off by far more than rounding its inputs would explain. Also a sum in
float16 or bfloat16 that goes on from step to step (gradients of micro-batches, counters, metrics) until what is added
is below what the dtype resolves, or until its roundings amount to percents.

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

import math
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Record
from wellposed.rules.numerics.digits.lost import findings_of
from wellposed.rules.numerics.limits import format_of
from wellposed.rules.numerics.precision.sums import Sum, finding_of_stalled, stalled_sums, sums, total_of
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import location

RULE = Rule(
    name="low-precision-accumulation",
    code="N257",
    cause="low-precision-accumulation",
    summary="a long sum is kept in a dtype that rounds away what is added",
    specificity=1,
)

WRONG = 0.05
"""Relative error that many roundings are expected to add up to: n of them, independent, each uniform within half a
spacing, give √n · spacing / √12 (Higham, "Accuracy and Stability of Numerical Algorithms", section 2.8)."""
GROWN = 8.0
"""The sum over what is added, by rms: below it the roundings are of what is added, not of the sum."""


def check(record: Record) -> Iterator[Finding]:
    told: set[int | None] = set()
    for measured in findings_of(RULE, record):
        told.add(measured.where.line)
        yield measured
    for stalled in stalled_sums(record):
        finding = finding_of_stalled(RULE, stalled)
        if not stalled.is_update and finding.where.line not in told:
            told.add(finding.where.line)
            yield finding
    for each in sums(record):
        expected = None if each.is_update else _many_roundings(each)
        if expected is not None and expected.where.line not in told:
            told.add(expected.where.line)
            yield expected


def _many_roundings(found: Sum) -> Finding | None:
    first, last = found.additions[0], found.additions[-1]
    to, added = total_of(last), last.inputs[1].statistics if len(last.inputs) > 1 else None
    began = total_of(first)
    if to is None or added is None or began is None or not added.root_mean_square > 0:
        return None
    expected = math.sqrt(found.count) * format_of(found.dtype).epsilon / math.sqrt(12)
    grew = to.root_mean_square / added.root_mean_square
    if expected < WRONG or grew < GROWN or not to.root_mean_square > began.root_mean_square:
        return None
    return RULE.finding(
        location(first),
        f"About {found.count:,} values are added to this sum in {found.dtype}, which resolves "
        f"{number(format_of(found.dtype).epsilon)} of it: the roundings are expected to amount to {expected:.0%}.",
        step=first.step,
        evidence=[
            Evidence("additions", found.count),
            Evidence("relative error to be expected of so many", expected, "", WRONG),
            Evidence("the sum over what is added, by rms", grew, "", GROWN),
        ],
        fixes=[Fix("keep the sum in float32", "total = torch.zeros_like(x, dtype=torch.float32)")],
        operations=[first.id],
        confidence="likely",
        settled_by="The same sum kept in float32 beside it.",
    )
