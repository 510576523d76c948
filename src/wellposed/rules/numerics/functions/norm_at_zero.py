"""Gradient of a hand-written norm or distance at zero.

## What it sees
The root of a sum of squares, `x.pow(2).sum().sqrt()` or `((a - b) ** 2).sum().sqrt()`, through which gradients flow
while the sum is exactly zero: a zero vector, two equal points, a perfect prediction under a root-mean-square error.

## Why it matters
The derivative of the root is infinite there and that of the square is zero; their product is NaN, although the norm
itself has a perfectly good subgradient, 0. Pairs of equal points are common: the diagonal of a distance matrix,
padding, duplicates in a batch.

## A program that shows it
```python
import torch

def compute(a, b):
    return ((a - b) ** 2).sum(-1).sqrt().sum()

safe = (torch.tensor([[1.0, 2.0]]), torch.tensor([[0.5, 1.0]]))
a = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
loss = compute(a, torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
loss.backward()
```

## What to do instead
`torch.linalg.vector_norm` (and `F.pairwise_distance`, `torch.cdist`) has the gradient 0 at zero. Where the square
must stay, add a small number inside the root, not outside.
```python
import torch

def compute(a, b):
    return torch.linalg.vector_norm(a - b, dim=-1).sum()

safe = (torch.tensor([[1.0, 2.0]]), torch.tensor([[0.5, 1.0]]))
a = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
loss = compute(a, torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.births import original_births
from wellposed.rules.numerics.formulas import is_square, is_sum_of_squares, statistics_of, subject
from wellposed.rules.numerics.functions.sqrt_at_zero import root_at_zero
from wellposed.rules.numerics.wording import birth_finding, made, share
from wellposed.rules.tracing import origin

RULE = Rule(
    name="norm-at-zero",
    code="N239",
    cause="unstable-function",
    summary="the gradient of a hand-written norm or distance is NaN at zero",
    specificity=1,
)


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        root = root_at_zero(record, birth)
        if root is None:
            if birth.operation.phase == "backward" and subject(record, birth).base == "hypot":
                root = subject(record, birth)
            else:
                continue
        elif not is_norm(record, root):
            continue
        argument = statistics_of(root)
        evidence = []
        many = ""
        if argument is not None and root.base != "hypot":
            many = f" in {share(argument.zero, argument.count)} places"
            evidence.append(Evidence("sums of squares that are exactly 0", argument.zero, f"of {argument.count}"))
        yield birth_finding(
            RULE,
            birth,
            f"A norm or distance written by hand is exactly 0{many}, where the gradient of its root is infinite: "
            f"{made(birth)} results.",
            evidence=evidence,
            fixes=[
                Fix("use the norm that knows its subgradient", "torch.linalg.vector_norm(a - b, dim=-1)"),
                Fix("add a small number inside the root", "((a - b).pow(2).sum(-1) + 1e-12).sqrt()"),
            ],
        )


def is_norm(record: Record, root: Operation) -> bool:
    """Whether the root is taken of squares that were summed, averaged or added."""
    summed = origin(record, root.inputs[0]) if root.inputs else None
    if summed is None:
        return False
    if summed.base == "add":
        return any(is_square(record, each) for each in summed.inputs)
    return (
        summed.base in ("mse_loss", "dot", "linalg_vecdot")
        or is_sum_of_squares(record, summed)
        or is_square(record, root.inputs[0])
    )
