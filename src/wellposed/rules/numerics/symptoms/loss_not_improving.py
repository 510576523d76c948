"""A loss that does not improve.

## What it sees
A loss whose late median lies less than 5 % below its early median, over a run of thirty steps and more. By itself that
is advice and no fault: a run may start at its noise floor. Where a root explains it, it is the end of that root's
story.

## Why it matters
A loss that stays where guessing would put it (ln C for C classes, the variance of the targets for a squared error) says
that nothing reaches the answer: no signal forward, or no gradient back.

## A program that shows it
```python
import torch

torch.manual_seed(0)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
x = torch.randn(64, 4)
y = x[:, :1] * x[:, 1:2]
for step in range(60):
    loss = (model(x).detach() * 0 + model.bias - y + y.mean() - model.bias.detach()).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Let the prediction depend on the input, and check that a handful of samples can be learned by heart.
```python
import torch

torch.manual_seed(0)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(60):
    x = torch.randn(64, 4)
    y = x.sum(1, keepdim=True)
    loss = (model(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Record
from wellposed.rules.numerics.chance import chance_of
from wellposed.rules.numerics.trends import FLAT, full_steps, loss_trend
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import location

RULE = Rule(
    name="loss-not-improving",
    code="N203",
    cause="vanishing-gradient",
    summary="the loss does not improve",
    specificity=-2,
)

FEWEST = 30
"""Losses from which on a flat course is worth a word."""
AT_CHANCE = 0.05
"""Relative distance to the loss of a guess."""


def check(record: Record) -> Iterator[Finding]:
    trend = loss_trend(record)
    if trend is None or trend.count < FEWEST or not trend.flat or not math.isfinite(trend.late):
        return
    if len(record.events("optimizer")) > 1:
        return  # players against each other, or one model after another: their losses are no one course
    chance = chance_of(record)
    at_chance = chance is not None and abs(trend.late - chance.loss) < AT_CHANCE * chance.loss
    guess = f", the loss of a guess among {chance.classes} classes" if at_chance and chance is not None else ""
    steps = [step for step in record.steps() if step.loss is not None]
    known = (record.operation(step.loss_operation) for step in steps if step.loss_operation)
    operation = next((each for each in known if each is not None), None)
    if operation is None:
        return
    evidence = [
        Evidence("median loss, first fifth of the steps", trend.early),
        Evidence("median loss, last fifth of the steps", trend.late, "", (1 - FLAT) * trend.early),
    ]
    if chance is not None:
        evidence.append(Evidence("loss of a guess", chance.loss))
    measured = full_steps(record)
    yield RULE.finding(
        location(operation),
        f"The loss stays at {number(trend.late)}{guess} over {trend.count} steps.",
        severity="note",
        role="advice",
        step=measured[-1] if measured else steps[-1].id,
        evidence=evidence,
        fixes=[
            Fix("learn a handful of samples by heart first", "for _ in range(300): train_on(first_batch)"),
            Fix("look at what the model makes of different inputs", "model(x).std(0)  # 0: it does not see its input"),
        ],
    )
