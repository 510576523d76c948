"""Units that start alike and stay alike.

## What it sees
A layer all of whose units have the same weights before the first update, followed by a layer that weighs them all the
same: nothing tells one unit from another, in the forward pass or in the gradient.

## Why it matters
Units with the same weights on both sides get the same gradient at every step. However wide the layer, it computes what
a single unit would: the symmetry is never broken.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
for layer in (model[0], model[2]):
    nn.init.constant_(layer.weight, 0.1)
    nn.init.zeros_(layer.bias)
x = torch.randn(64, 4)
y = x[:, :1] * x[:, 1:2]
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(20):
    loss = (model(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Draw weights at random; a constant suits biases and scales.
```python
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
for layer in (model[0], model[2]):
    nn.init.xavier_normal_(layer.weight)
    nn.init.zeros_(layer.bias)
x = torch.randn(64, 4)
y = x[:, :1] * x[:, 1:2]
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(20):
    loss = (model(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Operand, Record, Statistics
from wellposed.rules.numerics.harm import harm_of
from wellposed.rules.numerics.layers import Layer, first_uses
from wellposed.rules.numerics.places import place_of_start
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import producer

RULE = Rule(
    name="identical-units",
    code="N271",
    cause="bad-init",
    summary="all units of a layer start alike, and nothing ever tells them apart",
)

FEWEST_UNITS = 3
"""Two units that start alike may be meant."""
SAME = 1e-6
"""Spread of a constant matrix over its size."""


def check(record: Record) -> Iterator[Finding]:
    steps = record.gradient_steps()
    if not steps:
        return
    used = first_uses(record, steps[0])
    alike = [
        layer
        for layer, following in itertools.pairwise(used)
        if _units_alike(layer) and _weighs_alike(following) and following.fan_in % layer.weight.shape[0] == 0
    ]
    trained = {row.parameter for row in record.parameter_steps(step=steps[0]) if row.gradient is not None}
    alike = [layer for layer in alike if layer.weight.id in trained]
    if not alike:
        yield from _factors(record, steps[0], trained)
        return
    first, harm = alike[0], harm_of(record)
    value = first.weight.initial.mean if first.weight.initial is not None else 0.0
    yield RULE.finding(
        place_of_start(record, first.weight) or Location(),
        f"All {first.weight.shape[0]} units of {first.weight.name.rpartition('.')[0] or first.weight.name} start with "
        f"the same weights ({number(value)}), and the next layer weighs them all alike: they stay one unit"
        f"{', ' + harm.words if harm else ''}.",
        step=steps[0],
        evidence=[
            Evidence("different units", first.weight.distinct_units or 1, f"of {first.weight.units} compared", 2),
            Evidence("layers of which that is true", len(alike), f"of {len(used)}"),
        ],
        fixes=[Fix("draw weights at random", "nn.init.xavier_normal_(layer.weight)  # kaiming_normal_ before a ReLU")],
    )


def _factors(record: Record, step: int, trained: set[int]) -> Iterator[Finding]:
    """Two constant matrices whose rows are multiplied and summed: their columns get the same gradient, and the product
    keeps the rank 1 that it starts with."""
    constant = {
        each.name: each
        for each in record.parameters()
        if each.id in trained and len(each.shape) == 2 and each.shape[1] >= FEWEST_UNITS and _is_constant(each.initial)
    }
    for operation in record.operations("mul", "mm", "bmm", step=step, phase="forward") if len(constant) > 1 else ():
        names = {_matrix(record, each) for each in operation.inputs} - {""}
        if len(operation.inputs) != 2 or len(names) != 2 or not names <= constant.keys():
            continue
        if operation.base == "mul" and not any(each.base == "sum" for each in record.consumers(operation.id)):
            continue
        first, other = (constant[name] for name in sorted(names))
        value = first.initial.mean if first.initial is not None else 0.0
        yield RULE.finding(
            place_of_start(record, first) or Location(),
            f"All {first.shape[1]} columns of {first.name} and of {other.name} start with the same values "
            f"({number(value)}) and are weighed alike: they stay one factor, the product keeps rank 1.",
            step=step,
            evidence=[
                Evidence("different columns", 1, f"of {first.shape[1]}", 2),
                Evidence("spread of the values", first.initial.standard_deviation if first.initial else 0.0),
            ],
            fixes=[Fix("draw both at random", "nn.Parameter(0.1 * torch.randn(n, k))")],
            operations=[operation.id],
        )
        return


def _matrix(record: Record, operand: Operand) -> str:
    """The parameter that an operand's values were picked from; empty where they come from elsewhere."""
    made = producer(record, operand)
    if made is None or made.base not in ("index", "embedding", "index_select", "gather"):
        return operand.label
    return made.inputs[0].label if made.inputs else ""


def _units_alike(layer: Layer) -> bool:
    weight = layer.weight
    alike = weight.distinct_units == 1 and (weight.units or 0) >= FEWEST_UNITS
    return (alike or _constant(layer)) and not _zero(layer)


def _weighs_alike(layer: Layer) -> bool:
    return _constant(layer) and not _zero(layer)


def _constant(layer: Layer) -> bool:
    return layer.weight.shape[0] * layer.fan_in >= FEWEST_UNITS and _is_constant(layer.weight.initial)


def _is_constant(initial: Statistics | None) -> bool:
    return initial is not None and initial.standard_deviation <= SAME * max(initial.largest_magnitude, 1e-30)


def _zero(layer: Layer) -> bool:
    initial = layer.weight.initial
    return initial is not None and initial.zero == initial.count
