"""Weights that start too large for their fan-in.

## What it sees
Layers whose weights start with rms · sqrt(fan-in) above 3 (twice what a ReLU or a tanh asks for), and what that does in
the very first forward pass: values that grow from layer to layer, activations that saturate, a loss far above what
guessing would cost. It is a root where the run is harmed: the loss is lost, grows, does not improve, or is still above
chance when the run ends; or where the saturated layers do not learn. Elsewhere it is advice.

## Why it matters
A layer multiplies the rms of its input by about rms · sqrt(fan-in). N(0, 1) weights of fan-in 256 multiply by 16: after
two such layers a tanh is at ±1 for every sample and passes no gradient, ReLUs overflow after thirty.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
hidden = [nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh()]
model = nn.Sequential(nn.Linear(16, 64), nn.Tanh(), *hidden, nn.Linear(64, 2))
for layer in model[::2]:
    nn.init.normal_(layer.weight, std=2.0)
x = torch.randn(256, 16)
y = (x[:, 0] * x[:, 1] > 0).long()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
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
hidden = [nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh()]
model = nn.Sequential(nn.Linear(16, 64), nn.Tanh(), *hidden, nn.Linear(64, 2))
for layer in model[::2]:
    nn.init.xavier_normal_(layer.weight)
x = torch.randn(256, 16)
y = (x[:, 0] * x[:, 1] > 0).long()
optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
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
from wellposed.rules.numerics.activations import saturated_activation
from wellposed.rules.numerics.activations.saturated_activation import saturated_share
from wellposed.rules.numerics.chance import chance_of
from wellposed.rules.numerics.harm import harm_of
from wellposed.rules.numerics.initialisation.starts import LARGE, Start, activation_name, start_of
from wellposed.rules.numerics.layers import Layer, activation_after
from wellposed.rules.numerics.places import place_of_start
from wellposed.rules.numerics.trends import loss_trend
from wellposed.rules.numerics.wording import number

RULE = Rule(
    name="weights-too-large",
    code="N272",
    cause="bad-init",
    summary="weights start too large for their fan-in",
)

SATURATED = 0.5
"""Share of an activation's outputs in its flat part (SageMaker Debugger)."""
GROWN = 30.0
"""Growth of the rms over all layers; a sound start keeps it within a factor of a few (TheDeepChecker: standard
deviations of activations within [0.5, 2])."""
FEWEST_LAYERS = 6
MULTIPLIED = 30.0
EXCESS = 1.2
"""In a deep stack a little too much in each layer is a lot in all: 1.5 is 16,000 after 24 layers."""
ASTRONOMICAL = 1e3
"""The first loss over the last: what was learned is to undo the start."""
ABOVE_CHANCE = 3.0
"""The first loss over that of a guess. Sound starts lie within a tenth of it (Karpathy's check: verify the loss at
initialisation)."""


def check(record: Record) -> Iterator[Finding]:
    start = start_of(record)
    if start is None:
        return
    large = [each for each in start.layers if each.gain > LARGE and drawn(record, each)]
    if not large and start.is_plain and len(start.layers) >= FEWEST_LAYERS and start.own_growth > MULTIPLIED:
        large = [each for each in start.layers if each.gain > EXCESS * each.ideal and drawn(record, each)]
    if not large:
        return
    shown = _shows(record, start, large)
    if not shown:
        return
    harm = _harm(record) or _cripples(record)
    first = max(large, key=lambda each: each.gain) if len(large) * 2 < len(start.layers) else large[0]
    worst = first.initial
    yield RULE.finding(
        place_of_start(record, first.weight) or Location(),
        f"{len(large)} of {len(start.layers)} layers start with weights too large: {first.weight.name} has rms "
        f"{number(worst.root_mean_square if worst else None)} at a fan-in of {first.fan_in}, {number(first.gain)} "
        f"times "
        f"what keeps the variance; {shown[0].name} is {number(shown[0].value)} in the first pass, "
        f"{harm or 'though the loss improves'}.",
        severity="error" if harm else "warning",
        role="root" if harm else "advice",
        step=start.step,
        evidence=[
            Evidence("rms · sqrt(fan-in) of the weight", first.gain, "", LARGE),
            Evidence("activation that follows", activation_name(record, first)),
            Evidence("rms of the data that enters", start.input_rms),
            *shown,
        ],
        fixes=[
            Fix("scale by the fan-in", "nn.init.xavier_normal_(layer.weight)  # kaiming_normal_ before a ReLU"),
            Fix("a small embedding where it is tied to the output", "nn.init.normal_(embedding.weight, std=0.02)"),
        ],
        series=[Series("rms of what enters each layer", _names(start), tuple(start.signal()), logarithmic=True)],
    )


def drawn(record: Record, layer: Layer) -> bool:
    """Whether the weight is a draw around zero: a learned or given matrix (one-hot, a filter) is not judged."""
    initial = layer.initial
    return initial is not None and initial.count >= 4 and initial.zero * 2 < initial.count


def _shows(record: Record, start: Start, large: list[Layer]) -> list[Evidence]:
    """What the first pass shows of it, the gravest first."""
    found = []
    for layer in large:
        activation = activation_after(record, layer.operation)
        if activation is not None and saturated_share(activation) > SATURATED:
            share = min(1.0, saturated_share(activation))
            found.append(
                Evidence(f"saturated share of the {activation.base.strip('_')} after it", share, "", SATURATED)
            )
            break
    signal = start.signal()
    if len(signal) > 2 and signal[0] > 0 and signal[-1] > GROWN * signal[0]:
        found.append(Evidence("growth of the values over all layers", signal[-1] / signal[0], "", GROWN))
    chance, first = chance_of(record), _first_loss(record)
    if chance is not None and first > ABOVE_CHANCE * chance.loss:
        found.append(Evidence("first loss over that of a guess", first / chance.loss, "", ABOVE_CHANCE))
    return found


def _first_loss(record: Record) -> float:
    return next((step.loss for step in record.steps() if step.loss is not None), 0.0)


def _harm(record: Record) -> str:
    harm = harm_of(record)
    if harm is not None:
        return harm.words
    trend = loss_trend(record)
    if trend is None or not trend.first > ASTRONOMICAL * abs(trend.late):
        return ""
    return f"and the run spends its steps on coming down from a loss of {number(trend.first)} to {number(trend.late)}"


def _cripples(record: Record) -> str:
    """In words, where saturated layers do not learn though the loss improves; else empty."""
    return (
        "and the layers that saturate do not learn"
        if any(each.role == "root" for each in saturated_activation.check(record))
        else ""
    )


def _names(start: Start) -> tuple[str, ...]:
    names = [each.weight.name for each in start.layers if each.entering is not None]
    return (*names, "output")[: len(start.signal())]
