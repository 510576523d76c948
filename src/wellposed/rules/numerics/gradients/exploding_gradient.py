"""Gradient that explodes over the depth of a model.

## What it sees
The rms of each weight's gradient, first layer to last. It grows geometrically towards the input, more than 70-fold; or
it is above 1e6 anywhere. That is a root where an update as large as the weights follows and the loss is lost or does
not improve. Without harm, growth over a thousandfold is advice.

## Why it matters
Each layer multiplies the gradient by about the same factor. Above 1, the layers nearest to the input receive a
gradient many orders of magnitude larger than the last ones: no learning rate suits both.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
layers = []
for _ in range(12):
    layers += [nn.Linear(32, 32), nn.Tanh()]
model = nn.Sequential(*layers, nn.Linear(32, 1))
for layer in model[:-1:2]:
    nn.init.normal_(layer.weight, std=0.7)
x = torch.randn(64, 32)
y = x[:, :1]
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
for step in range(12):
    loss = (model(x) - y).square().mean() * 10
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Draw weights that keep the variance from layer to layer, or normalise between the layers.
```python
import torch
from torch import nn

torch.manual_seed(0)
layers = []
for _ in range(12):
    layers += [nn.Linear(32, 32), nn.Tanh()]
model = nn.Sequential(*layers, nn.Linear(32, 1))
for layer in model[:-1:2]:
    nn.init.xavier_normal_(layer.weight)
x = torch.randn(64, 32)
y = x[:, :1]
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(12):
    loss = (model(x) - y).square().mean() * 10
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.depth import Depth, depth_of, place_of_layers
from wellposed.rules.numerics.growth import followed_back, steepest
from wellposed.rules.numerics.trends import loss_trend, worst_update
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import location

RULE = Rule(
    name="exploding-gradient",
    code="N211",
    cause="exploding-gradient",
    summary="the gradient explodes over the depth of the model",
)

EXPLODED = 70.0
"""The first layer's gradient against the last's (AutoTrainer, ICSE 2021)."""
ENORMOUS = 1e6
"""A gradient this large is exploding wherever it stands (TheDeepChecker, TOSEM 2022)."""
WORTH_TELLING = 1e3
"""Growth that is mentioned though it did no harm."""
STEADY = 0.7
"""R² from which on the growth is one over depth, and not that of one odd layer."""
OVERTHROWN = 1.0
"""An update as large as the weights leaves nothing of them; healthy: a thousandth (SageMaker warns above 10)."""
TINY = 1e-3
"""A gradient that grows to less than this overthrows only weights that are as small."""
STEPS_ASKED = 5


def check(record: Record) -> Iterator[Finding]:
    trend = loss_trend(record)
    if trend is None:
        return
    worse = trend.ruined or trend.stuck or trend.late > 2.0 * max(abs(trend.first), trend.lowest)
    advice: Finding | None = None
    for step in record.gradient_steps()[:STEPS_ASKED]:
        depth = depth_of(record, step)
        if depth is None or not (grows(depth) or max(depth.sizes) > ENORMOUS):
            continue
        update = worst_update(record, step)
        if worse and update is not None and update >= OVERTHROWN and max(depth.sizes) > TINY:
            yield _finding(record, depth, update)
            return
        if advice is None and grows(depth) and depth.ratio > WORTH_TELLING:
            advice = _finding(record, depth, None)
    if advice is not None:
        yield advice


def grows(depth: Depth) -> bool:
    """Whether the gradient grows geometrically towards the input."""
    fit = depth.fit
    return fit is not None and fit.agreement >= STEADY and fit.factor < 1.0 and depth.ratio > EXPLODED


def _growth_of_values(record: Record, step: int) -> tuple[Operation, float] | None:
    """The line at which the step's loss came by its size, where that is due to growth."""
    loss = next((each.loss_operation for each in record.steps() if each.id == step), None)
    operation = record.operation(loss) if loss else None
    found = steepest(followed_back(record, operation)) if operation is not None else None
    return found if found is not None and found[1] > WORTH_TELLING else None


def _finding(record: Record, depth: Depth, update: float | None) -> Finding:
    """With the size of the update that did harm, or None for advice."""
    fit = depth.fit
    evidence = [
        Evidence("gradient rms of the first layer", depth.sizes[0], "", ENORMOUS),
        Evidence("gradient rms of the last layer", depth.sizes[-1]),
        Evidence("first over last", depth.ratio, "", EXPLODED),
        Evidence("where it grows", "within one step, over the layers, in the backward pass"),
    ]
    if fit is not None and fit.factor > 0:
        evidence.insert(3, Evidence("factor per layer, towards the input", 1.0 / fit.factor, "", 1.0))
    if update is not None:
        evidence.append(Evidence("largest update over its weights", update, "", OVERTHROWN))
    outcome = f"and the update that follows is {number(update)} times the weights" if update else "without harm so far"
    where = place_of_layers(depth) or Location(phase="backward")
    if grows(depth):
        what = f"grows from {number(depth.sizes[-1])} in the last layer to {number(depth.sizes[0])} in the first"
    else:
        what = f"reaches {number(max(depth.sizes))}"
        forward = _growth_of_values(record, depth.step)
        if forward is not None:
            where = location(forward[0])
            what += f", since the values of the forward pass grow {number(forward[1])}-fold at this line"
            evidence.append(Evidence("growth of the values at this line", forward[1], "", WORTH_TELLING))
    return RULE.finding(
        where,
        f"The gradient's rms {what}, {outcome}.",
        severity="error" if update else "note",
        role="root" if update else "advice",
        step=depth.step,
        evidence=evidence,
        fixes=[
            Fix("keep the variance", "nn.init.xavier_normal_(layer.weight)  # kaiming_normal_ before a ReLU"),
            Fix("normalise between the layers", "nn.LayerNorm(width)"),
            Fix("bound the step", "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)"),
        ],
        series=[depth.series()],
    )
