"""Gates that a bias holds shut or open.

## What it sees
A recurrent layer (LSTM, GRU) whose biases start so large that its gates are shut or open for every input: a magnitude
above 15, where a sigmoid is 3e-7 away from 0 or 1. It is a root where the loss does not improve.

## Why it matters
A gate at sigmoid(-200) lets nothing in and passes no gradient that could ever open it. Biases of a few units (a forget
gate at 1 to 3, or log of the longest delay) are what helps; without the logarithm they shut the layer for good.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
layer, head = nn.LSTM(3, 16, batch_first=True), nn.Linear(16, 2)
with torch.no_grad():
    layer.bias_ih_l0[:16] = -100.0
optimizer = torch.optim.Adam([*layer.parameters(), *head.parameters()], lr=1e-2)
for step in range(20):
    x = torch.randn(32, 10, 3)
    y = (x[:, -1, 0] > 0).long()
    loss = nn.functional.cross_entropy(head(layer(x)[0][:, -1]), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Set a forget gate's bias to 1, or to the logarithm of the delays that matter, and the input gate's to its negative.
```python
import torch
from torch import nn

torch.manual_seed(0)
layer, head = nn.LSTM(3, 16, batch_first=True), nn.Linear(16, 2)
with torch.no_grad():
    layer.bias_ih_l0[16:32] = 1.0
optimizer = torch.optim.Adam([*layer.parameters(), *head.parameters()], lr=3e-2)
for step in range(40):
    x = torch.randn(32, 10, 3)
    y = (x[:, -1, 0] > 0).long()
    loss = nn.functional.cross_entropy(head(layer(x)[0][:, -1]), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Record
from wellposed.rules.numerics.chains import RECURRENT_LAYERS
from wellposed.rules.numerics.harm import harm_of
from wellposed.rules.numerics.places import place_of_start
from wellposed.rules.numerics.wording import number

RULE = Rule(
    name="stuck-gate",
    code="N226",
    cause="saturation",
    summary="a recurrent layer's bias holds its gates shut or open",
)

LARGE = 15.0
"""sigmoid(15) is 1 - 3e-7. SageMaker Debugger calls a sigmoid saturated outside [-23, 17]; the largest bias that the
literature asks for is log(T), 7 for a thousand steps (Tallec & Ollivier, arXiv 1804.11188)."""
_CELLS = RECURRENT_LAYERS | {"LSTMCell", "GRUCell"}


def check(record: Record) -> Iterator[Finding]:
    harm = harm_of(record)
    if harm is None:
        return
    for bias in record.parameters():
        values = bias.initial
        if bias.module not in _CELLS or len(bias.shape) != 1 or values is None or values.nonfinite:
            continue
        if values.largest_magnitude > LARGE:
            yield RULE.finding(
                place_of_start(record, bias) or Location(),
                f"{bias.name} starts with values from {number(values.minimum)} to {number(values.maximum)}: the "
                f"gates are "
                f"shut or open for every input, {harm.words}.",
                step=next((step.id for step in record.steps()), 0),
                evidence=[
                    Evidence("largest magnitude of the bias", values.largest_magnitude, "", LARGE),
                    Evidence("rms of the bias", values.root_mean_square),
                ],
                fixes=[
                    Fix("a forget gate that starts at 1", "bias[hidden:2 * hidden] = 1.0"),
                    Fix("the logarithm of the delays", "bias[hidden:2 * hidden] = torch.log(delays)"),
                ],
            )
            return
