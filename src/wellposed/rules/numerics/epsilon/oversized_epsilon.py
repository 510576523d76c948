"""Epsilon larger than what it protects.

## What it sees
A small number added in a denominator, or under a root that is divided by, that is larger than the quantity it is
added to for most elements, so that it decides the result; also a normalisation layer whose `eps` exceeds the variance
of nearly all of its input. Zeros (padding) and mere rounding noise do not count.

## Why it matters
What should have unit scale comes out many times too small, without any warning: a root-mean-square normalisation with
`finfo(bfloat16).eps` = 0.0078 shrinks activations of size 0.03 threefold, a standardisation with 1e-8 turns a signal
of size 1e-21 into zeros.

## A program that shows it
```python
import torch

def compute(x):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + torch.finfo(torch.bfloat16).eps)

safe = torch.tensor([[90.0, -100.0]])
x = torch.tensor([[0.03, -0.02], [0.01, 0.04]])
normalised = compute(x)
```

## What to do instead
Choose an epsilon far below the square of the ordinary values, or bring the values to an ordinary scale first.
```python
import torch

def compute(x):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-8)

safe = torch.tensor([[90.0, -100.0]])
x = torch.tensor([[0.03, -0.02], [0.01, 0.04]])
normalised = compute(x)
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Operation, Record, Statistics
from wellposed.rules.numerics.epsilon.guards import Guard, guards_of
from wellposed.rules.numerics.formulas import after, divisor, is_sum_of_squares
from wellposed.rules.numerics.limits import format_of
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import SAME_VALUES, location, origin

# Another epsilon is another result, if only in the last digits where it does no harm.
CHANGES_MEANING = True

RULE = Rule(
    name="oversized-epsilon",
    code="N262",
    cause="epsilon",
    summary="an epsilon is larger than the quantity it protects and decides the result",
)

EXCEEDS = 2.0
"""Epsilon over the mean of what it is added to: from here on it is the larger part of nearly every sum."""
DECIDES_ALL = 0.95
"""1 / sqrt(var + eps) over 1 / sqrt(eps), for the row of largest variance: its variance is a tenth of eps."""
CONSTANT = 1e-5
"""Variance over epsilon: below this nobody can tell it from the rounding of 1 / sqrt(var + eps)."""
NOISE = 16.0
"""Roundings of the values themselves: a deviation of so many is no signal."""

_NORMALISATIONS = frozenset(
    {"native_layer_norm", "native_group_norm", "native_batch_norm", "_native_batch_norm_legit", "_fused_rms_norm"}
)


def check(record: Record) -> Iterator[Finding]:
    seen: dict[int | None, list[tuple[Operation, Guard | None]]] = {}
    for operation in record.operations("add", "clamp_min", "clamp", *_NORMALISATIONS, phase="forward"):
        place = operation.site.id if operation.site else None
        if operation.base in _NORMALISATIONS:
            seen.setdefault(place, []).append((operation, None))
            continue
        for guard in guards_of(operation):
            if not guard.upper and guard.epsilon < 1:
                seen.setdefault(place, []).append((operation, guard))
    for occurrences in seen.values():
        found = [_oversized(operation, guard) for operation, guard in occurrences]
        # What is so at first and stays so decides the result; what becomes so has converged.
        if found[0] is None or sum(each is not None for each in found) * 2 < len(found):
            continue
        operation, added = occurrences[0]
        if added is None or _divides(record, operation):
            quantity, epsilon = found[0]
            if not is_rounding_noise(record, operation, quantity):
                yield _finding(record, operation, quantity, epsilon, occurrences=len(found))


def _oversized(operation: Operation, guard: Guard | None) -> tuple[float, float] | None:
    """The mean of what epsilon is added to, and epsilon, where epsilon is the larger by far."""
    if guard is None:
        return _oversized_in_layer(operation)
    values = operation.inputs[0].statistics if operation.inputs else None
    quantity = _mean_of_nonzero(values)
    if quantity is None or values is None or values.minimum < 0:
        return None
    return (quantity, guard.epsilon) if guard.epsilon > EXCEEDS * quantity else None


def _oversized_in_layer(operation: Operation) -> tuple[float, float] | None:
    epsilon = operation.arguments.get("eps")
    values = operation.inputs[0].statistics if operation.inputs else None
    inverse = operation.outputs[2].statistics if len(operation.outputs) > 2 else None
    if not isinstance(epsilon, float) or epsilon <= 0 or values is None or inverse is None or not inverse.count:
        return None
    if _mean_of_nonzero(values) is None or not inverse.minimum * math.sqrt(epsilon) > DECIDES_ALL:
        return None
    largest_variance = inverse.minimum**-2 - epsilon
    return (largest_variance, epsilon) if largest_variance > CONSTANT * epsilon else None


def _mean_of_nonzero(values: Statistics | None) -> float | None:
    """None where fewer than half are non-zero: zeros are what an epsilon is for."""
    if values is None or values.nonfinite or not values.count or 2 * values.zero > values.count:
        return None
    return values.mean * values.count / (values.count - values.zero)


def _divides(record: Record, operation: Operation) -> bool:
    """Whether the sum, or its root, is divided by, and what comes of it is no update of a parameter."""
    through = SAME_VALUES | {"sqrt", "pow"}
    path = {operation.id}
    for use in after(record, operation, through):
        operand = divisor(use)
        if operand is not None and operand.producer in path:
            results = after(record, use, SAME_VALUES | {"mul", "div", "neg"})
            return not any(each.label for result in [use, *results] for each in result.outputs)
        if use.base in through:
            path.add(use.id)
    return False


def is_rounding_noise(record: Record, operation: Operation, quantity: float) -> bool:
    """Whether the quantity is a deviation no larger than the rounding of the values it was computed from."""
    source = origin(record, operation.inputs[0])
    if operation.base in _NORMALISATIONS:
        source = operation
    elif is_sum_of_squares(record, source) and source is not None:
        square = origin(record, source.inputs[0])
        source = origin(record, square.inputs[0]) if square is not None and square.inputs else None
    if source is None or not source.inputs or source.inputs[0].statistics is None:
        return False
    if source.base not in ("sub", "var", "std", "var_mean", "std_mean", *_NORMALISATIONS):
        return False
    values = source.inputs[0]
    rounding = (
        NOISE * format_of(values.dtype).epsilon * (values.statistics.largest_magnitude if values.statistics else 0)
    )
    difference = source.base == "sub" and origin(record, operation.inputs[0]) is source
    linear = difference or source.base in ("std", "std_mean")
    return quantity <= (rounding if linear else rounding**2)


def _place(record: Record, operation: Operation) -> Location:
    """The line of the sum; the epsilon of a layer is set where the layer is made."""
    module = record.modules().get(operation.module) if operation.base in _NORMALISATIONS else None
    site = module.site if module is not None and module.kind.startswith("torch.nn.") else None
    here = location(operation)
    return here if site is None else replace(here, file=site.file, line=site.line, function=site.function or None)


def _finding(record: Record, operation: Operation, quantity: float, epsilon: float, occurrences: int) -> Finding:
    return RULE.finding(
        _place(record, operation),
        f"The epsilon of {number(epsilon)} exceeds what it is added to, on average {number(quantity)}, "
        f"{number(epsilon / quantity) if quantity else 'many'} times, and decides the result.",
        severity="warning",
        step=operation.step,
        evidence=[
            Evidence("mean of what epsilon is added to", quantity, "", epsilon / EXCEEDS),
            Evidence("epsilon", epsilon),
            Evidence("times it was seen here", occurrences),
        ],
        fixes=[
            Fix("an epsilon far below the quantity", f"eps={quantity * 1e-4:.0e}"),
            Fix("bring the values to an ordinary scale first", "x = x / scale"),
        ],
        operations=[operation.id],
    )
