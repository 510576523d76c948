"""A sum over many terms whose size nothing divides.

## What it sees
A sum over a set (the elements of a set, time steps, neighbours, the pixels of a map) inside a model that makes its
values thirty times larger than what entered and is followed by further layers; or a product of two activations (the
scores of an attention) that grows like the square root of their width without being scaled. It is a root where the
loss is lost, grows or does not improve.

## Why it matters
A sum over n terms is up to n times as large as one of them, a dot product of width d about sqrt(d) times: all that
follows is that much off unit scale, softmaxes are one-hot, and the size changes with the size of the set.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
embed, head = nn.Sequential(nn.Linear(3, 64), nn.ReLU()), nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.SGD([*embed.parameters(), *head.parameters()], lr=0.05)
for step in range(20):
    points = torch.randn(32, 300, 3)
    pooled = embed(points).sum(1)
    loss = (head(pooled).squeeze(1) - points.norm(dim=2).mean(1)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Take the mean, or divide by the square root of the number of terms; divide scores by sqrt(d).
```python
import torch
from torch import nn

torch.manual_seed(0)
embed, head = nn.Sequential(nn.Linear(3, 64), nn.ReLU()), nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.SGD([*embed.parameters(), *head.parameters()], lr=0.05)
for step in range(20):
    points = torch.randn(32, 300, 3)
    pooled = embed(points).mean(1)
    loss = (head(pooled).squeeze(1) - points.norm(dim=2).mean(1)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.activations.saturated_activation import saturated_share
from wellposed.rules.numerics.formulas import after
from wellposed.rules.numerics.harm import Harm, harm_of
from wellposed.rules.numerics.layers import LINEAR_STEPS, layers
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import descendants, location

RULE = Rule(
    name="unscaled-sum",
    code="N276",
    cause="missing-normalisation",
    summary="a sum over many terms leaves unit scale, and nothing divides it",
)

GROWN = 30.0
"""Rms of the sum over that of its terms."""
SIZE = 20.0
"""Rms of the sum itself: far from the unit scale that layers are made for."""
UNIT = 2.0
"""Standard deviation of scores beyond which they are not at unit scale."""
ONE_HOT = 0.5
"""What `saturated_share` says of a softmax that is nearly one-hot."""
_PRODUCTS = ("bmm", "baddbmm", "mm")


def check(record: Record) -> Iterator[Finding]:
    harm = harm_of(record)
    steps = record.gradient_steps()
    if harm is None or not steps:
        return
    step = steps[0]
    used = {layer.operation.id for layer in layers(record, step)}
    for operation in record.operations("sum", *_PRODUCTS, "scatter_add", "index_add", step=step, phase="forward"):
        if operation.call or operation.id in used:
            continue
        factor = _growth(operation)
        if operation.base in _PRODUCTS:
            scores = _one_hot(record, operation)
            if scores is not None:
                yield _of_scores(operation, scores, harm)
                return
        elif factor is not None and factor > GROWN and _leads_to_layers(record, operation, used):
            yield _of_sum(operation, factor, harm)
            return


def _growth(operation: Operation) -> float | None:
    added = operation.input("source") or operation.input("src") or (operation.inputs[0] if operation.inputs else None)
    entering = added.statistics if added is not None else None
    output = operation.output.statistics if operation.output else None
    if entering is None or output is None or entering.root_mean_square <= 0 or output.root_mean_square < SIZE:
        return None
    return output.root_mean_square / entering.root_mean_square


def _leads_to_layers(record: Record, operation: Operation, used: set[int]) -> bool:
    return any(each.id in used for each in descendants(record, operation, nonfinite=False, limit=60))


def _one_hot(record: Record, operation: Operation) -> Operation | None:
    """The softmax that the product enters as it is, where that is one-hot although both factors have unit scale."""
    factors = [each.statistics.root_mean_square for each in operation.inputs if each.statistics is not None]
    if len(factors) < 2 or max(factors) > 5.0 or not operation.inputs or not operation.inputs[0].shape:
        return None
    for use in after(record, operation, LINEAR_STEPS):
        if use.base == "_softmax" and saturated_share(use) > ONE_HOT:
            scaled = use.inputs[0].statistics if use.inputs else None
            unscaled = operation.output.statistics if operation.output else None
            if scaled is None or unscaled is None or not unscaled.standard_deviation > UNIT:
                return None
            return use if 0.7 < scaled.standard_deviation / unscaled.standard_deviation < 1.4 else None
    return None


def _of_sum(operation: Operation, factor: float, harm: Harm) -> Finding:
    output = operation.output.statistics if operation.output else None
    size = output.root_mean_square if output is not None else 0.0
    return RULE.finding(
        location(operation),
        f"This sum makes its values {number(factor)} times larger (rms {number(size)}) and nothing divides it, "
        f"{harm.words}.",
        step=operation.step,
        evidence=[
            Evidence("rms of the sum over that of its terms", factor, "", GROWN),
            Evidence("rms of the sum", size, "", SIZE),
            Evidence("shape of the terms", str(operation.inputs[0].shape)),
        ],
        fixes=[
            Fix("the mean instead of the sum", "pooled = h.mean(dim=1)"),
            Fix("normalise what follows", "pooled = self.norm(h.sum(dim=1))"),
        ],
        operations=[operation.id],
    )


def _of_scores(operation: Operation, softmax: Operation, harm: Harm) -> Finding:
    width = operation.inputs[0].shape[-1]
    deviation = softmax.inputs[0].statistics.standard_deviation if softmax.inputs[0].statistics else 0.0
    return RULE.finding(
        location(operation),
        f"The scores are dot products of width {width} that nobody divided by sqrt({width}) = {number(width**0.5)}: "
        f"their "
        f"standard deviation is {number(deviation)}, the softmax over them is one-hot and passes no gradient, "
        f"{harm.words}.",
        step=operation.step,
        evidence=[
            Evidence("standard deviation of the scores", deviation, "", 1.0),
            Evidence("width of the vectors", width),
            Evidence(
                "share of the softmax's rows that hold one class", min(1.0, saturated_share(softmax)), "", ONE_HOT
            ),
        ],
        fixes=[Fix("divide by the square root of the width", "scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5")],
        operations=[operation.id],
    )
