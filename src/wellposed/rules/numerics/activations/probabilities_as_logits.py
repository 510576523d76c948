"""Probabilities where a loss asks for logits.

## What it sees
A cross entropy that takes logits (it holds the sigmoid or the softmax itself) and is given what has already been
through one. It is a root where the loss is harmed or stays near that of a guess; elsewhere
`probability-loss` advises against it.

## Why it matters
The second sigmoid of a number between 0 and 1 lies between 0.5 and 0.73: no answer can be better than a shrug, the loss
cannot fall below 0.31 for a right and 0.69 for a wrong one, and the gradient passes two flat activations.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 4)
y = (x[:, :1] + x[:, 1:2] > 2.0).float()
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(60):
    loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Give the loss what enters the activation; apply that for predictions alone.
```python
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 4)
y = (x[:, :1] + x[:, 1:2] > 2.0).float()
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(60):
    loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.chance import chance_of
from wellposed.rules.numerics.harm import harm_of
from wellposed.rules.numerics.layers import producing_layer
from wellposed.rules.numerics.places import place_of_activation
from wellposed.rules.numerics.trends import FEWEST_LOSSES, loss_trend
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import SAME_VALUES, line_of, origin

RULE = Rule(
    name="probabilities-as-logits",
    code="N228",
    cause="saturation",
    summary="a loss that takes logits is given probabilities",
)

NEAR_CHANCE = 0.6
"""Late loss over that of a guess: a model that learns comes well below."""
_LOSSES = ("binary_cross_entropy_with_logits", "_log_softmax")
_ACTIVATIONS = ("sigmoid", "_softmax")
_THROUGH = SAME_VALUES | {"squeeze", "unsqueeze", "view", "reshape", "transpose", "permute"}


def check(record: Record) -> Iterator[Finding]:
    trend, steps = loss_trend(record), record.gradient_steps()
    if trend is None or not steps or trend.count < FEWEST_LOSSES:
        return
    for operation in record.operations(*_LOSSES, step=steps[0], phase="forward"):
        before = origin(record, operation.inputs[0], _THROUGH) if operation.inputs else None
        if before is None or before.base not in _ACTIVATIONS or operation.call or not _is_loss(record, operation):
            continue
        chance = chance_of(record)
        rests = chance is not None and trend.late > NEAR_CHANCE * chance.loss
        if rests or harm_of(record) is not None:
            yield _finding(record, operation, before)
        return


def _is_loss(record: Record, operation: Operation) -> bool:
    if operation.base != "_log_softmax":
        return True
    return any(use.base.startswith("nll_loss") for use in record.consumers(operation.id))


def _finding(record: Record, operation: Operation, before: Operation) -> Finding:
    trend = loss_trend(record)
    assert trend is not None
    name = before.base.strip("_")
    return RULE.finding(
        place_of_activation(record, before, producing_layer(record, before)),
        f"The loss takes logits and is given what a {name} made: it is applied twice, and the loss goes from "
        f"{number(trend.first)} to {number(trend.late)}.",
        step=operation.step,
        evidence=[
            Evidence("the loss", line_of(record, operation) or operation.base),
            Evidence("median loss, last fifth of the steps", trend.late),
        ],
        fixes=[
            Fix("give the loss the logits", "return self.head(h)  # and torch.sigmoid(...) for predictions alone"),
            Fix("or a loss on probabilities", "nn.functional.binary_cross_entropy(probabilities, y)"),
        ],
        operations=[operation.id],
    )
