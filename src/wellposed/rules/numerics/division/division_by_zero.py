"""Division by zero.

## What it sees
A division, reciprocal, `rsqrt` or negative power whose denominator is exactly zero, where the infinity or NaN reaches
the loss, a gradient or a result. In the backward pass it names the forward operation whose derivative divides.

## Why it matters
x / 0 is infinite and 0 / 0 is NaN. Denominators that are counts, sums of a mask, ranges, norms or predicted variances
are zero for some batch sooner or later: an empty mask, a constant row, a unit that died.

## A program that shows it
```python
import torch

def compute(values, mask):
    return (values * mask).sum() / mask.sum()

safe = (torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 0.0, 1.0]))
values = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
loss = compute(values, torch.zeros(3))
loss.backward()
```

## What to do instead
Keep the denominator away from zero by what a sound case has at least: a count by 1, a range or a variance by a small
number of its own scale.
```python
import torch

def compute(values, mask):
    return (values * mask).sum() / mask.sum().clamp_min(1)

safe = (torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 0.0, 1.0]))
values = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
loss = compute(values, torch.zeros(3))
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operand, Record
from wellposed.rules.numerics.births import Birth, original_births
from wellposed.rules.numerics.formulas import DIVISIONS, divisor, scalar, subject
from wellposed.rules.numerics.wording import birth_finding, made, operand_evidence
from wellposed.rules.tracing import origin

RULE = Rule(
    name="division-by-zero",
    code="N220",
    cause="division-by-small",
    summary="something is divided by exactly zero",
)


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        backward = birth.operation.phase == "backward"
        divided = subject(record, birth)
        if divided.base not in DIVISIONS or (divided.base == "pow" and divisor(divided) is None):
            continue  # the derivative of another function: a rule of its own knows that better
        if scalar(birth.operation, "other") == 0.0:
            what, evidence = "a number", [Evidence("denominator", 0.0)]
        else:
            denominator = zero_denominator(birth)
            if denominator is None:
                continue
            source = origin(record, denominator)
            what = _kind_of_denominator(source.base if source else "")
            evidence = operand_evidence(denominator, "denominator")
        subject_words = f"The gradient of `{divided.base}`" if backward else "A division"
        yield birth_finding(
            RULE,
            birth,
            f"{subject_words} divides by {what} that is exactly 0: {made(birth)} results.",
            evidence=evidence,
            fixes=[
                Fix("bound a count", "x / n.clamp_min(1)"),
                Fix("bound a range, a norm or a variance", "x / d.clamp_min(eps)  # eps on the scale of d"),
            ],
        )


def zero_denominator(birth: Birth) -> Operand | None:
    """What the birth's operation divided by, where it held an exact zero."""
    operand = divisor(birth.operation)
    return operand if operand is not None and operand.statistics is not None and operand.statistics.zero else None


def _kind_of_denominator(base: str) -> str:
    kinds = {
        "sum": "a sum",
        "mean": "a mean",
        "linalg_vector_norm": "a norm",
        "std": "a standard deviation",
        "var": "a variance",
        "sqrt": "a root",
        "relu": "the output of a ReLU",
        "sub": "a difference",
        "exp": "an exponential",
        "mul": "a product",
        "bincount": "a count",
        "amax": "a maximum",
        "max": "a maximum",
    }
    return kinds.get(base, "a number")
