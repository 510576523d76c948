"""Inverse function at the edge of its domain.

## What it sees
`acos`, `asin`, `atanh`, `acosh`, `erfinv` or `logit` of a number at or beyond the edge of the domain: NaN or infinity
in the forward pass, or an infinite derivative in the backward pass.

## Why it matters
A cosine computed as a product of unit vectors is 1.0000001 as often as 0.9999999: beyond 1 `acos` is NaN, at 1 its
derivative is infinite. `tanh(x)` is exactly 1 above 9.0 in float32, so `atanh` of it is infinite.

## A program that shows it
```python
import torch

def compute(cosine):
    return torch.acos(cosine).sum()

safe = torch.tensor([0.5, -0.25])
cosine = torch.tensor([1.0, 0.5], requires_grad=True)
loss = compute(cosine)
loss.backward()
```

## What to do instead
Stay inside the domain by more than the rounding error, or use a formula that is smooth there: `atan2` for angles, the
value before `tanh` or `sigmoid` in place of its inverse.
```python
import torch

def compute(cosine):
    return torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6)).sum()

safe = torch.tensor([0.5, -0.25])
cosine = torch.tensor([1.0, 0.5], requires_grad=True)
loss = compute(cosine)
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Record
from wellposed.rules.numerics.births import original_births
from wellposed.rules.numerics.formulas import SHIFTED, before, statistics_of, subject
from wellposed.rules.numerics.wording import birth_finding, made, number

RULE = Rule(
    name="inverse-function-at-edge",
    code="N243",
    cause="unstable-function",
    summary="an inverse function is evaluated at or beyond the edge of its domain",
)

_DOMAINS = {
    "acos": (-1.0, 1.0),
    "asin": (-1.0, 1.0),
    "atanh": (-1.0, 1.0),
    "erfinv": (-1.0, 1.0),
    "special_erfinv": (-1.0, 1.0),
    "logit": (0.0, 1.0),
    "special_ndtri": (0.0, 1.0),
    "acosh": (1.0, float("inf")),
}
_ANGLES = [
    Fix("stay inside by more than the rounding error", "x.clamp(-1 + 1e-6, 1 - 1e-6).acos()"),
    Fix("an angle without acos", "2 * torch.atan2((u - v).norm(dim=-1), (u + v).norm(dim=-1))"),
]


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        function = subject(record, birth)
        domain = _DOMAINS.get(function.base)
        argument = statistics_of(function)
        if domain is None or argument is None:
            continue
        at_low = argument.minimum <= domain[0]
        edge, value = (domain[0], argument.minimum) if at_low else (domain[1], argument.maximum)
        beyond = value < domain[0] or value > domain[1]
        backward = birth.operation.phase == "backward"
        what = f"The gradient of `{function.base}` meets" if backward else f"`{function.base}` meets"
        where = f"outside its domain [{number(domain[0])}, {number(domain[1])}]" if beyond else "the edge of its domain"
        inverse = next(
            (each.base for each in before(record, function.inputs[0], SHIFTED) if each.base in _UNDONE), None
        )
        fixes = list(_ANGLES) if function.base in ("acos", "asin") else []
        if inverse is not None:
            fixes.insert(0, Fix(f"keep the value before `{inverse}`", f"x  # {function.base}({inverse}(x)) is x"))
        elif not fixes:
            fixes = [Fix("stay inside by more than the rounding error", "x.clamp(low + 1e-6, high - 1e-6)")]
        yield birth_finding(
            RULE,
            birth,
            f"{what} {_precisely(value)}, {where}: {made(birth)} results.",
            evidence=[Evidence("argument nearest to the edge", value, "", edge)],
            fixes=fixes,
        )


_UNDONE = ("tanh", "sigmoid", "cos", "sin", "erf", "special_ndtr")


def _precisely(value: float) -> str:
    """Enough digits to tell 1.0000001 from 1."""
    return f"{value:.8g}"
