"""A DataLoader that fetches numbers one row at a time.

## What it sees
A `DataLoader` over tensors that lie in memory: it takes each row out by an index, in Python, and stacks the rows to a
batch again, hundreds of tiny operators for what one index does.

## Why it matters
Taking one row costs several microseconds whether it holds 8 numbers or 8,000. A batch of 500 small rows takes
milliseconds to put together, often longer than the model needs for it.

## A program that shows it
```python
import torch
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
rows = torch.randn(4000, 8)
target = rows.sum(1, keepdim=True)
model = torch.nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(2):
    for x, y in DataLoader(TensorDataset(rows, target), batch_size=500, shuffle=True):
        loss = torch.nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
```

## What to do instead
Draw the indices of a batch and take all of its rows at once.
```python
import torch

torch.manual_seed(0)
rows = torch.randn(4000, 8)
target = rows.sum(1, keepdim=True)
model = torch.nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(2):
    for chosen in torch.randperm(len(rows)).split(500):
        loss = torch.nn.functional.mse_loss(model(rows[chosen]), target[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.interpreter.shares import NOTICEABLE, cost
from wellposed.rules.order.worth import measured_step
from wellposed.rules.tracing import location

RULE = Rule(
    name="sample-by-sample-loading",
    code="P303",
    cause="python-overhead",
    summary="a DataLoader takes small rows of a tensor one by one",
    specificity=1,
)

FEWEST_ROWS = 100
"""Rows taken a step."""
LARGEST_ROW = 4096
"""Elements: taking a larger row is worth the call (about 10 µs at 10 GB/s are 25,000 float32)."""


def check(record: Record) -> Iterator[Finding]:
    step = measured_step(record)
    if step is None:
        return
    loading = [each for each in record.operations(step=step) if _loads(each)]
    rows = [each for each in loading if each.base in ("select", "index", "slice") and _size(each) <= LARGEST_ROW]
    if len(rows) < FEWEST_ROWS:
        return
    lost = cost(record, step, loading)
    if lost.share < NOTICEABLE:
        return
    yield RULE.finding(
        location(rows[0]),
        f"The DataLoader takes {len(rows):,} rows of {_size(rows[0]):,} numbers one by one and stacks them again: "
        f"about {lost.share:.0%} of a step's time.",
        severity="warning",
        role="advice",
        step=step,
        evidence=[Evidence("rows taken one by one", len(rows), "a step", FEWEST_ROWS), *lost.evidence()],
        fixes=[
            Fix(
                "index whole batches",
                "for chosen in torch.randperm(len(rows)).split(batch_size):\n    x, y = rows[chosen], target[chosen]",
            ),
            Fix(
                "keep the DataLoader, and let it index by batch",
                "DataLoader(data, batch_size=None, sampler=BatchSampler(RandomSampler(data), batch_size, False))",
            ),
        ],
        operations=[rows[0].id],
    )


def _loads(operation: Operation) -> bool:
    site = operation.site
    return site is not None and (site.library_file or "").startswith("torch/utils/data/")


def _size(operation: Operation) -> int:
    return math.prod(operation.output.shape) if operation.output is not None else 0
