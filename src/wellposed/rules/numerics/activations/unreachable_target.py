"""Targets that the last activation cannot reach.

## What it sees
A regression whose prediction comes straight from a bounded activation (sigmoid, tanh, ReLU, softplus) while the mean of
the targets lies outside its range, or most of their spread does. It is a root where the loss does not improve or stays
far from what the spread of the targets allows.

## Why it matters
The nearest that such a model can come is the bound, and there the derivative is zero: all outputs end at the bound, the
gradient vanishes and the loss rests at the distance.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(128, 4)
y = 3.0 + x[:, :1]
model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1), nn.Sigmoid())
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
for step in range(60):
    loss = (model(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
No activation on the output of a regression, or targets scaled into its range.
```python
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(128, 4)
y = 3.0 + x[:, :1]
model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
for step in range(60):
    loss = (model(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.findings.causes import Cause
from wellposed.record import Operand, Operation, Record
from wellposed.rules.numerics.data.unscaled_target import comparisons
from wellposed.rules.numerics.layers import producing_layer
from wellposed.rules.numerics.places import place_of_activation
from wellposed.rules.numerics.trends import loss_trend
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import SAME_VALUES, origin

RULE = Rule(
    name="unreachable-target",
    code="N227",
    cause="saturation",
    summary="the targets lie outside the range of the last activation",
)

RANGES: Final = {
    "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, math.inf), "softplus": (0.0, math.inf),
    "hardtanh": (-1.0, 1.0), "hardsigmoid": (0.0, 1.0), "_softmax": (0.0, 1.0),
}  # fmt: skip
_THROUGH = SAME_VALUES | {"squeeze", "unsqueeze", "view", "reshape"}
UNSOLVED = 0.2
"""Late loss over the first: a model that comes this far reaches its targets."""


def check(record: Record) -> Iterator[Finding]:
    trend, steps = loss_trend(record), record.gradient_steps()
    if trend is None or not steps or not trend.late > UNSOLVED * abs(trend.first):
        return
    for _, prediction, target in comparisons(record, steps[0]):
        activation = origin(record, prediction, _THROUGH)
        if activation is not None and activation.base in RANGES and _is_outside(activation, target):
            yield _finding(record, activation, target)
            return


def _is_outside(activation: Operation, target: Operand) -> bool:
    """Whether the mean of the targets, or one standard deviation on both sides of it, is out of reach."""
    low, high = RANGES[activation.base]
    values = target.statistics
    if values is None or values.nonfinite or not values.count:
        return False
    below, above = values.mean - values.standard_deviation, values.mean + values.standard_deviation
    return values.mean < low or values.mean > high or (below < low and above > high)


def _finding(record: Record, activation: Operation, target: Operand) -> Finding:
    values, trend = target.statistics, loss_trend(record)
    assert values is not None and trend is not None
    low, high = RANGES[activation.base]
    name = activation.base.strip("_")
    cause: Cause = "dead-relu" if name == "relu" else "saturation"
    return RULE.finding(
        place_of_activation(record, activation, producing_layer(record, activation)),
        f"The output is a {name}, which reaches from {number(low)} to {number(high)}; the targets lie between "
        f"{number(values.minimum)} and {number(values.maximum)} with a mean of {number(values.mean)}: the outputs "
        f"end at the "
        f"bound, and the loss goes from {number(trend.first)} to {number(trend.late)}.",
        step=activation.step,
        cause=cause,
        evidence=[
            Evidence("mean of the targets", values.mean, "", high if values.mean > high else low),
            Evidence("smallest target", values.minimum, "", low),
            Evidence("largest target", values.maximum, "", high),
        ],
        fixes=[
            Fix("no activation on the output of a regression", "return self.head(h)"),
            Fix("targets scaled into its range", "y = (y - y.min()) / (y.max() - y.min())"),
        ],
        operations=[activation.id],
    )
