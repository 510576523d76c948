"""Exponential of a large number.

## What it sees
An exponential (`exp`, `exp2`, `expm1`, `sinh`, `cosh`) that returns infinity for a finite argument, where the
infinity reaches the loss, a gradient or a result. In float32 `exp(x)` is infinite above 88.7, in float16 above 11.1.

## Why it matters
Whatever is computed from the infinity is infinite or NaN (inf / inf, inf − inf, 0 · inf), and one NaN in a gradient
makes every weight NaN in the next update. Quantities that a network predicts, such as a log-variance or a logit, have
no upper bound: the overflow only waits for a large enough input.

## A program that shows it
```python
import torch

def compute(log_variance):
    return log_variance.exp().mean()

safe = torch.linspace(-2.0, 2.0, 5)
log_variance = torch.tensor([0.5, 90.0], requires_grad=True)
loss = compute(log_variance)
loss.backward()
```

## What to do instead
Bound the argument before the exponential, or stay in the domain of logarithms (`torch.logsumexp`, `F.softplus`,
`log_softmax`).
```python
import torch

def compute(log_variance):
    return log_variance.clamp(max=20.0).exp().mean()

safe = torch.linspace(-2.0, 2.0, 5)
log_variance = torch.tensor([0.5, 90.0], requires_grad=True)
loss = compute(log_variance)
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Record
from wellposed.rules.numerics.births import original_births
from wellposed.rules.numerics.limits import format_of
from wellposed.rules.numerics.wording import birth_finding, made, number

RULE = Rule(
    name="exp-overflow",
    code="N230",
    cause="unstable-function",
    summary="an exponential overflows",
)

EXPONENTIALS = frozenset({"exp", "exp2", "expm1", "sinh", "cosh"})

DIVERGED = 1e6
"""An argument beyond this was no logit or log-variance any more: the numbers had blown up before they came here."""


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        operation = birth.operation
        if operation.base not in EXPONENTIALS or operation.phase == "backward":
            continue
        argument = operation.inputs[0] if operation.inputs else None
        if argument is None or argument.statistics is None or operation.output is None:
            continue
        largest = argument.statistics.largest_magnitude
        if largest > DIVERGED:
            continue
        limit = format_of(operation.output.dtype).exp_overflow
        yield birth_finding(
            RULE,
            birth,
            f"`{operation.base}` of {number(argument.statistics.maximum)} overflows {operation.output.dtype} "
            f"(the limit is {number(limit)}): {made(birth)} results.",
            evidence=[Evidence("largest argument", argument.statistics.maximum, "", limit)],
            fixes=[
                Fix("bound the argument", "x.clamp(max=20.0).exp()"),
                Fix("stay in the logarithm", "torch.logsumexp(x, dim)  # or F.log_softmax, F.softplus"),
            ],
        )
