"""A Python loop over the elements of a tensor.

## What it sees
A place that takes hundreds of single elements or short rows out of one tensor in a step, each to be worked on by
operators of its own, where no round of the loop needs the result of the one before.

## Why it matters
An operator costs some microseconds before it does anything: looking up its kernel, checking its arguments, making a
tensor for the result. On ten numbers this is a thousand times the arithmetic. One operator on the whole tensor pays it
once.

## A program that shows it
```python
import torch

torch.manual_seed(0)
rows = torch.randn(400, 8)
total = []
for i in range(400):
    total.append((rows[i] * rows[i]).sum())
norms = torch.stack(total)
```

## What to do instead
Write the operation for the whole tensor, along a dimension; `torch.vmap` does so for a function of one row.
```python
import torch

torch.manual_seed(0)
rows = torch.randn(400, 8)
norms = (rows * rows).sum(dim=1)
```
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.interpreter.shares import NOTICEABLE, cost
from wellposed.rules.order.worth import measured_step
from wellposed.rules.tracing import location

RULE = Rule(
    name="loop-over-elements",
    code="P304",
    cause="python-overhead",
    summary="a Python loop works on the elements of a tensor one by one",
)

FEWEST_ROUNDS = 200
"""Elements or rows taken at one place in a step."""
LARGEST_ROW = 256
"""Elements: an operator on so few takes no longer than the call does."""
_LOOKED_AT = 5
"""Rounds that are asked whether they need the one before."""
_GATHERS = frozenset({"add", "maximum", "minimum", "cat", "stack", "logical_or", "logical_and"})
"""What gathers results of independent rounds: a reduction along a dimension does the same."""


def check(record: Record) -> Iterator[Finding]:
    step = measured_step(record)
    if step is None:
        return
    told: set[int | None] = set()
    for taken in [*_selected(record, step), *_unbound(record, step)]:
        site = taken[0].site.id if taken[0].site is not None else None
        if site in told or len(taken) < FEWEST_ROUNDS:
            continue
        rounds = _rounds(record, step, taken)
        if not any(map(_works, rounds)) or _one_needs_another(record, rounds):
            continue
        told.add(site)
        yield from _finding(record, step, taken, rounds)


def _selected(record: Record, step: int) -> Iterator[list[Operation]]:
    """Operations that take a row out of the same tensor at the same place: the beginnings of rounds."""
    places: dict[object, list[Operation]] = defaultdict(list)
    for each in record.operations("select", step=step, phase="forward"):
        if _is_the_users(each) and each.inputs and _size(each) <= LARGEST_ROW:
            assert each.site is not None
            places[each.site.id, each.inputs[0].producer, each.inputs[0].shape].append(each)
    yield from places.values()


def _unbound(record: Record, step: int) -> Iterator[list[Operation]]:
    """The same where the loop runs over the tensor itself, whose rows are all made before the first round."""
    for each in record.operations("unbind", step=step, phase="forward"):
        # Not all of its results are recorded where they are many.
        rounds = each.inputs[0].shape[each.arguments.get("dim", 0)] if each.inputs and each.outputs else 0
        if not _is_the_users(each) or rounds < FEWEST_ROUNDS or _size(each) > LARGEST_ROW:
            continue
        source, shape = each.inputs[0].producer, each.outputs[0].shape
        readers = [
            use
            for use in record.operations(step=step, phase="forward", first=each.id + 1)
            if use.site is not None and any(at.producer == source and at.shape == shape for at in use.inputs)
        ]
        if readers:
            yield [use for use in readers if use.site == readers[0].site and use.base == readers[0].base]


def _is_the_users(operation: Operation) -> bool:
    return operation.site is not None and operation.site.library_file is None


def _rounds(record: Record, step: int, taken: list[Operation]) -> list[list[Operation]]:
    """What ran from each taking to the next, but the last round: nothing tells where it ends."""
    starts = [each.id for each in taken]
    every = list(record.operations(step=step, phase="forward", first=starts[0], last=starts[-1] - 1))
    rounds: list[list[Operation]] = [[] for _ in starts[1:]]
    at = 0
    for operation in every:
        while at + 1 < len(rounds) and operation.id >= starts[at + 1]:
            at += 1
        rounds[at].append(operation)
    return rounds


def _works(operations: list[Operation]) -> bool:
    return any(not each.is_view and each.base != "_local_scalar_dense" for each in operations)


def _one_needs_another(record: Record, rounds: list[list[Operation]]) -> bool:
    """Whether a round reads what the round before has computed, as a recurrence does, and more than to gather it."""
    for at in range(1, len(rounds), max(len(rounds) // _LOOKED_AT, 1)):
        before = {each.id for each in rounds[at - 1]}
        own = {each.id for each in rounds[at]}
        for operation in rounds[at]:
            if not any(operand.producer in before for operand in operation.inputs):
                continue
            if operation.base not in _GATHERS or any(use.id in own for use in record.consumers(operation.id)):
                return True
    return False


def _finding(record: Record, step: int, taken: list[Operation], rounds: list[list[Operation]]) -> Iterator[Finding]:
    within = [each for operations in rounds for each in operations]
    worker = next(each for each in within if not each.is_view)
    lost = cost(record, step, within)
    if lost.share < NOTICEABLE:
        return
    yield RULE.finding(
        location(worker),
        f"A Python loop takes {len(taken):,} rows out of a tensor and works on them one by one, {len(within):,} "
        f"operators: about {lost.share:.0%} of the time.",
        severity="warning",
        role="advice",
        step=step,
        evidence=[
            Evidence("rows taken one by one", len(taken), "a step", FEWEST_ROUNDS),
            Evidence("operators", len(within), "a step"),
            *lost.evidence(),
        ],
        fixes=[
            Fix("work on the whole tensor, along a dimension", "(rows * rows).sum(dim=1)"),
            Fix("or let vmap do it", "torch.vmap(function_of_one_row)(rows)"),
        ],
        operations=[worker.id],
    )


def _size(operation: Operation) -> int:
    return math.prod(operation.output.shape) if operation.output is not None else 0
