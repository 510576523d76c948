"""Targets far from unit scale.

## What it sees
A regression loss (squared, absolute or smooth) whose targets have an rms above 100, in a run whose loss is lost, grows
or does not improve.

## Why it matters
A model starts with outputs of about 1. Prices of half a million have to be reached by the last bias alone, at a
learning rate per step, while the gradients of all other weights are a million times what they are made for: the run
diverges, or clipping and Adam make it crawl.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 4)
price = 4e5 + 1e5 * x.sum(1, keepdim=True)
model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(30):
    loss = nn.functional.mse_loss(model(x), price)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Predict the standardised target (or its logarithm), and turn the prediction back afterwards.
```python
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 4)
price = 4e5 + 1e5 * x.sum(1, keepdim=True)
y = (price - price.mean()) / price.std()
model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(30):
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operand, Operation, Record
from wellposed.rules.numerics.data.origins import ancestors, is_data, place_of_data
from wellposed.rules.numerics.harm import harm_of
from wellposed.rules.numerics.wording import number

RULE = Rule(
    name="unscaled-target",
    code="N295",
    cause="bad-data",
    summary="the targets of a regression are far from unit scale",
)

LARGE = 100.0
"""Rms of the targets: a last layer of ordinary weights makes outputs of about 1."""
BEYOND = 20.0
"""Rms of the targets over that of the first predictions: an output bias that starts at the targets' mean is well."""
_LOSSES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")


def check(record: Record) -> Iterator[Finding]:
    harm = harm_of(record)
    steps = record.gradient_steps()
    if harm is None or not steps:
        return
    for operation, prediction, target in comparisons(record, steps[0]):
        values, guess = target.statistics, prediction.statistics
        if values is None or values.nonfinite or not values.count or values.root_mean_square <= LARGE:
            continue
        if guess is None or values.root_mean_square < BEYOND * guess.root_mean_square:
            continue
        yield RULE.finding(
            place_of_data(record, target, operation),
            f"The targets reach from {number(values.minimum)} to {number(values.maximum)} (rms "
            f"{number(values.root_mean_square)}) while the model starts with outputs of rms "
            f"{number(guess.root_mean_square)}, {harm.words}.",
            step=operation.step,
            evidence=[
                Evidence("rms of the targets", values.root_mean_square, "", LARGE),
                Evidence("standard deviation of the targets", values.standard_deviation),
                Evidence("rms of the first predictions", guess.root_mean_square),
            ],
            fixes=[
                Fix("standardise the targets", "y = (y - y_train.mean()) / y_train.std()"),
                Fix("predict the logarithm", "y = torch.log1p(y)"),
                Fix("start at their mean", "nn.init.constant_(model[-1].bias, y_train.mean())"),
            ],
            operations=[operation.id],
        )
        return


def comparisons(record: Record, step: int) -> Iterator[tuple[Operation, Operand, Operand]]:
    """Where predictions meet targets: a loss of PyTorch's, or the difference that the loss was computed from."""
    for operation in record.operations(*_LOSSES, step=step, phase="forward"):
        if len(operation.inputs) >= 2 and is_data(record, operation.inputs[1]):
            yield operation, operation.inputs[0], operation.inputs[1]
    loss = next((each.loss_operation for each in record.steps() if each.id == step), None)
    made = record.operation(loss) if loss else None
    if made is None or not made.outputs:
        return
    for before in ancestors(record, made.outputs[0]) if made.outputs[0].producer else _before(record, made):
        if before.base == "sub" and len(before.inputs) == 2:
            for one, other in ((0, 1), (1, 0)):
                if is_data(record, before.inputs[other]) and not is_data(record, before.inputs[one]):
                    yield before, before.inputs[one], before.inputs[other]
            return


def _before(record: Record, operation: Operation) -> Iterator[Operation]:
    for operand in operation.inputs:
        yield from ancestors(record, operand)
