"""Argument close to a function's limit.

## What it sees
An exponential whose argument has come within 10 % of what its dtype can hold, or an `acos`, `asin` or `atanh` within
a few roundings of ±1, in a run in which nothing broke yet.

## Why it matters
The step from here to infinity or NaN is small: a somewhat larger learning rate, another seed, a longer run.

## A program that shows it
```python
import torch

def compute(log_variance):
    return log_variance.exp().mean()

safe = torch.linspace(-2.0, 2.0, 5)
log_variance = torch.tensor([0.5, 85.0], requires_grad=True)
loss = compute(log_variance)
loss.backward()
```

## What to do instead
Bound the argument, or stay in the domain of logarithms.
```python
import torch

def compute(log_variance):
    return log_variance.clamp(max=20.0).exp().mean()

safe = torch.linspace(-2.0, 2.0, 5)
log_variance = torch.tensor([0.5, 85.0], requires_grad=True)
loss = compute(log_variance)
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.formulas import EXPONENTIALS, statistics_of
from wellposed.rules.numerics.limits import format_of
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import location

RULE = Rule(
    name="close-to-overflow",
    code="N229",
    cause="unstable-function",
    summary="an argument comes close to the limit of its function",
    specificity=-1,
)

CLOSE = 0.9
"""Part of the largest argument whose exponential the dtype holds."""
ROUNDINGS = 8.0
"""Spacings of the dtype at 1: nearer to the edge than these, the next rounding may step over it."""
_EDGED = frozenset({"acos", "asin", "atanh"})
_ALREADY_LOST = 1.5
"""Times the limit: what lies beyond overflowed, and another rule tells of that."""


def check(record: Record) -> Iterator[Finding]:
    worst: dict[tuple[str, int | None], tuple[float, float, Operation]] = {}
    for operation in record.operations(*EXPONENTIALS, *_EDGED, phase="forward"):
        near = _nearness(operation)
        if near is None:
            continue
        key = (operation.base, operation.site.id if operation.site else None)
        if key not in worst or near[0] > worst[key][0]:
            worst[key] = (*near, operation)
    for value, limit, operation in worst.values():
        dtype = operation.output.dtype if operation.output else "float32"
        fix = (
            Fix("stay inside by more than the rounding error", "x.clamp(-1 + 1e-6, 1 - 1e-6)")
            if operation.base in _EDGED
            else Fix("bound the argument", "x.clamp(max=20.0).exp()")
        )
        yield RULE.finding(
            location(operation),
            f"`{operation.base}` of {value:.7g} is close to the limit of {number(limit)} in {dtype}.",
            severity="note",
            role="advice",
            step=operation.step,
            evidence=[Evidence("argument nearest to the limit", value, "", limit)],
            fixes=[fix],
            operations=[operation.id],
        )


def _nearness(operation: Operation) -> tuple[float, float] | None:
    """The argument and the limit that it comes close to without having passed it."""
    argument, output = statistics_of(operation), operation.output
    if argument is None or output is None or output.statistics is None or output.statistics.nonfinite:
        return None
    limits = format_of(output.dtype)
    if operation.base in _EDGED:
        value = argument.largest_magnitude
        return (value, 1.0) if 1 - ROUNDINGS * limits.epsilon < value < 1 else None
    both = operation.base in ("cosh", "sinh")
    value = argument.largest_magnitude if both else argument.maximum
    limit = limits.exp_overflow / (0.6931471805599453 if operation.base == "exp2" else 1.0)
    return (value, limit) if CLOSE * limit < value < _ALREADY_LOST * limit else None
