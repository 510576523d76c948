"""Numbers taken out of tensors one by one.

## What it sees
`.item()`, `float(t)`, `int(t)` or `if t:` at one place hundreds of times in a step.

## Why it matters
Each makes a Python object of one number, and on an accelerator waits until everything queued before is done, so that
the device stands idle while Python catches up.

## A program that shows it
```python
import torch

torch.manual_seed(0)
scores = torch.randn(500)
count = 0
for i in range(500):
    if scores[i].item() > 0:
        count += 1
```

## What to do instead
Decide on the device, for all elements at once, and take one number at the end; where Python needs them all, take them
together with `tolist()`.
```python
import torch

torch.manual_seed(0)
scores = torch.randn(500)
count = int((scores > 0).sum())
```
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.interpreter.shares import NOTICEABLE, cost
from wellposed.rules.order.worth import measured_step
from wellposed.rules.tracing import location

RULE = Rule(
    name="number-out-of-tensor",
    code="P305",
    cause="python-overhead",
    summary="numbers are taken out of tensors one by one",
)

FEWEST_NUMBERS = 200
"""Taken at one place in a step."""


def check(record: Record) -> Iterator[Finding]:
    step = measured_step(record)
    if step is None:
        return
    places: dict[int, list[Operation]] = defaultdict(list)
    for each in record.operations("_local_scalar_dense", "is_nonzero", step=step):
        if each.site is not None and each.site.library_file is None:
            places[each.site.id].append(each)
    for taken in places.values():
        if len(taken) < FEWEST_NUMBERS:
            continue
        site = taken[0].site
        within = [each for each in record.operations(step=step) if each.site == site]
        lost = cost(record, step, within)
        elsewhere = any(operand.device != "cpu" for operand in taken[0].inputs)
        if lost.share < NOTICEABLE and not elsewhere:
            continue
        waits = ", each of them waiting for the device" if elsewhere else ""
        yield RULE.finding(
            location(taken[0]),
            f"{len(taken):,} numbers are taken out of tensors one by one{waits}: about {lost.share:.0%} of the time.",
            severity="warning",
            role="advice",
            step=step,
            evidence=[Evidence("numbers taken", len(taken), "a step", FEWEST_NUMBERS), *lost.evidence()],
            fixes=[
                Fix("decide for all elements at once", "count = int((scores > 0).sum())"),
                Fix("take all of them together", "values = scores.tolist()"),
            ],
            operations=[taken[0].id],
        )
