"""Mean over nothing.

## What it sees
A mean, median or loss over zero elements, a variance or standard deviation of fewer than two, a loss in which every
target is ignored: 0 / 0, where the NaN reaches the loss, a gradient or a result.

## Why it matters
A mask that selects nothing, an empty batch at the end of an epoch, a sample whose labels are all `ignore_index`: rare,
and one is enough to make every weight NaN. The default `correction=1` of `std` and `var` divides by n − 1, which is 0
for one sample.

## A program that shows it
```python
import torch

def compute(errors, positive):
    return errors[positive].mean()

safe = (torch.tensor([1.0, 2.0]), torch.tensor([True, False]))
errors = torch.tensor([1.0, 2.0], requires_grad=True)
loss = compute(errors, torch.tensor([False, False]))
loss.backward()
```

## What to do instead
Divide the sum by a count that is at least 1, or leave the term out.
```python
import torch

def compute(errors, positive):
    return errors[positive].sum() / positive.sum().clamp_min(1)

safe = (torch.tensor([1.0, 2.0]), torch.tensor([True, False]))
errors = torch.tensor([1.0, 2.0], requires_grad=True)
loss = compute(errors, torch.tensor([False, False]))
loss.backward()
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.births import original_births
from wellposed.rules.numerics.formulas import scalar, subject
from wellposed.rules.numerics.wording import birth_finding, made

RULE = Rule(
    name="mean-of-nothing",
    code="N221",
    cause="division-by-small",
    summary="a mean over no elements, or a spread of one",
    specificity=1,
)

_MEANS = frozenset({"mean", "median", "nanmean", "nanmedian", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"})
_SPREADS = frozenset({"std", "var", "std_mean", "var_mean"})
_CLASSIFICATION = frozenset({"nll_loss_forward", "nll_loss2d_forward", "nll_loss", "binary_cross_entropy"})
_FIX_MEAN = Fix("divide by a count that is at least 1", "x[mask].sum() / mask.sum().clamp_min(1)")
_FIX_SPREAD = Fix("divide by n, not by n - 1", "x.std(dim, correction=0)")
_FIX_IGNORED = Fix("skip batches without a target", "if (target != ignore_index).any(): ...")


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        operation = subject(record, birth)
        if not operation.inputs or birth.kind != "nan":
            continue
        said = _said(operation)
        if said is None:
            continue
        message, fix = said
        shape = operation.inputs[0].shape
        yield birth_finding(
            RULE,
            birth,
            f"{message}: 0 / 0, {made(birth)} results.",
            evidence=[Evidence("shape of the input", str(tuple(shape)))],
            fixes=[fix],
        )


def _said(operation: Operation) -> tuple[str, Fix] | None:
    elements = _reduced_elements(operation)
    if operation.base in _MEANS and elements == 0:
        return f"`{operation.base}` is taken over no elements at all", _FIX_MEAN
    if operation.base in _SPREADS:
        correction = scalar(operation, "correction")
        unbiased = operation.arguments.get("unbiased", True)
        lost = correction if correction is not None else 1.0 if unbiased else 0.0
        if elements - lost <= 0:
            one = "one element" if elements == 1 else f"{elements} elements"
            return f"`{operation.base}` of {one} divides by n - {lost:.0f}", _FIX_SPREAD
    if operation.base in _CLASSIFICATION:
        if elements == 0:
            return "The loss is a mean over an empty batch", _FIX_IGNORED
        weight = operation.outputs[1].statistics if len(operation.outputs) > 1 else None
        if weight is not None and weight.maximum == 0.0:
            return "The loss is a mean over targets that are all ignored", _FIX_IGNORED
    return None


def _reduced_elements(operation: Operation) -> int:
    """How many elements enter each result."""
    shape = operation.inputs[0].shape
    dims = operation.arguments.get("dim")
    if isinstance(dims, int):
        dims = [dims]
    if not isinstance(dims, list) or not dims:
        return math.prod(shape)
    return math.prod(shape[dim] for dim in dims if isinstance(dim, int) and -len(shape) <= dim < len(shape))
