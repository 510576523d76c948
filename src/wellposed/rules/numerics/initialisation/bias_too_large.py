"""An output bias that the exponential after it blows up.

## What it sees
The last layer's bias was set to a value above 5, and what leaves it enters an exponential (a Poisson rate, a standard
deviation, a temperature). It is a root where the first loss is above 50, or where the run
is harmed.

## Why it matters
A bias that is meant in the units of the result belongs into the logarithm: a mean count of 12 set as the bias of a log
rate starts with a rate of 160,000, and the whole run is spent on bringing it down.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 4)
count = torch.poisson(torch.full((256, 1), 12.0))
model = nn.Linear(4, 1)
nn.init.constant_(model.bias, 12.0)
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
for step in range(60):
    loss = nn.functional.poisson_nll_loss(model(x), count)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Set the bias to the logarithm of the mean.
```python
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 4)
count = torch.poisson(torch.full((256, 1), 12.0))
model = nn.Linear(4, 1)
nn.init.constant_(model.bias, 12.0**0.5 - 1)
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
for step in range(60):
    loss = nn.functional.poisson_nll_loss(model(x), count)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Parameter, Record
from wellposed.rules.numerics.harm import harm_of
from wellposed.rules.numerics.layers import producing_layer
from wellposed.rules.numerics.places import place_of_start
from wellposed.rules.numerics.trends import loss_trend
from wellposed.rules.numerics.wording import number

RULE = Rule(
    name="bias-too-large",
    code="N274",
    cause="bad-init",
    summary="an output bias starts so large that the exponential after it blows up",
)

LARGE = 5.0
"""exp(5) is 148: a rate or a scale a hundred times unit scale before anything was learned."""
HIGH = 50.0
"""A first loss this large is the exponential's: what the run does is to undo its start."""


def check(record: Record) -> Iterator[Finding]:
    trend, steps = loss_trend(record), record.gradient_steps()
    if trend is None or not steps:
        return
    harm = harm_of(record)
    if harm is None and not abs(trend.first) > HIGH:
        return
    for operation in record.operations("exp", step=steps[0], phase="forward"):
        entering = operation.inputs[0].statistics if operation.inputs else None
        layer = producing_layer(record, operation)
        if layer is None or entering is None or entering.nonfinite or not entering.mean > LARGE:
            continue
        bias = _bias_of(record, layer.weight)
        if bias is None or bias.initial is None or not bias.initial.mean > LARGE:
            continue
        words = harm.words if harm is not None else f"and the loss starts at {number(trend.first)}"
        yield RULE.finding(
            place_of_start(record, bias) or Location(),
            f"{bias.name} starts at {number(bias.initial.mean)} and enters an exponential: what comes out is "
            f"{number(math.exp(min(entering.mean, 700.0)))} before anything is learned, {words}.",
            step=operation.step,
            evidence=[
                Evidence("bias at the start", bias.initial.mean, "", LARGE),
                Evidence("mean of what enters the exponential", entering.mean),
                Evidence("first loss", trend.first),
                Evidence("median loss, last fifth of the steps", trend.late),
            ],
            fixes=[Fix("the logarithm of the mean", "nn.init.constant_(head.bias, math.log(mean_count))")],
        )
        return


def _bias_of(record: Record, weight: Parameter) -> Parameter | None:
    name = weight.name.rpartition(".")[0] + ".bias"
    return next((each for each in record.parameters() if each.name == name), None)
