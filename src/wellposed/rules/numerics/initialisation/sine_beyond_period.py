"""Sines of sines whose arguments span many periods.

## What it sees
A layer between two sines of the first forward pass whose outputs, as the second sine takes them, have an rms of several
periods. It is a root finding: what comes out is noise, whatever the loss does afterwards.

## Why it matters
A network of sines is made for arguments of unit scale from its second layer on (Sitzmann et al. 2020, arXiv 2006.09661,
section 3.2: weights uniform within sqrt(6 / fan-in) / omega, so that omega times the product has variance 1). With
arguments of 30 the output changes sign many times within the smallest step of its input: the network learns its
training points one by one and nothing of what lies between them.

## A program that shows it
```python
import torch
from torch import nn

class Sine(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.linear = nn.Linear(n_in, n_out)
        bound = (6 / n_in) ** 0.5
        nn.init.uniform_(self.linear.weight, -bound, bound)

    def forward(self, x):
        return torch.sin(30.0 * self.linear(x))

torch.manual_seed(0)
model = nn.Sequential(Sine(1, 32), Sine(32, 32), Sine(32, 32), nn.Linear(32, 1))
x = torch.linspace(-1, 1, 100)[:, None]
y = torch.sin(4 * x)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
for step in range(20):
    loss = (model(x) - y).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Divide the bound of all layers but the first by omega.
```python
import torch
from torch import nn

class Sine(nn.Module):
    def __init__(self, n_in, n_out, first=False):
        super().__init__()
        self.linear = nn.Linear(n_in, n_out)
        bound = 1 / n_in if first else (6 / n_in) ** 0.5 / 30.0
        nn.init.uniform_(self.linear.weight, -bound, bound)

    def forward(self, x):
        return torch.sin(30.0 * self.linear(x))

torch.manual_seed(0)
model = nn.Sequential(Sine(1, 32, first=True), Sine(32, 32), Sine(32, 32), nn.Linear(32, 1))
x = torch.linspace(-1, 1, 100)[:, None]
y = torch.sin(4 * x)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
for step in range(20):
    loss = (model(x) - y).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.layers import Layer, producing_layer
from wellposed.rules.numerics.places import place_of_start
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import location, origin

RULE = Rule(
    name="sine-beyond-period",
    code="N278",
    cause="bad-init",
    summary="sines of sines whose arguments span many periods: the network computes noise",
    specificity=1,
)

PERIODS: Final = 2.0
"""Rms of the argument in periods; by design it is 1 / 2π = 0.16 of one."""


def check(record: Record) -> Iterator[Finding]:
    steps = record.gradient_steps()
    if not steps:
        return
    for sine in record.operations("sin", step=steps[0], phase="forward"):
        argument = sine.inputs[0].statistics if sine.inputs else None
        if argument is None or argument.nonfinite or argument.root_mean_square < PERIODS * 2 * math.pi:
            continue
        layer = producing_layer(record, sine)
        if layer is not None and _after_a_sine(record, layer):
            yield _finding(record, sine, layer, argument.root_mean_square)
            return


def _after_a_sine(record: Record, layer: Layer) -> bool:
    made = origin(record, layer.source)
    return made is not None and made.base in ("sin", "cos")


def _finding(record: Record, sine: Operation, layer: Layer, size: float) -> Finding:
    where: Location = place_of_start(record, layer.weight) or location(sine)
    return RULE.finding(
        where,
        f"The arguments of this sine have an rms of {number(size)}, {number(size / (2 * math.pi))} periods, although "
        f"the layer's inputs are sines themselves: {layer.weight.name} is drawn too large, and the output is noise.",
        step=sine.step,
        evidence=[
            Evidence("rms of the argument", size, "radians", PERIODS * 2 * math.pi),
            Evidence("rms · sqrt(fan-in) of the weight", layer.gain),
            Evidence("fan-in", layer.fan_in),
        ],
        fixes=[Fix("divide the bound by omega", "bound = (6 / n_in) ** 0.5 / omega  # all layers but the first")],
        operations=[sine.id],
    )
