"""Logarithm of a sum of exponentials.

## What it sees
`log(sum(exp(x)))`, or a mean, a cumulative sum or two exponentials added in its place, where an exponential overflows
or all of them underflow to zero, and the infinity reaches the loss, a gradient or a result.

## Why it matters
The result is close to the largest x, an ordinary number; the exponential in between is infinite above 88.7 in float32
(11.1 in float16), and when all arguments lie below −103 their sum is 0 and its logarithm −inf.

## A program that shows it
```python
import torch

def compute(energies):
    return energies.exp().sum(-1).log().mean()

safe = torch.tensor([[1.0, 2.0, 3.0]])
energies = torch.tensor([[100.0, 99.0, 3.0]], requires_grad=True)
loss = compute(energies)
loss.backward()
```

## What to do instead
`torch.logsumexp` takes the largest argument out first; `torch.logaddexp` and `torch.logcumsumexp` do so for two
tensors and for running sums.
```python
import torch

def compute(energies):
    return torch.logsumexp(energies, dim=-1).mean()

safe = torch.tensor([[1.0, 2.0, 3.0]])
energies = torch.tensor([[100.0, 99.0, 3.0]], requires_grad=True)
loss = compute(energies)
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.births import Birth, original_births
from wellposed.rules.numerics.formulas import LOGARITHMS, SUMMED, after, before, statistics_of, subject
from wellposed.rules.numerics.limits import format_of
from wellposed.rules.numerics.wording import birth_finding, made, number

RULE = Rule(
    name="logsumexp-by-hand",
    code="N236",
    cause="unstable-function",
    summary="the logarithm of a sum of exponentials overflows or underflows in between",
    specificity=3,
)

_FIXES = {
    "cumsum": Fix("use the function itself", "torch.logcumsumexp(x, dim)"),
    "add": Fix("use the function itself", "torch.logaddexp(a, b)"),
    "mean": Fix("use the function itself", "torch.logsumexp(x, dim) - math.log(x.shape[dim])"),
    "sum": Fix("use the function itself", "torch.logsumexp(x, dim)"),
}


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        operation = subject(record, birth)
        if operation.base == "exp" and birth.operation.phase != "backward":
            summed = _sum_before_logarithm(record, operation)
            if summed is not None:
                yield _finding(birth, operation, summed, overflow=True)
        elif operation.base in LOGARITHMS and operation.inputs:
            made_of = list(before(record, operation.inputs[0], SUMMED))
            exponential = next((each for each in made_of if each.base == "exp"), None)
            summed = next((each for each in made_of if _adds(each)), None)
            if exponential is not None and summed is not None and _reaches_zero(exponential):
                yield _finding(birth, exponential, summed, overflow=False)


def _sum_before_logarithm(record: Record, exponential: Operation) -> Operation | None:
    """The sum over the exponentials, where a logarithm is taken of it."""
    for use in after(record, exponential, SUMMED):
        if use.base in LOGARITHMS and use.inputs:
            return next((each for each in before(record, use.inputs[0], SUMMED) if _adds(each)), None)
    return None


def _adds(operation: Operation) -> bool:
    return operation.base in ("sum", "mean", "cumsum") or (operation.base == "add" and len(operation.inputs) > 1)


def _reaches_zero(exponential: Operation) -> bool:
    output = exponential.output
    return output is not None and output.statistics is not None and output.statistics.zero > 0


def _finding(birth: Birth, exponential: Operation, summed: Operation, *, overflow: bool) -> Finding:
    argument = statistics_of(exponential)
    dtype = exponential.output.dtype if exponential.output else "float32"
    if overflow:
        value, limit = (argument.maximum if argument else None), format_of(dtype).exp_overflow
        what = f"exp({number(value)}) overflows {dtype}, whose limit is exp({number(limit)})"
        row = "largest argument of exp"
    else:
        value, limit = (argument.maximum if argument else None), format_of(dtype).exp_underflow
        what = f"all exponentials underflow to 0 in {dtype} (the largest is exp({number(value)}))"
        row = "largest argument of exp"
    return birth_finding(
        RULE,
        birth,
        f"A logarithm of summed exponentials written by hand: {what}, {made(birth)} results.",
        evidence=[Evidence(row, value, "", limit)] if value is not None else [],
        fixes=[_FIXES[summed.base]],
    )
