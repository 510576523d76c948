"""A player's loss that is flat where that player loses.

## What it sees
In a program with several optimizers, a loss that is the mean of log(1 - sigmoid(score)) (or of a log-sigmoid without a
minus, or the negative of a binary cross entropy), minimised: it ends near 0, the worst value it has, while the gradient
that it sends falls to a tenth and less.

## Why it matters
The derivative of log(1 - sigmoid(s)) is -sigmoid(s): where the discriminator is sure that a sample is generated, s is
far below zero and the generator learns nothing, just when it has most to learn (Goodfellow et al. 2014, arXiv
1406.2661, section 3). The gradient vanishes although nothing is wrong with any layer.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
discriminator = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1))
for_generator = torch.optim.SGD(generator.parameters(), lr=0.01)
for_discriminator = torch.optim.Adam(discriminator.parameters(), lr=1e-2)
for step in range(80):
    real = torch.tensor([4.0, 4.0]) + 0.3 * torch.randn(64, 2)
    fake = generator(torch.randn(64, 4))
    d_loss = -(
        nn.functional.logsigmoid(discriminator(real)).mean()
        + nn.functional.logsigmoid(-discriminator(fake.detach())).mean()
    )
    for_discriminator.zero_grad()
    d_loss.backward()
    for_discriminator.step()
    g_loss = torch.log(1 - torch.sigmoid(discriminator(fake)) + 1e-8).mean()
    for_generator.zero_grad()
    g_loss.backward()
    for_generator.step()
```

## What to do instead
Maximise log sigmoid(score) instead: the same fixed point, and a gradient that is largest where the generator is worst.
```python
import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
discriminator = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1))
for_generator = torch.optim.SGD(generator.parameters(), lr=0.01)
for_discriminator = torch.optim.Adam(discriminator.parameters(), lr=1e-2)
for step in range(80):
    real = torch.tensor([4.0, 4.0]) + 0.3 * torch.randn(64, 2)
    fake = generator(torch.randn(64, 4))
    d_loss = -(
        nn.functional.logsigmoid(discriminator(real)).mean()
        + nn.functional.logsigmoid(-discriminator(fake.detach())).mean()
    )
    for_discriminator.zero_grad()
    d_loss.backward()
    for_discriminator.step()
    g_loss = -nn.functional.logsigmoid(discriminator(fake)).mean()
    for_generator.zero_grad()
    g_loss.backward()
    for_generator.step()
```
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record, Step
from wellposed.rules.numerics.trends import median
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import location, producer

RULE = Rule(
    name="saturating-loss",
    code="N283",
    cause="saturation",
    summary="a loss is flat where its player loses, and its gradient vanishes",
    specificity=1,
)

FEWEST = 20
"""Updates by a loss from which on its course is judged."""
LOST = 0.05
"""Distance of the late loss from 0: the mean chance that the discriminator gives to a generated sample."""
FADED = 0.1
"""Late gradient norm over the largest."""
_NEGATED: Final = ("binary_cross_entropy_with_logits", "binary_cross_entropy", "softplus")
"""Losses whose negative is the logarithm of 1 - sigmoid: maximising the discriminator's loss saturates the same way."""
_STEPS: Final = ("mean", "sum", "add", "view", "squeeze", "clone", "mul", "unsqueeze")


def check(record: Record) -> Iterator[Finding]:
    if len(record.events("optimizer")) < 2:
        return
    players: dict[int, list[Step]] = defaultdict(list)
    for step in record.steps():
        if step.backward_site is not None and step.loss is not None and step.gradient_norm is not None:
            players[step.backward_site.id].append(step)
    for steps in players.values():
        if len(steps) >= FEWEST and all(math.isfinite(step.loss or 0.0) for step in steps):
            logarithm = _logarithm(record, steps)
            if logarithm is not None and (found := _finding(steps, logarithm)) is not None:
                yield found


def _logarithm(record: Record, steps: list[Step]) -> Operation | None:
    """The logarithm of 1 - sigmoid (or of a sigmoid) whose mean the loss is; None where it is another loss."""
    recorded = (record.operation(step.loss_operation) for step in reversed(steps) if step.loss_operation)
    current = next((each for each in recorded if each is not None), None)
    for _ in range(8):
        if current is None:
            return None
        if current.base == "log_sigmoid_forward":
            return current
        before = producer(record, current.inputs[0]) if current.inputs else None
        if current.base == "neg" and before is not None and before.base in _NEGATED:
            return current
        if current.base == "log":
            return current if _of_sigmoid(record, current) else None
        if current.base not in _STEPS and not current.is_view:
            return None
        current = before
    return None


def _of_sigmoid(record: Record, logarithm: Operation) -> bool:
    current = producer(record, logarithm.inputs[0]) if logarithm.inputs else None
    for _ in range(4):
        if current is None or current.base == "sigmoid":
            return current is not None
        if current.base not in ("rsub", "sub", "add", "clamp", "clamp_min") or not current.inputs:
            return False
        current = producer(record, current.inputs[-1])
    return False


def _finding(steps: list[Step], logarithm: Operation) -> Finding | None:
    losses = [step.loss or 0.0 for step in steps]
    norms = [step.gradient_norm or 0.0 for step in steps]
    fifth = max(5, len(steps) // 5)
    late, gradient, largest = median(losses[-fifth:]), median(norms[-fifth:]), max(norms)
    if max(losses) > 0 or not -LOST < late <= 0 or not gradient < FADED * largest:
        return None
    return RULE.finding(
        location(logarithm),
        f"This loss is minimised, and ends at {number(late)}, the worst it can be: there its slope is 0, and its "
        f"gradient falls from {number(largest)} to {number(gradient)}, so that its player cannot recover.",
        step=steps[-1].id,
        evidence=[
            Evidence("median loss, last fifth of its steps", late, "", -LOST),
            Evidence("largest gradient norm", largest),
            Evidence("median gradient norm, last fifth", gradient, "", FADED * largest),
        ],
        fixes=[
            Fix("the loss that does not saturate", "g_loss = -F.logsigmoid(discriminator(fake)).mean()"),
            Fix("a discriminator that is less sure", "target = 0.9 * torch.ones(n, 1)  # one-sided label smoothing"),
        ],
        operations=[logarithm.id],
    )
