"""Gradient that spikes against its own history.

## What it sees
A gradient norm that lies far outside what the run has shown before: more than 2.5 standard deviations above its
exponential average (factor 0.97, after 25 steps of warm-up), and above 10 times the largest of the first 100 steps. It
is a root where the loss never comes back to what it was, and advice otherwise.

## Why it matters
One such update can undo thousands. What spikes once usually spikes again: an odd batch, a denominator that comes close
to zero, an optimizer whose second moment has forgotten how large gradients can be.

## A program that shows it
```python
import torch

torch.manual_seed(0)
weight = torch.nn.Parameter(torch.zeros(8))
optimizer = torch.optim.SGD([weight], lr=0.02)
for step in range(140):
    x = torch.randn(32, 8)
    y = x.sum(1) + 0.5 * torch.randn(32)
    if step == 120:
        y[3] = 1e5
    loss = (x @ weight - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Bound the norm of the gradient, and look at the batch that caused it.
```python
import torch

torch.manual_seed(0)
weight = torch.nn.Parameter(torch.zeros(8))
optimizer = torch.optim.SGD([weight], lr=0.02)
for step in range(140):
    x = torch.randn(32, 8)
    y = x.sum(1) + 0.5 * torch.randn(32)
    if step == 120:
        y[3] = 1e5
    loss = torch.nn.functional.smooth_l1_loss(x @ weight, y)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_([weight], 1.0)
    optimizer.step()
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Record, Step
from wellposed.rules.numerics.trends import median
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import location

RULE = Rule(
    name="gradient-spike",
    code="N215",
    cause="exploding-gradient",
    summary="a gradient lies far above everything the run has shown before",
    specificity=-1,
)

AVERAGE = 0.97
DEVIATIONS = 2.5
WARM_UP = 25
"""ZClip (arXiv 2504.02507): z-score on exponential averages of the norm and of its variance."""
ABOVE_FIRST = 10.0
FIRST = 100
"""Megatron-LM rejects a step whose norm is above 10 times the largest of the first 100."""
LASTING = 2.0
GIVEN_BACK = 0.5
"""A loss that stays above twice its median before the spike, and has given back half of what the run had gained, has
taken damage."""


def check(record: Record) -> Iterator[Finding]:
    steps = [step for step in record.steps() if step.gradient_norm is not None]
    found = _first_spike(steps)
    if found is None:
        return
    spike, deviations, highest = found
    before = [step.loss for step in steps if step.id < spike.id and step.loss is not None]
    after = [step.loss for step in steps if step.id > spike.id and step.loss is not None]
    usual, later = median(before[-FIRST:]), median(after[-max(5, len(after) // 5) :])
    first = before[0] if before else usual
    one_course = len(record.events("optimizer")) < 2  # players against each other have no usual loss to come back to
    lasting = one_course and len(after) >= 5 and later > max(LASTING * abs(usual), usual + GIVEN_BACK * (first - usual))
    yield RULE.finding(
        _place(record, spike),
        f"The gradient's norm jumps to {number(spike.gradient_norm)} at step {spike.id}, "
        f"{number((spike.gradient_norm or 0.0) / highest)} times the largest of the first {FIRST} steps"
        + (f", and the loss stays at {number(later)} where it was {number(usual)}." if lasting else "."),
        severity="error" if lasting else "note",
        role="root" if lasting else "advice",
        step=spike.id,
        evidence=[
            Evidence("gradient norm", spike.gradient_norm or 0.0, "", ABOVE_FIRST * highest),
            Evidence("standard deviations above its average", deviations, "", DEVIATIONS),
            Evidence("median loss before", usual),
            Evidence("median loss at the end", later if after else "the run ends here"),
        ],
        fixes=[
            Fix("bound the norm", "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)"),
            Fix("look at the batch", "if norm > 10 * usual_norm: torch.save(batch, 'odd.pt')"),
        ],
        operations=[spike.loss_operation] if spike.loss_operation else [],
    )


def _first_spike(steps: list[Step]) -> tuple[Step, float, float] | None:
    """The first spike, its deviations from the average, and the largest norm of the first steps."""
    average, variance, highest = 0.0, 0.0, 0.0
    for index, step in enumerate(steps):
        norm = step.gradient_norm
        if norm is None or not math.isfinite(norm):
            continue
        deviations = (norm - average) / math.sqrt(variance) if variance > 0 else 0.0
        if index >= WARM_UP and highest > 0 and deviations > DEVIATIONS and norm > ABOVE_FIRST * highest:
            return step, deviations, highest
        if index < FIRST:
            highest = max(highest, norm)
        if index == 0:
            average = norm
        variance = AVERAGE * variance + (1 - AVERAGE) * (norm - average) ** 2
        average = AVERAGE * average + (1 - AVERAGE) * norm
    return None


def _place(record: Record, spike: Step) -> Location:
    """Where that step's loss was made, or else any other's."""
    known = [spike.loss_operation, *(step.loss_operation for step in record.steps())]
    operation = next((found for each in known if each and (found := record.operation(each)) is not None), None)
    return location(operation) if operation is not None else Location(phase="backward")
