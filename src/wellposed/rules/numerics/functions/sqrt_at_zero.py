"""Gradient of a square root at zero.

## What it sees
A square root whose argument is exactly zero and through which gradients flow: the derivative 1 / (2·√0) is infinite.

## Why it matters
The forward value, 0, looks healthy, and so does the loss. The infinite derivative is multiplied by zeros on its way
back and becomes NaN, and the next update destroys the weights. An argument that should be positive and underflowed,
such as exp(−110) in float32, does the same.

## A program that shows it
```python
import torch

def compute(x):
    return torch.sqrt(x).sum()

safe = torch.tensor([0.5, 4.0])
x = torch.tensor([0.0, 4.0], requires_grad=True)
loss = compute(x)
loss.backward()
```

## What to do instead
Keep the argument away from zero inside the root, by what is small against its ordinary values.
```python
import torch

def compute(x):
    return torch.sqrt(x.clamp_min(1e-12)).sum()

safe = torch.tensor([0.5, 4.0])
x = torch.tensor([0.0, 4.0], requires_grad=True)
loss = compute(x)
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.births import Birth, original_births
from wellposed.rules.numerics.formulas import EXPONENTIALS, scalar, statistics_of, subject
from wellposed.rules.numerics.wording import birth_finding, made, operand_evidence
from wellposed.rules.tracing import origin

RULE = Rule(
    name="sqrt-at-zero",
    code="N241",
    cause="unstable-function",
    summary="the gradient of a square root is infinite at zero",
)


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        root = root_at_zero(record, birth)
        if root is None:
            continue
        source = origin(record, root.inputs[0])
        underflowed = source is not None and source.base in EXPONENTIALS
        history = ", an exponential that underflowed" if underflowed else ""
        fixes = [Fix("halve inside the exponential", "(0.5 * x).exp()")] if underflowed else []
        yield birth_finding(
            RULE,
            birth,
            f"The gradient of `{root.base}` is infinite at 0{history}: {made(birth)} results.",
            evidence=operand_evidence(root.inputs[0], "argument"),
            fixes=[*fixes, Fix("keep the argument away from zero, inside the root", "torch.sqrt(x.clamp_min(1e-12))")],
        )


def root_at_zero(record: Record, birth: Birth) -> Operation | None:
    """The square root whose gradient the birth is, where its argument holds zeros."""
    if birth.operation.phase != "backward":
        return None
    root = subject(record, birth)
    if root.base != "sqrt" and not (root.base == "pow" and scalar(root, "exponent") == 0.5):
        return None
    argument = statistics_of(root)
    return root if argument is not None and argument.zero else None
