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
from wellposed.record import Record
from wellposed.rules.numerics.births import original_births
from wellposed.rules.numerics.functions.log_of_zero import logarithm_of
from wellposed.rules.numerics.wording import birth_finding, made
from wellposed.rules.tracing import origin

RULE = Rule(
    name="log-of-softmax",
    code="N232",
    cause="unstable-function",
    summary="the logarithm of a softmax meets a probability that underflowed to zero",
    specificity=1,
)


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        logarithm = logarithm_of(birth, record)
        if logarithm is None or not logarithm.inputs:
            continue
        softmax = origin(record, logarithm.inputs[0])
        if softmax is None or softmax.base != "_softmax":
            continue
        evidence = []
        logits = softmax.inputs[0].statistics
        if logits is not None:
            evidence.append(Evidence("spread of the logits", logits.maximum - logits.minimum, "", 104.0))
        probabilities = logarithm.inputs[0].statistics
        if probabilities is not None:
            evidence.append(
                Evidence("probabilities that are exactly 0", probabilities.zero, f"of {probabilities.count}")
            )
        yield birth_finding(
            RULE,
            birth,
            f"The logarithm of a softmax meets probabilities that underflowed to 0: {made(birth)} results.",
            evidence=evidence,
            fixes=[Fix("take both in one operation", "torch.log_softmax(logits, dim=-1)")],
        )
