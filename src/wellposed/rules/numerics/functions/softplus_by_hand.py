"""Softplus written by hand.

## What it sees
`log(1 + exp(x))` or `log1p(exp(x))` where the exponential overflows and the infinity reaches the loss, a gradient or
a result.

## Why it matters
Softplus of 100 is 100, but exp(100) is infinite in float32 (in float16 already exp(11.1)): the loss is inf and its
gradient NaN. `log1p` repairs only the small end, not the large one.

## A program that shows it
```python
import torch

def compute(logits):
    return torch.log1p(torch.exp(logits)).mean()

safe = torch.tensor([-3.0, 0.0, 5.0])
logits = torch.tensor([1.0, 100.0], requires_grad=True)
loss = compute(logits)
loss.backward()
```

## What to do instead
`F.softplus` knows both ends; with a target it is `F.binary_cross_entropy_with_logits`.
```python
import torch
import torch.nn.functional as F

def compute(logits):
    return F.softplus(logits).mean()

safe = torch.tensor([-3.0, 0.0, 5.0])
logits = torch.tensor([1.0, 100.0], requires_grad=True)
loss = compute(logits)
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.births import original_births
from wellposed.rules.numerics.formulas import after, scalar, statistics_of
from wellposed.rules.numerics.limits import format_of
from wellposed.rules.numerics.wording import birth_finding, number
from wellposed.rules.tracing import SAME_VALUES, origin

# F.softplus(x) itself switches to x above 20 and differs from the formula by less than 2.1e-9.
CHANGES_MEANING = True

RULE = Rule(
    name="softplus-by-hand",
    code="N235",
    cause="unstable-function",
    summary="log(1 + exp(x)) overflows in the exponential",
    specificity=3,
)


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        exponential = birth.operation
        if exponential.base != "exp" or exponential.phase == "backward" or not _is_softplus(record, exponential):
            continue
        argument = statistics_of(exponential)
        largest = argument.maximum if argument else None
        dtype = exponential.output.dtype if exponential.output else "float32"
        limit = format_of(dtype).exp_overflow
        yield birth_finding(
            RULE,
            birth,
            f"A softplus written by hand, log(1 + exp(x)): exp({number(largest)}) overflows {dtype}, whose limit is "
            f"exp({number(limit)}).",
            evidence=[Evidence("largest argument of exp", largest, "", limit)] if largest is not None else [],
            fixes=[
                Fix("use the function itself", "F.softplus(x)"),
                Fix("with a target, from the logits", "F.binary_cross_entropy_with_logits(logits, target)"),
            ],
        )


def _is_softplus(record: Record, exponential: Operation) -> bool:
    for use in after(record, exponential, SAME_VALUES | {"add"}):
        if use.base == "log1p":
            return True
        if use.base in ("log", "log2") and use.inputs:
            added = origin(record, use.inputs[0])
            if added is not None and added.base == "add" and scalar(added, "other", "self") == 1.0:
                return True
    return False
