"""Square root of a negative number.

## What it sees
`sqrt`, `rsqrt` or a power of one half of a negative number, where the NaN reaches the loss, a gradient or a result.
Where the argument is a small difference of large numbers, the subtraction is at fault: it lost all its digits.

## Why it matters
A variance as E[x²] − E[x]², a squared distance as |a|² + |b|² − 2ab, 1 − cos²: each is never negative on paper and
is negative by rounding as soon as its terms nearly cancel. A quantity that a network predicts is negative sooner or
later, too.

## A program that shows it
```python
import torch

def compute(variance):
    return torch.sqrt(variance).sum()

safe = torch.tensor([0.25, 4.0])
variance = torch.tensor([-0.5, 4.0], requires_grad=True)
loss = compute(variance)
loss.backward()
```

## What to do instead
Compute the quantity so that it cannot be negative (`x.var()`, `softplus` of a prediction), or bound it from below.
```python
import torch

def compute(variance):
    return torch.sqrt(variance.clamp_min(1e-6)).sum()

safe = torch.tensor([0.25, 4.0])
variance = torch.tensor([-0.5, 4.0], requires_grad=True)
loss = compute(variance)
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.births import original_births
from wellposed.rules.numerics.formulas import scalar, statistics_of
from wellposed.rules.numerics.wording import birth_finding, made, number
from wellposed.rules.tracing import origin

RULE = Rule(
    name="sqrt-of-negative",
    code="N237",
    cause="unstable-function",
    summary="a square root is taken of a negative number",
)

CANCELLED = 1e-3
"""A negative difference below this part of its terms: three or more of float32's seven digits have cancelled."""


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        root = birth.operation
        if birth.kind != "nan" or not is_root(root) or root.phase == "backward":
            continue
        argument = statistics_of(root)
        if argument is None or not argument.minimum < 0:
            continue
        evidence = [Evidence("smallest argument", argument.minimum, "", 0.0)]
        terms = _terms_that_cancelled(record, root, argument.minimum)
        if terms is not None:
            evidence.append(Evidence("largest term of the difference", terms))
            message = (
                f"`{root.base}` meets {number(argument.minimum)}, a difference of terms as large as {number(terms)} "
                f"whose digits cancelled: {made(birth)} results."
            )
            fixes = [
                Fix("center first, then square", "x.var(correction=0)  # not (x * x).mean() - x.mean() ** 2"),
                Fix("bound it from below", "d.clamp_min(eps).sqrt()"),
            ]
        else:
            message = f"`{root.base}` meets {number(argument.minimum)}: {made(birth)} results."
            fixes = [
                Fix("bound it from below", "x.clamp_min(eps).sqrt()"),
                Fix("let a prediction be positive", "F.softplus(x)"),
            ]
        yield birth_finding(
            RULE, birth, message, evidence=evidence, fixes=fixes, cause="cancellation" if terms is not None else None
        )


def is_root(operation: Operation) -> bool:
    """Whether it is `sqrt`, `rsqrt` or a power of ±1/2."""
    if operation.base == "pow":
        return scalar(operation, "exponent") in (0.5, -0.5)
    return operation.base in ("sqrt", "rsqrt")


def _terms_that_cancelled(record: Record, root: Operation, smallest: float) -> float | None:
    """The largest term of the difference that the argument is, where the difference is small against it."""
    difference = origin(record, root.inputs[0])
    if difference is None or difference.base not in ("sub", "add", "rsub"):
        return None
    terms = [each.statistics.largest_magnitude for each in difference.inputs if each.statistics is not None]
    largest = max([*terms, abs(scalar(difference, "other") or 0.0)], default=0.0)
    return largest if abs(smallest) < CANCELLED * largest else None
