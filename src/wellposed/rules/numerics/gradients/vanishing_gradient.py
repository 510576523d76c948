"""Gradient that vanishes over the depth of a model.

## What it sees
The rms of each weight's gradient, first layer to last. It falls geometrically towards the input, to less than a
thousandth; or it is tiny everywhere, below 1e-7 of the loss. That is a root where the loss does not improve (the
median of its last fifth against that of its first), and advice where it does.

## Why it matters
The derivative of a sigmoid is at most 1/4, that of a saturated tanh is near 0: each such layer multiplies the gradient
by a factor below 1, and eight of them leave a millionth. The first layers stay what they were at random, and the last
ones learn from features that mean nothing.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
layers = [nn.Linear(8, 16), nn.Sigmoid()]
for _ in range(6):
    layers += [nn.Linear(16, 16), nn.Sigmoid()]
model = nn.Sequential(*layers, nn.Linear(16, 2))
x = torch.randn(128, 8)
y = (x[:, 0] * x[:, 1] > 0).long()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Use an activation whose derivative is 1 over half of its range, and weights drawn for it; or residual connections, or
normalisation between the layers.
```python
import torch
from torch import nn

torch.manual_seed(0)
layers = [nn.Linear(8, 16), nn.ReLU()]
for _ in range(6):
    layers += [nn.Linear(16, 16), nn.ReLU()]
model = nn.Sequential(*layers, nn.Linear(16, 2))
for layer in model[:-1:2]:
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
x = torch.randn(128, 8)
y = (x[:, 0] * x[:, 1] > 0).long()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.findings.causes import Cause
from wellposed.record import Record
from wellposed.rules.numerics.depth import (
    SATURATED,
    Depth,
    depth_of,
    place_of_activation,
    place_of_layers,
    squashing,
)
from wellposed.rules.numerics.gradient_flow import way_to
from wellposed.rules.numerics.layers import first_uses
from wellposed.rules.numerics.places import line_to_change
from wellposed.rules.numerics.trends import LossTrend, loss_trend, median
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import line_of

RULE = Rule(
    name="vanishing-gradient",
    code="N210",
    cause="vanishing-gradient",
    summary="the gradient vanishes over the depth of the model",
)

VANISHED = 1e-3
"""The first layer's gradient against the last's (AutoTrainer, ICSE 2021, which also asks for the next)."""
SMALL = 1e-4
"""Of the first layer's gradient."""
TINY = 1e-7
"""Mean gradient below which nothing is learned (SageMaker Debugger), here per unit of loss."""
STEADY = 0.7
"""R² from which on the fall is one over depth, and not that of one odd layer."""
MOSTLY = 0.4
"""Share of the fall (of its logarithm) that one line has to account for."""
STEPS_ASKED = 5


def check(record: Record) -> Iterator[Finding]:
    trend = loss_trend(record)
    if trend is None:
        return
    found = [depth for step in record.gradient_steps()[:STEPS_ASKED] if (depth := depth_of(record, step)) is not None]
    if not found:
        return
    falling = [depth for depth in found if falls(depth)]
    tiny = [depth for depth in found if median(depth.sizes) < TINY * abs(trend.first)]
    if 2 * len(falling) > len(found):
        yield _finding(record, falling[0], trend)
    elif 2 * len(tiny) > len(found) and trend.stuck:
        yield _finding(record, tiny[0], trend)


def falls(depth: Depth) -> bool:
    """Whether the gradient shrinks geometrically towards the input."""
    fit = depth.fit
    return (
        fit is not None
        and fit.agreement >= STEADY
        and fit.factor > 1.0
        and depth.ratio < VANISHED
        and depth.sizes[0] < SMALL
    )


def _steepest(record: Record, depth: Depth) -> Location | None:
    """The line on which the gradient loses most on its way to the first weight; None where no line stands out."""
    first = next((each for each in first_uses(record, depth.step) if each.weight.id == depth.weights[0].id), None)
    if first is None:
        return None
    lost: dict[tuple[str | None, int | None], float] = defaultdict(float)
    places: dict[tuple[str | None, int | None], Location] = {}
    for passage in way_to(record, first.operation):
        if 0 < passage.factor < math.inf:
            where = line_to_change(record, passage.forward)
            lost[where.file, where.line] += math.log(passage.factor)
            places.setdefault((where.file, where.line), where)
    if not lost:
        return None
    worst = min(lost, key=lambda each: lost[each])
    whole = math.log(depth.ratio) if depth.ratio > 0 else math.log(VANISHED)
    if worst[1] is None or lost[worst] > MOSTLY * whole:
        return None
    return replace(places[worst], phase="backward")


def _finding(record: Record, depth: Depth, trend: LossTrend) -> Finding:
    between = squashing(record, depth.step)
    where = _steepest(record, depth) or place_of_activation(record, between)
    where = where or place_of_layers(depth) or Location(phase="backward")
    cause: Cause = "saturation" if between.saturated > SATURATED else "vanishing-gradient"
    fit = depth.fit
    through = f" through {len(between.operations)} `{between.name}`s" if between.name else ""
    outcome = "and the loss does not improve" if trend.stuck else "though the loss improves"
    evidence = [
        Evidence("gradient rms of the first layer", depth.sizes[0], "", SMALL),
        Evidence("gradient rms of the last layer", depth.sizes[-1]),
        Evidence("first over last", depth.ratio, "", VANISHED),
        Evidence("median loss, first fifth of the steps", trend.early),
        Evidence("median loss, last fifth of the steps", trend.late),
    ]
    if fit is not None and fit.factor > 0:
        evidence.insert(3, Evidence("factor per layer, towards the input", 1.0 / fit.factor, "", 1.0))
    if between.operations:
        first = between.operations[0]
        evidence.append(Evidence("activation between the layers", f"{between.name}: {line_of(record, first)}"))
        evidence.append(Evidence("largest share of saturated outputs", between.saturated, "", SATURATED))
    return RULE.finding(
        where,
        f"The gradient's rms falls from {number(depth.sizes[-1])} in the last layer to {number(depth.sizes[0])} in the "
        f"first{through}, {outcome}.",
        severity="error" if trend.stuck else "note",
        role="root" if trend.stuck else "advice",
        step=depth.step,
        cause=cause,
        evidence=evidence,
        fixes=[
            Fix("an activation that passes gradients on", "nn.ReLU()  # with nn.init.kaiming_normal_(layer.weight)"),
            Fix("a path around each layer", "x = x + layer(x)"),
            Fix("normalise between the layers", "nn.LayerNorm(width)"),
        ],
        series=[depth.series()],
    )
