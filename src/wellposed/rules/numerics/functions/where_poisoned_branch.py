"""NaN gradient from a branch that was thrown away.

## What it sees
A function that is infinite, NaN or infinitely steep for some elements, whose results there are replaced afterwards
(`torch.where`, `masked_fill`, a product with a mask of zeros, `nan_to_num`), while the gradient still passes through
the function.

## Why it matters
The forward pass shows nothing: the bad values were not chosen. In the backward pass they receive the gradient zero,
and zero times an infinite derivative is NaN.

## A program that shows it
```python
import torch

def compute(x):
    return torch.where(x > 0, x.sqrt(), torch.zeros_like(x)).sum()

safe = torch.tensor([0.25, 4.0])
x = torch.tensor([-1.0, 0.0, 4.0], requires_grad=True)
loss = compute(x)
loss.backward()
```

## What to do instead
Choose the argument before the function, not the result after it.
```python
import torch

def compute(x):
    inside = torch.where(x > 0, x, torch.ones_like(x))
    return torch.where(x > 0, inside.sqrt(), torch.zeros_like(x)).sum()

safe = torch.tensor([0.25, 4.0])
x = torch.tensor([-1.0, 0.0, 4.0], requires_grad=True)
loss = compute(x)
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.births import Birth, original_births
from wellposed.rules.numerics.formulas import ELEMENTWISE, after, is_mask, subject
from wellposed.rules.numerics.wording import birth_finding, made, operand_evidence

RULE = Rule(
    name="where-poisoned-branch",
    code="N244",
    cause="unstable-function",
    summary="the gradient of a branch that was thrown away is NaN",
    specificity=5,
)

_CHOOSING = frozenset({"where", "masked_fill", "masked_scatter", "index_put", "nan_to_num", "masked_select", "index"})
_STEEP = ELEMENTWISE | {"asin", "acosh", "logit", "erfinv", "special_erfinv", "log1p", "log2", "log10", "hypot"}
_FIXES = [
    Fix("choose the argument before the function", "f(torch.where(ok, x, 1.0))  # then torch.where(ok, ..., other)"),
    Fix("compute only what is wanted", "out[ok] = f(x[ok])"),
]


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        if birth.operation.phase == "backward":
            chooser = _chooser_after_steep_function(record, birth)
            if chooser is not None:
                function = subject(record, birth)
                yield _finding(birth, function, chooser, f"`{function.base}` is infinitely steep")
        elif birth.put_aside_by is not None and not birth.matters and birth.put_aside_by.base in _CHOOSING:
            what = f"`{birth.operation.base}` makes {made(birth)} results"
            yield _finding(birth, birth.operation, birth.put_aside_by, what)


def _finding(birth: Birth, function: Operation, chooser: Operation, what: str) -> Finding:
    line = chooser.site.line if chooser.site else None
    operand = function.inputs[0] if function.inputs else None
    return birth_finding(
        RULE,
        birth,
        f"{what} that `{chooser.base}` throws away, but their gradient is 0 times infinity, NaN."
        if function is birth.operation
        else f"{what} where `{chooser.base}` throws its result away: the gradient there is 0 times infinity, NaN.",
        evidence=[
            *operand_evidence(operand, "argument"),
            *([Evidence(f"line of `{chooser.base}`", line)] if line is not None else []),
        ],
        fixes=_FIXES,
    )


def _chooser_after_steep_function(record: Record, birth: Birth) -> Operation | None:
    """What threw away the results whose gradient, exactly 0, met the function's infinite derivative."""
    function = subject(record, birth)
    if function.base not in _STEEP or not _zero_met_infinity(record, birth):
        return None
    for use in after(record, function, ELEMENTWISE):
        masks = [each for each in use.inputs if is_mask(each) and each.producer != function.id]
        if use.base in _CHOOSING or (use.base == "mul" and masks):
            return use
    return None


def _zero_met_infinity(record: Record, birth: Birth) -> bool:
    """Whether a gradient of exactly 0 came in: 0 / 0 at once, or 0 · inf within the same function's backward."""
    if birth.kind == "nan":
        return 0.0 in _met(birth.operation)
    current = [birth.operation]
    for _ in range(4):
        nearer = [each for one in current for each in record.consumers(one.id)]
        current = [each for each in nearer if each.forward == birth.operation.forward and not each.is_view]
        if any(0.0 in _met(each) for each in current):
            return True
    return False


def _met(operation: Operation) -> list[object]:
    """The values that met at the operation's first bad element."""
    return [value for name, value in operation.probes.items() if name.startswith("input ")]
