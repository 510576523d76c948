"""Weights that start too small for their fan-in.

## What it sees
Layers whose weights start with rms · sqrt(fan-in) below 0.25, and a first forward pass in which the values shrink from
layer to layer, to less than a hundredth over all of them. It is a root where the loss does not improve.

## Why it matters
Each layer multiplies the rms of its input by about rms · sqrt(fan-in), and the gradient on its way back by the same:
with 0.1 for each of six layers a millionth of the signal arrives. The output is constant and the first layers get no
gradient worth the name.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
layers = []
for width in (8, 32, 32, 32):
    layers += [nn.Linear(width, 32), nn.ReLU()]
model = nn.Sequential(*layers, nn.Linear(32, 2))
for layer in model[::2]:
    nn.init.normal_(layer.weight, std=1e-3)
    nn.init.zeros_(layer.bias)
x = torch.randn(128, 8)
y = (x[:, 0] * x[:, 1] > 0).long()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Scale the weights by the fan-in and by the activation that follows.
```python
import torch
from torch import nn

torch.manual_seed(0)
layers = []
for width in (8, 32, 32, 32):
    layers += [nn.Linear(width, 32), nn.ReLU()]
model = nn.Sequential(*layers, nn.Linear(32, 2))
for layer in model[::2]:
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
x = torch.randn(128, 8)
y = (x[:, 0] * x[:, 1] > 0).long()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Location, Rule, Series
from wellposed.record import Record
from wellposed.rules.numerics.harm import harm_of
from wellposed.rules.numerics.initialisation.starts import SMALL, Start, activation_name, start_of
from wellposed.rules.numerics.initialisation.weights_too_large import drawn
from wellposed.rules.numerics.places import place_of_start
from wellposed.rules.numerics.wording import number

RULE = Rule(
    name="weights-too-small",
    code="N273",
    cause="bad-init",
    summary="weights start too small for their fan-in",
)

SHRUNK = 1e-2
"""Rms after all layers over that of the input; sound starts keep it within a factor of a few."""
FEWEST = 2
"""One small layer (an output that starts near zero) is a common choice."""


def check(record: Record) -> Iterator[Finding]:
    start, harm = start_of(record), harm_of(record)
    if start is None or harm is None or harm.kind != "stuck":
        return
    small = [each for each in start.layers if 0 < each.gain < SMALL * each.ideal and drawn(record, each)]
    signal = start.signal()
    spread = _deviations(start)
    if len(small) < FEWEST or 2 * len(small) < len(start.layers) or len(signal) < 3 or not spread:
        return
    left = min(spread) / spread[0] if spread[0] > 0 else 0.0
    if not left < SHRUNK:
        return
    first = small[0]
    yield RULE.finding(
        place_of_start(record, first.weight) or Location(),
        f"{len(small)} of {len(start.layers)} layers start with weights too small: {first.weight.name} has rms "
        f"{number(first.initial.root_mean_square if first.initial else None)} at a fan-in of {first.fan_in}, "
        f"{number(first.gain)} of what keeps the variance; of what enters, {number(left)} is left after all layers, "
        f"{harm.words}.",
        step=start.step,
        evidence=[
            Evidence("rms · sqrt(fan-in) of the weight", first.gain, "", SMALL),
            Evidence("activation that follows", activation_name(record, first)),
            Evidence("variation that is left after all layers", left, "of its first", SHRUNK),
        ],
        fixes=[
            Fix("scale by the fan-in", 'nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")'),
            Fix("normalise between the layers", "nn.LayerNorm(width)"),
        ],
        series=[
            Series(
                "rms of what enters each layer", tuple(map(str, range(len(signal)))), tuple(signal), logarithmic=True
            )
        ],
    )


def _deviations(start: Start) -> list[float]:
    """Spread of what enters each layer and of the output: a bias adds size, no signal."""
    sizes = [each.entering.standard_deviation for each in start.layers if each.entering is not None]
    last = start.layers[-1].leaving
    return [*sizes, last.standard_deviation] if last is not None else sizes
