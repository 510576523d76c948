"""Product that underflowed to zero.

## What it sees
A product of many factors (`prod`, `cumprod`, a determinant) or an exponential that is exactly zero although none of
its factors is, where a logarithm or a division is then taken of it and the infinity or NaN reaches the loss, a
gradient or a result.

## Why it matters
Sixty probabilities of 0.02 multiply to 10⁻¹⁰², which float32 cannot hold (its smallest number is 1.4 · 10⁻⁴⁵): the
product is 0, its logarithm −inf. The sum of the sixty logarithms is −235, an ordinary number.

## A program that shows it
```python
import torch

def compute(p):
    return -p.prod().log()

safe = torch.tensor([0.5, 0.25, 0.1])
p = torch.full((60,), 0.02, requires_grad=True)
loss = compute(p)
loss.backward()
```

## What to do instead
Add logarithms instead of multiplying (`p.log().sum()`, `cumsum`, `torch.linalg.slogdet`).
```python
import torch

def compute(p):
    return -p.log().sum()

safe = torch.tensor([0.5, 0.25, 0.1])
p = torch.full((60,), 0.02, requires_grad=True)
loss = compute(p)
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.births import original_births
from wellposed.rules.numerics.formulas import LOGARITHMS, before, divisor, statistics_of, subject
from wellposed.rules.numerics.limits import format_of
from wellposed.rules.numerics.wording import birth_finding, made, number
from wellposed.rules.tracing import SAME_VALUES

RULE = Rule(
    name="underflowed-product",
    code="N249",
    cause="unstable-function",
    summary="a product or an exponential underflowed to zero before a logarithm or a division",
    specificity=1,
)

_FIXES = {
    "prod": Fix("add logarithms instead of multiplying", "p.log().sum(dim)"),
    "cumprod": Fix("add logarithms instead of multiplying", "p.log().cumsum(dim)"),
    "_linalg_det": Fix("take the logarithm of the determinant at once", "torch.linalg.slogdet(a).logabsdet"),
    "exp": Fix("stay in the logarithm", "x  # log(exp(x)) is x; a / exp(x) is a * exp(-x)"),
}
_THROUGH = SAME_VALUES | {"mul", "neg", "mean", "sum", "index", "select", "rsub"}


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        operation = subject(record, birth)
        argument = operation.inputs[0] if operation.base in LOGARITHMS and operation.inputs else divisor(operation)
        if argument is None or argument.statistics is None or not argument.statistics.zero:
            continue
        product = next((each for each in before(record, argument, _THROUGH) if _underflowed(each)), None)
        if product is None or product.output is None:
            continue
        smallest = format_of(product.output.dtype).smallest_subnormal
        factors = statistics_of(product)
        name = product.base.removeprefix("_").replace("linalg_", "linalg.")
        yield birth_finding(
            RULE,
            birth,
            f"`{name}` underflows to 0, since {product.output.dtype} holds nothing smaller than {number(smallest)}, "
            f"and `{operation.base}` of it makes {made(birth)} results.",
            evidence=[Evidence("smallest factor", factors.minimum), Evidence("factors", factors.count)]
            if factors is not None and product.base != "exp"
            else [Evidence("smallest argument", factors.minimum, "", format_of(product.output.dtype).exp_underflow)]
            if factors is not None
            else [],
            fixes=[_FIXES[product.base]],
        )


def _underflowed(operation: Operation) -> bool:
    """Whether a product is zero although no factor is, or an exponential is."""
    output, factors = operation.output, statistics_of(operation)
    if operation.base not in _FIXES or output is None or output.statistics is None or factors is None:
        return False
    if operation.base == "_linalg_det":
        # An eigenvalue of zero is no underflow: then a diagonal of the factorisation holds a zero.
        triangle = operation.outputs[1].statistics if len(operation.outputs) > 1 else None
        return output.statistics.zero > 0 and triangle is not None and triangle.smallest_nonzero > 0
    return output.statistics.zero > 0 and (operation.base == "exp" or factors.zero == 0)
