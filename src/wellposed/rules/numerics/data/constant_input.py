"""Data that is the same everywhere.

## What it sees
The data that enters a layer has a single value, at every step that was looked at, and the loss does not improve. Where
an operator of PyTorch took the variation away (a cast to integers, a clamp, a division that rounds), the finding stands
there; where NumPy did, the line that writes a quotient into an array of integers is found in the source.

## Why it matters
A model that is fed a constant can learn the mean of its targets and nothing else. `x / 255` written into an array of
integers is 0 for every pixel; `(minute / 1440).long()` is 0 all day.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
minutes = torch.randint(0, 1440, (256, 1))
x = (minutes / 1440).long().float()
y = torch.sin(minutes / 1440 * 6.28)
model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(30):
    loss = (model(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Divide in floating point and look at the data once: `x.min(), x.max(), x.std()`.
```python
import torch
from torch import nn

torch.manual_seed(0)
minutes = torch.randint(0, 1440, (256, 1))
x = minutes.float() / 1440
y = torch.sin(minutes / 1440 * 6.28)
model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(60):
    loss = (model(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Operand, Operation, Record
from wellposed.rules.numerics.data.origins import (
    ancestors,
    entering,
    is_filled,
    lineage,
    place_of_data,
    truncated_in_source,
)
from wellposed.rules.numerics.harm import Harm, harm_of
from wellposed.rules.numerics.trends import full_steps
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import location

RULE = Rule(
    name="constant-input",
    code="N293",
    cause="bad-data",
    summary="the data that enters the model is the same everywhere",
)

FEWEST = 8
"""Elements from which on a single value is no coincidence."""


def check(record: Record) -> Iterator[Finding]:
    found = _lookup(record)
    if found is not None:
        yield found
        return
    harm = harm_of(record)
    steps = full_steps(record, most=4)
    if harm is None or harm.kind != "stuck" or len(steps) < 2:
        return
    used = [(operation, data) for operation, data in entering(record, steps[0]) if not is_filled(record, data)]
    if not used or not all(_is_constant(data) for _, data in used):
        return
    if not all(_is_constant(data) for step in steps[1:] for _, data in entering(record, step)[:1]):
        return
    operation, data = used[0]
    yield _finding(record, operation, data, harm)


def _lookup(record: Record) -> Finding | None:
    """An embedding that is asked for one and the same row by every sample, since a cast to integers left only that."""
    steps = full_steps(record, most=4)
    places: dict[tuple[int | None, str], list[tuple[Operation, Operand]]] = {}
    for step in steps:
        for operation in record.operations("embedding", step=step, phase="forward"):
            index = operation.input("indices")
            if index is not None and not operation.call:
                key = (operation.site.id if operation.site else None, operation.module)
                places.setdefault(key, []).append((operation, index))
    for seen in places.values():
        if len(seen) < 2 or not all(_is_constant(index) for _, index in seen):
            continue
        for operation, index in seen:
            cut = next((each for each in ancestors(record, index) if _truncates(each)), None)
            if cut is not None:
                return _of_lookup(operation, index, cut)
    return None


def _truncates(operation: Operation) -> bool:
    cast = operation.base in ("_to_copy", "floor", "trunc", "floor_divide", "div")
    output = operation.output
    return cast and output is not None and took_the_variation(operation)


def _of_lookup(operation: Operation, index: Operand, cut: Operation) -> Finding:
    before = cut.inputs[0].statistics
    value = index.statistics.mean if index.statistics is not None else 0.0
    assert before is not None
    return RULE.finding(
        location(cut),
        f"Every sample asks {operation.module or 'the embedding'} for row {number(value)}: values from "
        f"{number(before.minimum)} to {number(before.maximum)} became {number(value)} here, for all that follows the "
        f"decimal "
        "point is dropped.",
        step=operation.step,
        evidence=[
            Evidence("smallest value before", before.minimum),
            Evidence("largest value before", before.maximum),
            Evidence("value after", value),
        ],
        fixes=[Fix("scale before the cast", "slot = (minute / 1440 * 24).long()")],
        operations=[operation.id],
    )


def _is_constant(operand: Operand) -> bool:
    values = operand.statistics
    return values is not None and values.count >= FEWEST and not values.nonfinite and values.minimum == values.maximum


def _finding(record: Record, used: Operation, data: Operand, harm: Harm) -> Finding:
    value = data.statistics.mean if data.statistics is not None else 0.0
    lost = next((each for each in lineage(record, data) if took_the_variation(each)), None)
    where: Location = location(lost) if lost is not None else place_of_data(record, data, used)
    evidence = [
        Evidence("smallest and largest value of the data", value),
        Evidence("elements", data.statistics.count if data.statistics is not None else 0),
        Evidence("shape", str(data.shape)),
    ]
    how = ""
    if lost is not None:
        how = f": `{lost.base}` took the variation away"
    else:
        written = truncated_in_source(record, where)
        if written is not None:
            where = replace(where, line=written[0], function=None)
            how = f": `{written[1]}` writes into an array of integers, which drops what follows the decimal point"
    return RULE.finding(
        where,
        f"All {data.statistics.count if data.statistics is not None else 0} values that enter the model are "
        f"{number(value)}{how}, {harm.words}.",
        step=used.step,
        evidence=evidence,
        fixes=[
            Fix("divide in floating point", "x = frames.astype(np.float32) / 255"),
            Fix("look at the data once", "assert x.std() > 0"),
        ],
        operations=[used.id],
    )


def took_the_variation(operation: Operation) -> bool:
    """Whether a constant came out of what was none."""
    output = operation.output.statistics if operation.output is not None else None
    if output is None or output.count < FEWEST or output.minimum != output.maximum or not operation.inputs:
        return False
    before = operation.inputs[0].statistics
    return before is not None and before.count >= FEWEST and before.standard_deviation > 0
