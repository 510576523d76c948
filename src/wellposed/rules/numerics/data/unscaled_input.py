"""Inputs far from unit scale.

## What it sees
Data that enters a layer with an rms above 30, or with a mean that is many times its spread and as large, in a run whose
loss is lost, grows or does not improve, or whose activations it saturates.

## Why it matters
The gradient of a weight is proportional to its input, and the curvature of the loss to its square: pixels from 0 to 255
make the loss twenty thousand times as curved as pixels from 0 to 1, so that a learning rate that suits everything else
diverges; seconds since 1970 saturate every gate and tanh; and where the columns differ by orders of magnitude, only the
largest is seen.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
pixels = torch.randint(0, 256, (256, 64)).float()
y = (pixels[:, :32].mean(1) > pixels[:, 32:].mean(1)).float().unsqueeze(1)
model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(30):
    loss = nn.functional.binary_cross_entropy_with_logits(model(pixels), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Bring each column to mean 0 and spread 1, with the statistics of the training data.
```python
import torch
from torch import nn

torch.manual_seed(0)
pixels = torch.randint(0, 256, (256, 64)).float()
y = (pixels[:, :32].mean(1) > pixels[:, 32:].mean(1)).float().unsqueeze(1)
x = (pixels - 127.5) / 74.0
model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for step in range(30):
    loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Record, Statistics
from wellposed.rules.numerics.activations import saturated_activation
from wellposed.rules.numerics.data.origins import entering, place_of_data
from wellposed.rules.numerics.harm import harm_of
from wellposed.rules.numerics.wording import number

RULE = Rule(
    name="unscaled-input",
    code="N294",
    cause="bad-data",
    summary="the data that enters the model is far from unit scale",
)

LARGE = 30.0
"""Rms of the data. LeCun et al. 1998 (Efficient BackProp, 4.3) ask for mean 0 and variance 1; pixels to 255 have an rms
of about 150, standardised data never more than a few."""

FAINT = 0.02
"""Largest magnitude of data that is too small: pixels that were divided by 255 twice reach 1/255. A first layer as
PyTorch draws it (rms · sqrt(fan-in) = 0.58) then gives all samples the same, its bias."""


def check(record: Record) -> Iterator[Finding]:
    harm = harm_of(record)
    steps = record.gradient_steps()
    if not steps:
        return
    found = saturated_activation.check(record) if harm is None else ()
    saturated = next((each for each in found if each.role == "root"), None)
    if harm is None and saturated is None:
        return
    words = harm.words if harm is not None else "and the activations after it are saturated"
    for operation, data in entering(record, steps[0]):
        values = data.statistics
        if values is None or not values.count or values.nonfinite:
            continue
        faint = harm is not None and harm.kind == "stuck" and 0.0 < values.largest_magnitude < FAINT
        if values.root_mean_square <= LARGE and not faint:
            continue
        if values.standard_deviation == 0 or _is_one_hot(values):
            continue
        yield RULE.finding(
            place_of_data(record, data, operation),
            f"The data enters the model with values from {number(values.minimum)} to {number(values.maximum)} (rms "
            f"{number(values.root_mean_square)}), far from unit scale, {words}.",
            step=operation.step,
            evidence=[
                Evidence("rms of the data", values.root_mean_square, "", FAINT if faint else LARGE),
                Evidence("smallest value", values.minimum),
                Evidence("largest value", values.maximum),
                Evidence("mean", values.mean),
                Evidence("standard deviation", values.standard_deviation),
            ],
            fixes=[
                Fix(
                    "mean 0 and spread 1, column by column",
                    "x = (x - x_train.mean(0)) / x_train.std(0).clamp(min=1e-6)",
                ),
                Fix("pixels to [0, 1], once", "images = images.float() / 255"),
            ],
            operations=[operation.id],
        )
        return


def _is_one_hot(values: Statistics) -> bool:
    return values.minimum == 0 and values.maximum == 1
