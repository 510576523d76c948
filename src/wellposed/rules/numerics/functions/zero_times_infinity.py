"""Zero times infinity.

## What it sees
A product of a zero and an infinity that was put there on purpose or made elsewhere (p · log p with a masked
log-probability of −inf, a weight of 0 for a value that is infinite), where the NaN reaches the loss, a gradient or a
result.

## Why it matters
The zero is meant to silence the infinity, but 0 · inf is NaN, and so is any sum that it enters.

## A program that shows it
```python
import torch

def compute(log_p):
    return -(log_p.exp() * log_p).sum()

safe = torch.log(torch.tensor([0.25, 0.75]))
log_p = torch.tensor([0.0, float("-inf")], requires_grad=True)
loss = compute(log_p)
loss.backward()
```

## What to do instead
Replace the infinity before the product, in the forward pass and so also in the backward pass.
```python
import torch

def compute(log_p):
    finite = log_p.masked_fill(log_p == float("-inf"), 0.0)
    return -(log_p.exp() * finite).sum()

safe = torch.log(torch.tensor([0.25, 0.75]))
log_p = torch.tensor([0.0, float("-inf")], requires_grad=True)
loss = compute(log_p)
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operand, Operation, Record
from wellposed.rules.numerics.births import original_births
from wellposed.rules.numerics.formulas import subject
from wellposed.rules.numerics.wording import birth_finding, made
from wellposed.rules.tracing import producer

RULE = Rule(
    name="zero-times-infinity",
    code="N246",
    cause="unstable-function",
    summary="a zero is multiplied by an infinity",
)

_PRODUCTS = frozenset({"mul", "mm", "bmm", "addmm", "dot", "mv", "baddbmm", "addcmul"})


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        product = birth.operation
        if birth.kind != "nan" or product.base not in _PRODUCTS:
            continue
        infinite = next((each for each in product.inputs if each.statistics and each.statistics.infinite), None)
        zero = next((each for each in product.inputs if each is not infinite and _has_zero(each)), None)
        if infinite is None or infinite.statistics is None or zero is None or zero.statistics is None:
            continue
        source = _source(record, subject(record, birth), infinite)
        yield birth_finding(
            RULE,
            birth,
            f"A zero meets an infinity{source} in a product: {made(birth)} results.",
            evidence=[
                Evidence("infinities in one factor", infinite.statistics.infinite, f"of {infinite.statistics.count}"),
                Evidence("zeros in the other", zero.statistics.zero, f"of {zero.statistics.count}"),
            ],
            fixes=[
                Fix("replace the infinity before the product", "x.masked_fill(weight == 0, 0.0) * weight"),
                Fix("for p · log p of masked logits", "mask with torch.finfo(x.dtype).min instead of -inf"),
            ],
        )


def _has_zero(operand: Operand) -> bool:
    return operand.statistics is not None and operand.statistics.zero > 0


def _source(record: Record, product: Operation, infinite: Operand) -> str:
    made_by = producer(record, infinite)
    return f" from `{made_by.base.lstrip('_')}`" if made_by is not None and made_by.id != product.id else ""
