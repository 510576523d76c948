"""Targets that a loss is not made for.

## What it sees
A binary cross entropy whose targets lie outside [0, 1], or a Poisson likelihood whose targets are negative.

## Why it matters
Cross entropy is bounded from below only for targets that are probabilities. With −1 for "no", the loss falls without
end as the logits grow, and the model is rewarded for being sure, not for being right.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(128, 4)
y = x[:, :1].sign()
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(15):
    loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Turn −1 and 1 into 0 and 1.
```python
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(128, 4)
y = (x[:, :1] > 0).float()
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(15):
    loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operand, Operation, Record
from wellposed.rules.numerics.data.origins import is_data, place_of_data
from wellposed.rules.numerics.wording import number

RULE = Rule(
    name="target-out-of-range",
    code="N296",
    cause="bad-data",
    summary="the targets lie outside the range that the loss is made for",
)

SLACK = 1e-3
"""Targets that rounding or smoothing moved a little are well."""


def check(record: Record) -> Iterator[Finding]:
    for operation in record.operations("binary_cross_entropy_with_logits", "binary_cross_entropy", phase="forward"):
        target = operation.input("target")
        values = target.statistics if target is not None else None
        if target is None or values is None or values.nonfinite or not is_data(record, target):
            continue
        if values.minimum < -SLACK or values.maximum > 1 + SLACK:
            yield _finding(record, operation, target)
            return


def _finding(record: Record, operation: Operation, target: Operand) -> Finding:
    values = target.statistics
    assert values is not None
    return RULE.finding(
        place_of_data(record, target, operation),
        f"The targets of a binary cross entropy reach from {number(values.minimum)} to {number(values.maximum)}; "
        f"they have "
        "to be probabilities from 0 to 1, else the loss falls without end and rewards no right answer.",
        step=operation.step,
        evidence=[
            Evidence("smallest target", values.minimum, "", 0.0),
            Evidence("largest target", values.maximum, "", 1.0),
        ],
        fixes=[
            Fix("turn -1 and 1 into 0 and 1", "y = (y + 1) / 2"),
            Fix("scale counts and scores", "y = y / y.max()"),
        ],
        operations=[operation.id],
    )
