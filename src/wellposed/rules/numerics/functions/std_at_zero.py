"""Gradient of a hand-written standard deviation of a constant.

## What it sees
The root of a variance, `x.var().sqrt()` or `(x - x.mean()).pow(2).mean().sqrt()`, through which gradients flow while
the variance is exactly zero: a constant feature, equal predictions, a batch of one.

## Why it matters
The derivative of the root is infinite and that of the variance is zero, their product NaN. It happens when a
regulariser that should keep representations apart meets a collapsed one, that is, just when it is needed.

## A program that shows it
```python
import torch

def compute(features):
    return torch.relu(1 - features.var(dim=0).sqrt()).mean()

safe = torch.tensor([[1.0, 2.0], [3.0, 3.5], [0.0, 1.0]])
features = torch.tensor([[1.0, 2.0], [1.0, 3.0], [1.0, 5.0]], requires_grad=True)
loss = compute(features)
loss.backward()
```

## What to do instead
Add a small number inside the root; `x.std()` itself has the gradient 0 for a constant.
```python
import torch

def compute(features):
    return torch.relu(1 - (features.var(dim=0) + 1e-8).sqrt()).mean()

safe = torch.tensor([[1.0, 2.0], [3.0, 3.5], [0.0, 1.0]])
features = torch.tensor([[1.0, 2.0], [1.0, 3.0], [1.0, 5.0]], requires_grad=True)
loss = compute(features)
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.births import original_births
from wellposed.rules.numerics.formulas import is_sum_of_squares, statistics_of, subject
from wellposed.rules.numerics.functions.sqrt_at_zero import root_at_zero
from wellposed.rules.numerics.wording import birth_finding, made, share
from wellposed.rules.tracing import origin

# The small number inside the root stays there for ordinary arguments too.
CHANGES_MEANING = True

RULE = Rule(
    name="std-at-zero",
    code="N240",
    cause="unstable-function",
    summary="the gradient of a hand-written standard deviation is NaN for a constant",
    specificity=2,
)


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        root = root_at_zero(record, birth)
        if root is None and birth.operation.phase == "backward" and subject(record, birth).base in ("std", "std_mean"):
            root = subject(record, birth)
        elif root is None or not is_deviation(record, root):
            continue
        variance = statistics_of(root)
        known = variance is not None and root.base not in ("std", "std_mean")
        many = f" in {share(variance.zero, variance.count)} places" if variance is not None and known else ""
        yield birth_finding(
            RULE,
            birth,
            f"A variance is exactly 0{many}, where the gradient of its root is infinite: {made(birth)} results.",
            evidence=[Evidence("variances that are exactly 0", variance.zero, f"of {variance.count}")]
            if variance is not None and known
            else [],
            fixes=[
                Fix("add a small number inside the root", "(x.var(dim) + 1e-8).sqrt()"),
                Fix("use the function that is safe at zero", "x.std(dim)"),
            ],
        )


def is_deviation(record: Record, root: Operation) -> bool:
    """Whether the root is taken of a variance, be it by `var` or as the mean of squared differences from a mean."""
    variance = origin(record, root.inputs[0]) if root.inputs else None
    if variance is None:
        return False
    if variance.base in ("var", "var_mean"):
        return True
    if not is_sum_of_squares(record, variance):
        return False
    square = origin(record, variance.inputs[0])
    difference = origin(record, square.inputs[0]) if square is not None and square.inputs else None
    if difference is None or difference.base != "sub":
        return False
    return any(
        made is not None and made.base == "mean" for made in (origin(record, each) for each in difference.inputs)
    )
