"""Division by a norm, deviation or root-mean-square without an epsilon.

## What it sees
A division by a norm, a standard deviation, a variance or a root of a mean of squares (or `rsqrt` of one) that is
exactly zero, and nothing was added or clamped to keep it off zero.

## Why it matters
Normalisations meet a zero vector or a constant row sooner or later: padding, an empty image, a dead unit. 0 / 0 is
NaN, and one such row makes every gradient NaN.

## A program that shows it
```python
import torch

def compute(x):
    rms = x.pow(2).mean(-1, keepdim=True).sqrt()
    return (x / rms).abs().sum()

safe = torch.tensor([[1.0, 2.0]])
x = torch.tensor([[1.0, 2.0], [0.0, 0.0]], requires_grad=True)
loss = compute(x)
loss.backward()
```

## What to do instead
Add an epsilon inside the root, small against ordinary values and large enough for the dtype; or use `F.normalize`,
`F.layer_norm`, `F.rms_norm`, which have one.
```python
import torch

def compute(x):
    rms = (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()
    return (x / rms).abs().sum()

safe = torch.tensor([[1.0, 2.0]])
x = torch.tensor([[1.0, 2.0], [0.0, 0.0]], requires_grad=True)
loss = compute(x)
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operand, Operation, Record
from wellposed.rules.numerics.births import original_births
from wellposed.rules.numerics.epsilon.guards import guards_before
from wellposed.rules.numerics.formulas import before, divisor, is_sum_of_squares, subject
from wellposed.rules.numerics.functions.norm_at_zero import is_norm
from wellposed.rules.numerics.functions.std_at_zero import is_deviation
from wellposed.rules.numerics.wording import birth_finding, made, operand_evidence, share
from wellposed.rules.tracing import SAME_VALUES, origin

# The epsilon inside the root stays there for ordinary arguments too.
CHANGES_MEANING = True

RULE = Rule(
    name="missing-epsilon",
    code="N260",
    cause="epsilon",
    summary="a norm, deviation or root-mean-square that can be zero is divided by without an epsilon",
    specificity=2,
)

_NORMS = {"linalg_vector_norm": "norm", "norm": "norm", "linalg_matrix_norm": "norm", "std": "standard deviation"}
_SPREADS = {"std_mean": "standard deviation", "var": "variance", "var_mean": "variance"}


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        denominator = divisor(birth.operation)
        if denominator is None or divisor(subject(record, birth)) is None or birth.operation.phase == "optimizer":
            continue
        if denominator.statistics is None or not denominator.statistics.zero:
            continue
        found = _norm_before(record, birth.operation, denominator)
        if found is None or next(guards_before(record, denominator), None) is not None:
            continue
        norm, name = found
        line = birth.operation.site.line if birth.operation.site else None
        zeros = denominator.statistics
        yield birth_finding(
            RULE,
            birth,
            f"A {name} that is exactly 0 in {share(zeros.zero, zeros.count)} places is divided by, and no epsilon "
            f"keeps it off zero: {made(birth)} results.",
            evidence=[
                *operand_evidence(denominator, "denominator"),
                *([Evidence("line of the division", line)] if line is not None else []),
            ],
            fixes=[
                Fix("add an epsilon inside the root", "x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()"),
                Fix("use the function that has one", "F.normalize(x, dim=-1), F.layer_norm(x, x.shape[-1:])"),
            ],
            at=norm,
        )


def _norm_before(record: Record, division: Operation, denominator: Operand) -> tuple[Operation, str] | None:
    """The norm, deviation or root-mean-square that is divided by, and what to call it."""
    if division.base == "rsqrt" or (division.base == "pow" and division.arguments.get("exponent") == -0.5):
        source = origin(record, denominator)
        if source is None:
            return None
        if is_sum_of_squares(record, source):
            return division, "mean of squares"
        return (division, "variance") if source.base in ("var", "var_mean") else None
    for operation in before(record, denominator, SAME_VALUES | {"mul"}):
        name = _NORMS.get(operation.base) or _SPREADS.get(operation.base)
        if name is not None:
            return operation, name
        if operation.base == "sqrt":
            if is_deviation(record, operation):
                return operation, "standard deviation"
            if is_norm(record, operation):
                return operation, "root of squares"
    return None
