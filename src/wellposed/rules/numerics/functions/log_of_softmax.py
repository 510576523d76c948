"""Logarithm of a softmax.

## What it sees
A logarithm whose argument is a softmax, or exponentials divided by their sum, where a probability has underflowed to
zero and the −inf or NaN reaches the loss, a gradient or a result.

## Why it matters
A softmax cannot hold probabilities below the smallest number of its dtype: in float32 a class whose logit lies 104
below the largest has probability exactly 0 (in float16 already 17 below). Its logarithm is −inf, although the
log-probability itself, −104, is an ordinary number.

## A program that shows it
```python
import torch

def compute(logits):
    return -torch.softmax(logits, dim=-1).log()[..., 1].mean()

safe = torch.tensor([[1.0, 0.5], [0.0, 2.0]])
logits = torch.tensor([[120.0, 0.0]], requires_grad=True)
loss = compute(logits)
loss.backward()
```

## What to do instead
Compute the logarithm of the softmax in one operation, which subtracts the largest logit first.
```python
import torch

def compute(logits):
    return -torch.log_softmax(logits, dim=-1)[..., 1].mean()

safe = torch.tensor([[1.0, 0.5], [0.0, 2.0]])
logits = torch.tensor([[120.0, 0.0]], requires_grad=True)
loss = compute(logits)
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.births import Birth, original_births
from wellposed.rules.numerics.formulas import EXPONENTIALS, LOGARITHMS, SUMMED, after, before, statistics_of, subject
from wellposed.rules.numerics.functions.softmax_by_hand import quotient_of_exponentials
from wellposed.rules.numerics.limits import format_of
from wellposed.rules.numerics.wording import birth_finding, made, number
from wellposed.rules.tracing import SAME_VALUES

RULE = Rule(
    name="log-of-softmax",
    code="N232",
    cause="unstable-function",
    summary="the logarithm of a softmax meets a probability that underflowed to zero",
    specificity=4,
)

_FIXES = [
    Fix("take both in one operation", "torch.log_softmax(logits, dim=-1)"),
    Fix("with class indices", "F.cross_entropy(logits, target)"),
]
_CHOSEN = SAME_VALUES | {"index", "gather", "index_select", "diagonal", "mul", "add", "clamp", "clamp_min"}


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        operation = subject(record, birth)
        if operation.base in LOGARITHMS and operation.inputs:
            softmax = _softmax_before(record, operation)
            if softmax is not None:
                yield _of_softmax(birth, operation, softmax)
        elif operation.base in EXPONENTIALS and birth.operation.phase != "backward":
            quotient = quotient_of_exponentials(record, operation)
            if quotient is not None and any(use.base in LOGARITHMS for use in after(record, quotient, SUMMED)):
                yield _by_hand(birth, operation)


def _softmax_before(record: Record, logarithm: Operation) -> Operation | None:
    """The softmax that the logarithm is taken of, or the exponentials of one written by hand."""
    for made_by in before(record, logarithm.inputs[0], _CHOSEN):
        if made_by.base == "_softmax":
            return made_by
        if made_by.base == "div" and len(made_by.inputs) == 2:
            for each in before(record, made_by.inputs[0], SUMMED):
                if each.base in EXPONENTIALS and quotient_of_exponentials(record, each) is not None:
                    return each
    return None


def _of_softmax(birth: Birth, logarithm: Operation, softmax: Operation) -> Finding:
    evidence = []
    logits, probabilities = statistics_of(softmax), statistics_of(logarithm)
    if logits is not None and softmax.output is not None:
        limit = -format_of(softmax.output.dtype).exp_underflow
        evidence.append(Evidence("spread of the logits", logits.maximum - logits.minimum, "", limit))
    if probabilities is not None:
        evidence.append(Evidence("probabilities that are exactly 0", probabilities.zero, f"of {probabilities.count}"))
    return birth_finding(
        RULE,
        birth,
        f"The logarithm of a softmax meets probabilities that underflowed to 0: {made(birth)} results.",
        evidence=evidence,
        fixes=_FIXES,
    )


def _by_hand(birth: Birth, exponential: Operation) -> Finding:
    argument = statistics_of(exponential)
    largest = argument.maximum if argument else None
    dtype = exponential.output.dtype if exponential.output else "float32"
    limit = format_of(dtype).exp_overflow
    return birth_finding(
        RULE,
        birth,
        f"The logarithm of a softmax written by hand: exp({number(largest)}) overflows {dtype}, whose limit is "
        f"exp({number(limit)}).",
        evidence=[Evidence("largest argument of exp", largest, "", limit)] if largest is not None else [],
        fixes=_FIXES,
    )
