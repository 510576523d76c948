"""NaN or infinity in the data.

## What it sees
A tensor that no recorded operator made and that is no parameter (a batch from a loader, an array from NumPy) that
holds NaN or infinities which reach the loss.

## Why it matters
One missing value in one row makes the loss NaN, the gradient NaN, and after the next update every weight. No clipping,
learning rate or initialisation helps: the program is sound, its input is not.

## A program that shows it
```python
import torch

def compute(rows, weight):
    return (rows @ weight).square().mean()

safe = (torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([0.5, 0.25]))
rows = torch.tensor([[1.0, 2.0], [float("nan"), 4.0]])
weight = torch.nn.Parameter(torch.tensor([0.5, 0.25]))
loss = compute(rows, weight)
loss.backward()
```

## What to do instead
Find out why the value is missing; drop the rows, or fill them in knowingly, before training.
```python
import torch

def compute(rows, weight):
    sound = rows[rows.isfinite().all(dim=1)]
    return (sound @ weight).square().mean()

safe = (torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([0.5, 0.25]))
rows = torch.tensor([[1.0, 2.0], [float("nan"), 4.0]])
weight = torch.nn.Parameter(torch.tensor([0.5, 0.25]))
loss = compute(rows, weight)
loss.backward()
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operand, Operation, Record, Step
from wellposed.rules.numerics.births import births, original_births
from wellposed.rules.numerics.wording import share
from wellposed.rules.tracing import descendants, line_of, location

RULE = Rule(
    name="nan-in-data",
    code="N280",
    cause="bad-data",
    summary="the data holds NaN or infinities that reach the loss",
    specificity=2,
)


def check(record: Record) -> Iterator[Finding]:
    bad = next((step for step in record.steps() if step.loss is not None and not math.isfinite(step.loss)), None)
    if bad is None:
        return
    first_birth = min((birth.operation.id for birth in original_births(record)), default=math.inf)
    for operation in record.operations(step=bad.id, phase="forward", nonfinite=True):
        if operation.id > first_birth:
            return
        entering = next((each for each in operation.inputs if _from_outside(record, each)), None)
        if entering is not None and _reaches_loss(record, operation, bad):
            yield _finding(record, operation, entering, bad)
            return


def _from_outside(record: Record, operand: Operand) -> bool:
    """Whether it is spoiled and no operator made it so: one that had would have been recorded, however closely the
    step was watched. Nothing but −inf is a mask."""
    s = operand.statistics
    known = operand.producer is not None and (
        record.operation(operand.producer) is not None or _born_before(record, operand.producer)
    )
    return s is not None and not known and not operand.label and (s.nan > 0 or s.positive_infinity > 0)


def _born_before(record: Record, producer: int) -> bool:
    """Whether an operator had made a NaN or an infinity in the step by then: of a loop that was sampled, what carried
    it on may have no row."""
    step = next((each.operation.step for each in births(record) if each.operation.id <= producer), None)
    return step is not None and any(each.id > producer for each in record.operations(step=step))


def _reaches_loss(record: Record, operation: Operation, step: Step) -> bool:
    if operation.id == step.loss_operation:
        return True
    return any(each.id == step.loss_operation for each in descendants(record, operation, nonfinite=True))


def _finding(record: Record, operation: Operation, entering: Operand, step: Step) -> Finding:
    s = entering.statistics
    assert s is not None
    what, count = ("NaN", s.nan) if s.nan else ("infinity", s.infinite)
    made = _made_at(record, entering, operation)
    where = location(operation)
    if made is not None:
        where = replace(location(made), operator=operation.operator)
    evidence = [
        Evidence(f"elements that are {what}", count, f"of {s.count}"),
        Evidence("shape of the data", str(entering.shape)),
        Evidence("first used", line_of(record, operation) or operation.operator),
        Evidence("steps before it, with finite losses", step.id),
    ]
    return RULE.finding(
        where,
        f"The data holds {what} in {share(count, s.count)} elements before any operator has touched it; at step "
        f"{step.id} it reaches the loss.",
        step=step.id,
        evidence=[row for row in evidence if row.value != 0],
        fixes=[
            Fix("drop such rows", "x = x[x.isfinite().all(dim=1)]"),
            Fix("fill them in knowingly", "x = torch.where(x.isnan(), column_median, x)"),
            Fix("look once, when the data is loaded", "assert torch.isfinite(x).all()"),
        ],
        operations=[operation.id],
    )


def _made_at(record: Record, entering: Operand, used: Operation) -> Operation | None:
    """The only place where the program turns data of this kind into a tensor (`torch.tensor`, `torch.from_numpy`)."""
    made = [
        each
        for each in record.operations("lift_fresh", phase="forward", last=used.id)
        if each.site is not None
        and each.output is not None
        and each.output.dtype == entering.dtype
        and math.prod(each.output.shape) > 1
    ]
    alike = [each for each in made if each.output is not None and _alike(each.output.shape, entering.shape)]
    for candidates in (alike, made):
        places = {(each.site.file, each.site.line) for each in candidates if each.site is not None}
        if len(places) == 1:
            return candidates[0]
    return None


def _alike(made: tuple[int, ...], used: tuple[int, ...]) -> bool:
    """Whether one can be rows of the other, or a stack of it."""
    return made == used or made[1:] in (used, used[1:]) or used[1:] == made
