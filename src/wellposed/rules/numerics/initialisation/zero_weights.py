"""Weights that start at zero and cannot leave it.

## What it sees
A weight that is zero before the first update and whose gradient is exactly zero at every step that was measured: it is
multiplied by another zero, in the layer before it or after it. It is a root where the loss does not improve, or where
no other weight has a gradient either.

## Why it matters
The gradient of one factor of a product is the other factor. One factor may start at zero (the output layer, the B of a
low-rank adapter, the last layer of a residual branch), two in a row stay there for ever.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1))
for layer in (model[0], model[2], model[4]):
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
x = torch.randn(64, 4)
y = (x[:, :1] > 0).float()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(15):
    loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Draw all but the last factor at random.
```python
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1))
for layer in (model[0], model[2]):
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
nn.init.zeros_(model[4].weight)
x = torch.randn(64, 4)
y = (x[:, :1] > 0).float()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(15):
    loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Parameter, ParameterStep, Record
from wellposed.rules.numerics.harm import harm_of
from wellposed.rules.numerics.places import place_of_start
from wellposed.rules.numerics.wording import share

RULE = Rule(
    name="zero-weights",
    code="N270",
    cause="bad-init",
    summary="weights start at zero in a row, and no gradient moves them",
)

STEPS_ASKED = 4
"""The first measured steps: a weight that may leave zero does so at the first."""


def check(record: Record) -> Iterator[Finding]:
    steps = record.gradient_steps()[:STEPS_ASKED]
    if not steps:
        return
    rows = [row for step in steps for row in record.parameter_steps(step=step)]
    stuck = [each for each in record.parameters() if _starts_at_zero(each) and _never_moved(each, rows)]
    if not stuck:
        return
    matrices = {each.id for each in record.parameters() if len(each.shape) >= 2}
    moving = {row.parameter for row in rows if row.parameter in matrices and _has_gradient(row)}
    harm = harm_of(record)
    if moving and harm is None:
        return
    where = place_of_start(record, stuck[0]) or Location()
    total = len({row.parameter for row in rows if row.parameter in matrices})
    yield RULE.finding(
        where,
        f"{share(len(stuck), total)} weights start at zero and their gradients are exactly zero, since each is "
        f"multiplied by another zero{', ' + harm.words if harm else ''}.",
        step=steps[0],
        evidence=[
            Evidence("weights that start at zero and have no gradient", len(stuck), f"of {total}"),
            Evidence("weights that have a gradient", len(moving), f"of {total}"),
            Evidence("the first of them", stuck[0].name),
        ],
        fixes=[
            Fix("draw all but the last factor at random", 'nn.init.kaiming_normal_(weight, nonlinearity="relu")'),
            Fix("in an adapter, only B starts at zero", "nn.init.kaiming_uniform_(A, a=5**0.5); nn.init.zeros_(B)"),
        ],
    )


def _starts_at_zero(parameter: Parameter) -> bool:
    initial = parameter.initial
    return initial is not None and len(parameter.shape) >= 2 and initial.count > 0 and initial.zero == initial.count


def _never_moved(parameter: Parameter, rows: list[ParameterStep]) -> bool:
    own = [row for row in rows if row.parameter == parameter.id and row.gradient is not None]
    return bool(own) and not any(_has_gradient(row) for row in own)


def _has_gradient(row: ParameterStep) -> bool:
    return row.gradient is not None and (row.gradient.root_mean_square > 0 or row.gradient.nonfinite > 0)
