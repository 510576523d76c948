"""Softmax over nothing but masked entries.

## What it sees
A softmax (or log-softmax) with a row that is −inf throughout, because a mask left nothing in it, where the NaN reaches
the loss, a gradient or a result.

## Why it matters
The softmax of a row of −inf is 0 / 0. In attention it happens to a query that may see no key: a padded position, an
empty sequence, two masks that together leave nothing. One such row makes every gradient NaN.

## A program that shows it
```python
import torch

def compute(scores, keep):
    weights = scores.masked_fill(~keep, float("-inf")).softmax(-1)
    return weights[..., 0].sum()

safe = (torch.tensor([[1.0, 2.0]]), torch.tensor([[True, True]]))
scores = torch.tensor([[1.0, 2.0], [0.5, 0.1]], requires_grad=True)
loss = compute(scores, torch.tensor([[True, False], [False, False]]))
loss.backward()
```

## What to do instead
Leave something in every row, and set what comes of empty rows to zero afterwards; or mask with a large finite number,
which makes such a row uniform.
```python
import torch

def compute(scores, keep):
    nothing = ~keep.any(-1, keepdim=True)
    weights = scores.masked_fill(~(keep | nothing), float("-inf")).softmax(-1)
    return weights.masked_fill(nothing, 0.0)[..., 0].sum()

safe = (torch.tensor([[1.0, 2.0]]), torch.tensor([[True, True]]))
scores = torch.tensor([[1.0, 2.0], [0.5, 0.1]], requires_grad=True)
loss = compute(scores, torch.tensor([[True, False], [False, False]]))
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Record
from wellposed.rules.numerics.births import original_births
from wellposed.rules.numerics.formulas import statistics_of, subject
from wellposed.rules.numerics.wording import birth_finding, share

RULE = Rule(
    name="fully-masked-softmax",
    code="N245",
    cause="unstable-function",
    summary="a softmax is taken over entries that are all masked",
    specificity=1,
)

_SOFTMAXES = frozenset({"_softmax", "_log_softmax", "logsumexp", "_safe_softmax", "_masked_softmax"})
_FIXES = [
    Fix("leave something in every row", "mask = mask | ~mask.any(-1, keepdim=True)  # True is kept"),
    Fix("mask with a finite number", "scores.masked_fill(~mask, torch.finfo(scores.dtype).min)"),
    Fix("use attention that knows empty rows", "F.scaled_dot_product_attention(q, k, v, attn_mask=mask)"),
]


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        softmax = subject(record, birth)
        scores = statistics_of(softmax)
        if softmax.base not in _SOFTMAXES or birth.kind != "nan" or scores is None:
            continue
        if not scores.negative_infinity or scores.positive_infinity or scores.nan:
            continue
        shown = next((each.statistics for each in birth.operation.outputs if each.statistics), None)
        many = f": NaN in {share(shown.nan, shown.count)} results" if shown is not None else ""
        yield birth_finding(
            RULE,
            birth,
            f"A softmax has a row in which every score is -inf, so that nothing is left to choose from{many}.",
            evidence=[Evidence("scores that are -inf", scores.negative_infinity, f"of {scores.count}")],
            fixes=_FIXES,
        )
