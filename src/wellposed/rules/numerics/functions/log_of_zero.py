"""Logarithm of zero.

## What it sees
A logarithm (`log`, `log2`, `log10`, `log1p`) whose argument is zero or negative, where the −inf or NaN reaches the
loss, a gradient or a result. That includes arguments that should be positive and underflowed: a product of many
probabilities, an exponential of a very negative number.

## Why it matters
log(0) is −inf. Multiplied by a zero weight, as in p · log(p), it is NaN; in the backward pass 1 / 0 is infinite. The
loss looks fine until the first exact zero appears.

## A program that shows it
```python
import torch

def compute(p):
    return -(p * p.log()).sum()

safe = torch.tensor([0.25, 0.25, 0.5])
p = torch.tensor([1.0, 0.0], requires_grad=True)
loss = compute(p)
loss.backward()
```

## What to do instead
Bound the argument away from zero by a number its dtype can hold, or keep the logarithm from the start (`log_softmax`, a
sum of logarithms for a product). `torch.xlogy` and `torch.special.entr` know the limit 0 · log 0 = 0, but their
gradient at zero is infinite all the same: use them where none flows.
```python
import torch

def compute(p):
    return -(p * p.clamp_min(torch.finfo(p.dtype).tiny).log()).sum()

safe = torch.tensor([0.25, 0.25, 0.5])
p = torch.tensor([1.0, 0.0], requires_grad=True)
loss = compute(p)
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.births import Birth, original_births
from wellposed.rules.numerics.formulas import LOGARITHMS
from wellposed.rules.numerics.wording import birth_finding, made, number, operand_evidence
from wellposed.rules.tracing import origin

RULE = Rule(
    name="log-of-zero",
    code="N231",
    cause="unstable-function",
    summary="a logarithm is taken of zero or of a negative number",
)

_WITH_LOGARITHM = frozenset({"xlogy", "special_entr", "special_xlog1py"})
"""Functions that know 0 · log 0 = 0, but whose derivative is a logarithm all the same."""


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        if logarithm_of(birth, record) is not None:
            yield _finding(record, birth)


def logarithm_of(birth: Birth, record: Record) -> Operation | None:
    """The logarithm that the birth is about: itself, or the forward one that it differentiates; else None."""
    operation = birth.operation
    if operation.phase == "backward":
        forward = record.operation(operation.forward) if operation.forward else None
        return forward if forward is not None and forward.base in (LOGARITHMS | _WITH_LOGARITHM) else None
    return operation if operation.base in LOGARITHMS else None


def _finding(record: Record, birth: Birth) -> Finding:
    logarithm = logarithm_of(birth, record)
    assert logarithm is not None
    argument = logarithm.inputs[0] if logarithm.inputs else None
    smallest = argument.statistics.minimum if argument is not None and argument.statistics else None
    source = origin(record, argument)
    product = source is not None and source.base in ("prod", "cumprod")
    history = " (a product that underflowed)" if product else ""
    name = logarithm.base.removeprefix("special_")
    where = f"The gradient of `{name}`" if birth.operation.phase == "backward" else f"`{name}`"
    fixes = [Fix("sum logarithms instead of multiplying", "p.log().sum(dim)")] if product else []
    return birth_finding(
        RULE,
        birth,
        f"{where} meets {number(smallest)}{history}: {made(birth)} results.",
        evidence=operand_evidence(argument, "argument"),
        fixes=[
            *fixes,
            Fix("bound the argument", "x.clamp_min(torch.finfo(x.dtype).tiny).log()"),
            Fix("without gradients, use the function that knows 0 · log 0 = 0", "torch.xlogy(p, p)"),
        ],
    )
