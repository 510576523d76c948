"""Softmax written by hand.

## What it sees
Exponentials divided by their own sum (a softmax), by one plus themselves (a sigmoid) or by sums of each other
(a tanh), where an exponential overflows to infinity, or all of them underflow to zero, and the NaN reaches the loss,
a gradient or a result.

## Why it matters
The quotient lies between 0 and 1 for every input, but the exponentials do not: inf / inf and 0 / 0 are NaN. In
float32 that happens for arguments above 88.7 (or all below −103), in float16 above 11.1. Small temperatures and
unscaled attention scores get there quickly.

## A program that shows it
```python
import torch

def compute(scores):
    weights = torch.exp(scores)
    return (weights / weights.sum(-1, keepdim=True))[..., 0].sum()

safe = torch.tensor([[1.0, 2.0, 3.0]])
scores = torch.tensor([[100.0, 95.0, 1.0]], requires_grad=True)
loss = compute(scores)
loss.backward()
```

## What to do instead
Use the function itself, which subtracts the largest argument first.
```python
import torch

def compute(scores):
    return torch.softmax(scores, dim=-1)[..., 0].sum()

safe = torch.tensor([[1.0, 2.0, 3.0]])
scores = torch.tensor([[100.0, 95.0, 1.0]], requires_grad=True)
loss = compute(scores)
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.births import Birth, original_births
from wellposed.rules.numerics.formulas import EXPONENTIALS, SUMMED, after, before, divisor, statistics_of
from wellposed.rules.numerics.limits import format_of
from wellposed.rules.numerics.wording import birth_finding, made, number

RULE = Rule(
    name="softmax-by-hand",
    code="N234",
    cause="unstable-function",
    summary="exponentials are divided by sums of exponentials",
    specificity=3,
)

_FIXES = {
    "softmax": Fix("use the function itself", "torch.softmax(x, dim)"),
    "sigmoid": Fix("use the function itself", "torch.sigmoid(x)"),
    "tanh": Fix("use the function itself", "torch.tanh(x)"),
}
_SUBTRACT = Fix("subtract the largest argument", "e = (x - x.amax(dim, keepdim=True)).exp()")


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        if birth.operation.phase == "backward":
            continue
        if birth.operation.base in EXPONENTIALS:
            quotient = quotient_of_exponentials(record, birth.operation)
            if quotient is not None:
                yield _overflow(record, birth, quotient)
        else:
            exponential = _underflowed(record, birth.operation)
            if exponential is not None:
                yield _underflow(birth, exponential)


def quotient_of_exponentials(record: Record, exponential: Operation) -> Operation | None:
    """The division of exponentials by a sum of exponentials that the exponential ends in."""
    for use in after(record, exponential, SUMMED):
        if use.base != "div" or not use.inputs:
            continue
        denominator = {each.base for each in before(record, divisor(use), SUMMED)}
        numerator = {each.base for each in before(record, use.inputs[0], SUMMED)}
        if denominator & EXPONENTIALS and numerator & EXPONENTIALS and denominator & {"sum", "add", "cumsum", "mean"}:
            return use
    return None


def _overflow(record: Record, birth: Birth, quotient: Operation) -> Finding:
    argument = statistics_of(birth.operation)
    largest = argument.maximum if argument else None
    dtype = birth.operation.output.dtype if birth.operation.output else "float32"
    limit = format_of(dtype).exp_overflow
    made_of = {each.base for each in before(record, divisor(quotient), SUMMED)}
    kind = "softmax" if made_of & {"sum", "cumsum", "mean"} else "tanh" if made_of & {"neg"} else "sigmoid"
    return birth_finding(
        RULE,
        birth,
        f"A {kind} written by hand: exp({number(largest)}) overflows {dtype}, whose limit is exp({number(limit)}), and "
        f"inf / inf is NaN.",
        evidence=[Evidence("largest argument of exp", largest, "", limit)] if largest is not None else [],
        fixes=[_FIXES[kind], *([_SUBTRACT] if kind == "softmax" else [])],
    )


def _underflowed(record: Record, operation: Operation) -> Operation | None:
    """The exponentials that all became 0, where the operation divides by their sum."""
    denominator = divisor(operation)
    if denominator is None or denominator.statistics is None or not denominator.statistics.zero:
        return None
    made_of = list(before(record, denominator, SUMMED | {"mm", "mv", "bmm", "matmul"}))
    exponential = next((each for each in made_of if each.base in EXPONENTIALS and each.output is not None), None)
    if exponential is None or exponential.output is None or exponential.output.statistics is None:
        return None
    return exponential if exponential.output.statistics.zero else None


def _underflow(birth: Birth, exponential: Operation) -> Finding:
    argument = statistics_of(exponential)
    assert exponential.output is not None
    dtype = exponential.output.dtype
    limit = format_of(dtype).exp_underflow
    smallest = argument.minimum if argument else None
    return birth_finding(
        RULE,
        birth,
        f"The exponentials in a denominator underflow to 0 (exp({number(smallest)}) in {dtype}), and dividing by "
        f"their sum makes {made(birth)} results.",
        evidence=[Evidence("smallest argument of exp", smallest, "", limit)] if smallest is not None else [],
        fixes=[_FIXES["softmax"], Fix("stay in the logarithm", "x - torch.logsumexp(x, dim, keepdim=True)")],
        at=exponential,
    )
