"""A graph that never ends.

## What it sees
Tensors that are carried from step to step with the graph that made them: a hidden state that is never detached, so
that each backward pass runs through all steps before it, or a sum of losses that keeps the graph of every batch.

## Why it matters
Autograd keeps what a tensor was computed from, for as long as the tensor lives. Memory grows with every step, and where
`backward(retain_graph=True)` is called the time of a step grows too, without end.

## A program that shows it
```python
import torch

torch.manual_seed(0)
cell = torch.nn.RNNCell(4, 8)
hidden = torch.zeros(2, 8)
for step in range(8):
    hidden = cell(torch.randn(2, 4), hidden)
    loss = hidden.pow(2).mean()
    gradients = torch.autograd.grad(loss, list(cell.parameters()), retain_graph=True)
    for parameter, gradient in zip(cell.parameters(), gradients):
        parameter.data -= 1e-3 * gradient
```

## What to do instead
Detach what is carried on: the gradient then reaches back to the beginning of the step, as in truncated
backpropagation through time. Of a loss that is only to be reported, keep the number: `loss.item()`.
```python
import torch

torch.manual_seed(0)
cell = torch.nn.RNNCell(4, 8)
hidden = torch.zeros(2, 8)
for step in range(8):
    hidden = cell(torch.randn(2, 4), hidden.detach())
    loss = hidden.pow(2).mean()
    gradients = torch.autograd.grad(loss, list(cell.parameters()))
    for parameter, gradient in zip(cell.parameters(), gradients):
        parameter.data -= 1e-3 * gradient
```
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.tracing import location, producer

RULE = Rule(
    name="growing-graph",
    code="P302",
    cause="python-overhead",
    summary="tensors carried from step to step keep every graph before them",
)

FEWEST_STEPS = 4
"""Steps in which the backward pass reaches further back each time; a fixed number of steps is truncation on purpose."""
GROWTH = 1.5
"""The last backward pass against the first, in operators."""
FEWEST_SUMMED = 20
"""Losses in one sum whose graphs are all kept."""


def check(record: Record) -> Iterator[Finding]:
    yield from _carried(record)
    yield from _summed(record)


# --- a backward pass through the steps before -------------------------------------------------------------------


def _carried(record: Record) -> Iterator[Finding]:
    full = [step.id for step in record.steps() if step.level == "full"]
    began: dict[int, int] = {}
    reaches: dict[int, tuple[int, int, Operation | None]] = {}
    for step in full:
        backward = list(record.operations(step=step, phase="backward"))
        began[step] = next((each.id for each in record.operations(step=step, phase="forward")), 0)
        earlier = {each.forward for each in backward if each.forward and each.forward < began[step]}
        # The step just before may not have been recorded.
        carriers = (record.operation(each) for each in sorted(earlier, reverse=True))
        carrier = next((each for each in carriers if each is not None), None)
        reaches[step] = (len(backward), len(earlier), carrier)
    reached = [step for step in full if reaches[step][1]]
    sizes = [reaches[step][0] for step in reached]
    if len(reached) < FEWEST_STEPS or sizes != sorted(sizes) or sizes[-1] < GROWTH * max(sizes[0], 1):
        return
    carrier = reaches[reached[-1]][2]
    if carrier is None:
        return
    yield RULE.finding(
        location(carrier),
        f"What this line carries on is never detached, so that each backward pass runs through all steps before it: "
        f"{sizes[0]:,} operators at step {reached[0]}, {sizes[-1]:,} at step {reached[-1]}.",
        severity="warning",
        role="advice",
        step=reached[-1],
        evidence=[
            Evidence("operators of the backward pass, at first", sizes[0], f"at step {reached[0]}"),
            Evidence("operators of the backward pass, at last", sizes[-1], f"at step {reached[-1]}", sizes[0]),
        ],
        fixes=[Fix("detach what is carried on", "hidden = hidden.detach()")],
        operations=[carrier.id],
    )


# --- a sum of losses --------------------------------------------------------------------------------------------


def _summed(record: Record) -> Iterator[Finding]:
    """A scalar that adds up the results of a model without a backward pass ever taken of it."""
    places: dict[tuple[int, int], list[Operation]] = defaultdict(list)
    for operation in record.operations("add", phase="forward"):
        scalar = operation.output is not None and operation.output.shape == () and len(operation.inputs) == 2
        # Calls of a model without gradients are numbered from 1.
        if scalar and operation.site is not None and operation.call == 0:
            places[operation.step, operation.site.id].append(operation)
    for (step, _), found in places.items():
        ids = {each.id for each in found}
        chain = [each for each in found if any(operand.producer in ids for operand in each.inputs)]
        if len(chain) < FEWEST_SUMMED or not _needs_gradient(record, chain[-1], ids) or _differentiated(record, chain):
            continue
        yield RULE.finding(
            location(chain[-1]),
            f"This sum of {len(chain) + 1:,} losses keeps the graph of each of them alive: all their activations stay "
            f"in memory until it is dropped.",
            severity="warning",
            role="advice",
            step=step,
            evidence=[Evidence("graphs kept", len(chain) + 1, "", FEWEST_SUMMED)],
            fixes=[
                Fix("add the number, not the tensor", "total += loss.item()"),
                Fix("evaluate without gradients", "with torch.no_grad():"),
            ],
            operations=[chain[-1].id],
        )


def _needs_gradient(record: Record, last: Operation, chain: set[int]) -> bool:
    """Whether what is added came out of a module's parameters by a path with no detach in it.

    Outside modules a record does not tell whether gradients were wanted.
    """
    added = [operand for operand in last.inputs if operand.producer not in chain]
    waiting = [made for operand in added if (made := producer(record, operand)) is not None]
    # A detached tensor is a view: what reads it is recorded as a reader of the values' maker.
    if any(use.base == "detach" and use.id < last.id for made in waiting for use in record.consumers(made.id)):
        return False
    seen: set[int] = set()
    while waiting and len(seen) < 300:
        operation = waiting.pop()
        if operation.id in seen:
            continue
        seen.add(operation.id)
        if operation.module and any(operand.label for operand in operation.inputs):
            return True
        waiting += [made for operand in operation.inputs if (made := producer(record, operand)) is not None]
    return False


def _differentiated(record: Record, chain: list[Operation]) -> bool:
    ids = {each.id for each in chain}
    if any(step.loss_operation in ids for step in record.steps()):
        return True
    return any(each.forward in ids for each in record.operations(step=chain[0].step, phase="backward"))
