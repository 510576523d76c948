"""Values that had grown beyond all bounds before an operator overflowed.

## What it sees
A product, a sum or a power that overflows although nothing is wrong with the operator: its inputs had already grown
beyond 1e15. The growth is followed back to where it happened. Either within one step: then the finding stands at the
line that multiplies the values most. Or from step to step, with sound values at first: then it stands at the
optimizer that made the updates.

## Why it matters
The overflow is where the growth ends, not where it begins: bounding the operator that overflows only moves the
infinity to the next one. What multiplies at every layer, pass or step has to be found and brought to a factor of 1.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(*(nn.Linear(64, 64) for _ in range(50)))
for layer in model:
    nn.init.normal_(layer.weight, std=1.0)
loss = model(torch.randn(8, 64)).square().mean()
loss.backward()
```

## What to do instead
Draw weights that keep the variance, or normalise between the layers.
```python
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(*(nn.Linear(64, 64) for _ in range(50)))
for layer in model:
    nn.init.normal_(layer.weight, std=64**-0.5)
loss = model(torch.randn(8, 64)).square().mean()
loss.backward()
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.findings.causes import Cause
from wellposed.record import Operation, Record
from wellposed.rules.numerics.births import Birth, original_births
from wellposed.rules.numerics.chains import recurrences
from wellposed.rules.numerics.gradients.exploding_recurrence import growing
from wellposed.rules.numerics.growth import followed_back, magnitude, steepest
from wellposed.rules.numerics.limits import format_of
from wellposed.rules.numerics.wording import made, number
from wellposed.rules.tracing import location

RULE = Rule(
    name="diverged-values",
    code="N214",
    cause="exploding-gradient",
    summary="values had grown beyond all bounds before an operator overflowed",
    specificity=1,
)

GROWN = 1e15
"""An input this large is no ordinary number of a model; float32 ends at 3e38, its square root at 2e19."""
ASTRONOMICAL = 1e6
"""An exponent, an activation or a weight this large had blown up before (TheDeepChecker's limit for gradients)."""
PRODUCTS = frozenset(
    {"mul", "mm", "bmm", "addmm", "baddbmm", "mv", "dot", "convolution", "pow", "square", "prod", "cumprod", "addcmul"}
)
SUMS = frozenset({"add", "sub", "sum", "cumsum", "mean", "linalg_vector_norm", "mse_loss", "var_mean", "std", "var"})
EXPONENTIALS = frozenset({"exp", "exp2", "expm1", "sinh", "cosh"})


def check(record: Record) -> Iterator[Finding]:
    originals = original_births(record)
    exponentials = any(birth.operation.base in EXPONENTIALS for birth in originals)
    for birth in originals:
        largest = overflowed_from(birth)
        if largest is not None and not _within_recurrence(record, birth):
            finding = _finding(record, birth, largest)
            if finding.cause == RULE.cause or not exponentials:
                yield finding


def overflowed_from(birth: Birth) -> float | None:
    """The largest input of an operator that overflowed for no fault of its own; None for any other birth."""
    operation = birth.operation
    output = operation.output
    if output is None or output.dtype == "float16" or operation.base not in PRODUCTS | SUMS | EXPONENTIALS:
        return None
    largest = max((magnitude(operation, each) for each in operation.inputs), default=0.0)
    if operation.base in EXPONENTIALS:
        return largest if largest > ASTRONOMICAL else None
    if largest > GROWN:
        return largest
    exact = operation.probes.get("float64")
    value = exact.get("largest") if isinstance(exact, dict) else None
    beyond = isinstance(value, (int, float)) and value > format_of(output.dtype).largest
    return math.sqrt(format_of(output.dtype).largest) if beyond and largest == 0.0 else None


def _within_recurrence(record: Record, birth: Birth) -> bool:
    """Whether the values grew along a recurrence: then that is told by its own rule."""
    operation = birth.operation
    return any(growing(chain) is not None for chain in recurrences(record, operation.step, operation.phase))


def _finding(record: Record, birth: Birth, largest: float) -> Finding:
    operation = birth.operation
    growth = followed_back(record, operation)
    before = [step for step in record.steps() if step.id < operation.step and step.loss is not None]
    losses = [step.loss for step in before if step.loss is not None]
    from_the_start = _largest_at_first(record, operation) > ASTRONOMICAL or not before
    over_steps = bool(before) and not from_the_start
    cause: Cause = RULE.cause
    evidence = [
        Evidence("largest input of the operator that overflows", largest, "", GROWN),
        Evidence("where the way of the largest values begins", growth.start, f"in {growth.from_weights}".strip(" in")),
    ]
    if losses:
        evidence.append(Evidence("loss of the first step", losses[0]))
        evidence.append(Evidence(f"loss of step {before[-1].id}, the last before it", losses[-1]))
    if over_steps:
        where = _optimizer(record, operation) or location(operation)
        how = f"from step to step, over {operation.step} updates"
        message = f"`{operation.base}` overflows since its inputs had grown to {number(largest)}, {how}" + (
            f" (the loss from {number(losses[0])} to {number(losses[-1])})." if losses else "."
        )
    else:
        line = steepest(growth) or (operation, 1.0)
        where, factor = location(line[0]), line[1]
        if line[0].base in EXPONENTIALS:
            cause = "unstable-function"  # one exponential makes what no number of layers would
        how = f"within one step, in the {operation.phase} pass"
        message = (
            f"`{operation.base}` overflows since its inputs had grown to {number(largest)} within one "
            f"{operation.phase} pass, {number(factor)}-fold at this line alone."
        )
    return RULE.finding(
        where,
        message,
        step=operation.step,
        evidence=[*evidence, Evidence("how it grew", how), Evidence("what the overflow makes", made(birth))],
        fixes=_fixes(over_steps),
        operations=[operation.id],
        cause=cause,
    )


def _largest_at_first(record: Record, operation: Operation) -> float:
    """The largest magnitude that the operator made at the same place in the first recorded step."""
    first = next(iter(record.operations(operation.operator, phase=operation.phase)), None)
    if first is None or operation.site is None:
        return 0.0
    same = (
        each.output.statistics.largest_magnitude
        for each in record.operations(operation.operator, step=first.step, phase=operation.phase)
        if each.site is not None and each.site.line == operation.site.line and each.output and each.output.statistics
    )
    return max((value for value in same if not math.isnan(value)), default=0.0)


def _optimizer(record: Record, overflow: Operation) -> Location | None:
    """Where the optimizer was made, which holds the size of the updates."""
    site = next((event.site for event in record.events("optimizer") if event.site), None)
    if site is None:
        return None
    return Location(site.file, site.line, site.function or None, operator=overflow.operator, phase=overflow.phase)


def _fixes(over_steps: bool) -> list[Fix]:
    if over_steps:
        return [
            Fix("smaller updates", "torch.optim.SGD(model.parameters(), lr=0.1 * lr)"),
            Fix("bound the step", "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)"),
        ]
    return [
        Fix("keep the variance", "nn.init.normal_(layer.weight, std=layer.in_features ** -0.5)"),
        Fix("normalise between the layers", "nn.LayerNorm(width)"),
    ]
