"""A learning rate beyond what the loss allows.

## What it sees
A run whose first step is sound (no saturated or dead layer, no values that grow over depth, a loss of ordinary size)
and whose loss then grows, is lost or never comes back below where it began, with a measured reason in the first steps:
curvature along the step beyond what gradient descent is stable for (2/η; 2(1+β)/η with momentum β), or updates as large
as the weights themselves.

## Why it matters
Gradient descent on a slope of curvature h multiplies its error by 1 − ηh at each step: beyond ηh = 2 every step
overshoots by more than it corrects, and the error grows geometrically. Adam moves every weight by about η whatever its
gradient: at 0.3 a weight of 0.05 is gone after the first step.

## A program that shows it
```python
import torch

torch.manual_seed(0)
x = torch.randn(64, 4)
y = x.sum(1, keepdim=True)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=2.5)
for step in range(25):
    loss = (model(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Take a rate below the edge; where that is far below what the rest of the model needs, warm up or normalise.
```python
import torch

torch.manual_seed(0)
x = torch.randn(64, 4)
y = x.sum(1, keepdim=True)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(25):
    loss = (model(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from wellposed.findings import Confidence, Evidence, Finding, Fix, Location, Rule, Series
from wellposed.record import Record, Step
from wellposed.rules.numerics.depth import depth_of
from wellposed.rules.numerics.harm import Harm, harm_of
from wellposed.rules.numerics.learning_rate.optimizers import Optimizer, optimizer_of
from wellposed.rules.numerics.trends import median
from wellposed.rules.numerics.wording import number

RULE = Rule(
    name="learning-rate-too-large",
    code="N216",
    cause="learning-rate",
    summary="the learning rate is beyond what the loss allows",
)

UNSOUND = 20.0
"""Gradient of the first layer over that of the last ones at the first step: no rate would suit both ends."""
EARLY = 30
"""Steps within which a rate that is too large from the start shows."""
OVERTHROWN = 0.3
"""Median over the weight matrices of update over weights: healthy is about 1e-3 (Karpathy; TheDeepChecker allows up to
0.1). With a third of each weight replaced at one step nothing that was learned is left after three."""
JUMPED = 1.5
"""Largest of the early losses over the first one."""


def check(record: Record) -> Iterator[Finding]:
    harm, used = harm_of(record), optimizer_of(record)
    if harm is None or used is None:
        return
    losses = [step for step in record.steps() if step.loss is not None]
    if not losses or losses[0].loss is None or not math.isfinite(losses[0].loss):
        return
    depth = depth_of(record, record.gradient_steps()[0]) if record.gradient_steps() else None
    if depth is not None and depth.ratio > UNSOUND and depth.fit is not None and depth.fit.factor < 1:
        return  # the first step was not sound: what is too large is the gradient
    beyond = _beyond_the_edge(record, used)
    update = _largest_median_update(record)
    jumped = _jumped(losses)
    if harm.kind == "stuck" and not (jumped or (update is not None and update[1] >= 1.0)):
        return
    if beyond is None and (update is None or update[1] < OVERTHROWN):
        return
    yield _finding(record, used, harm, losses, beyond, update)


def _beyond_the_edge(record: Record, used: Optimizer) -> tuple[int, float, float] | None:
    """Step, curvature times rate, and the edge it lies beyond; None where no early step was measured beyond it."""
    if used.edge is None:
        return None
    found = []
    for step in record.steps()[:EARLY]:
        rate = step.learning_rate or used.rate
        if step.curvature is not None and rate:
            found.append((step.id, step.curvature * rate))
    beyond = [each for each in found if each[1] > used.edge]
    return (*beyond[0], used.edge) if beyond else None


def _largest_median_update(record: Record) -> tuple[int, float] | None:
    """The early step with the largest updates, and their median over the weight matrices that did not start at zero."""
    drawn = [each for each in record.parameters() if each.initial is not None and each.initial.root_mean_square > 0]
    matrices = {each.id for each in drawn if len(each.shape) >= 2} or {each.id for each in drawn}
    best: tuple[int, float] | None = None
    for step in record.gradient_steps():
        if step > EARLY:
            break
        ratios = [
            row.update_ratio
            for row in record.parameter_steps(step=step)
            if row.parameter in matrices and row.update_ratio is not None and row.weight_rms
        ]
        value = median(ratios) if ratios else math.nan
        if not math.isnan(value) and (best is None or value > best[1]):
            best = step, value
    return best


def _jumped(losses: list[Step]) -> bool:
    first = abs(losses[0].loss or 0.0)
    early = [abs(step.loss or 0.0) for step in losses[1:EARLY]]
    return any(not math.isfinite(each) or each > JUMPED * first for each in early)


def _finding(
    record: Record,
    used: Optimizer,
    harm: Harm,
    losses: list[Step],
    beyond: tuple[int, float, float] | None,
    update: tuple[int, float] | None,
) -> Finding:
    name = used.name or "the update"
    rate = f" of {number(used.rate)}" if used.rate is not None else ""
    evidence = []
    if beyond is not None:
        step, product, edge = beyond
        reason = (
            f"the curvature along the step times the rate is {number(product)} at step {step}, beyond {number(edge)}"
        )
        evidence.append(Evidence("curvature along the step times the learning rate", product, "", edge))
    else:
        step, value = update or (0, math.nan)
        reason = f"one update is {number(value)} times as large as the weights (median over the layers, step {step})"
    if update is not None:
        evidence.append(Evidence("update over weights, median over the layers", update[1], "", OVERTHROWN))
    evidence.append(Evidence("first loss", losses[0].loss or 0.0))
    evidence.append(
        Evidence("largest early loss", max((abs(each.loss or 0.0) for each in losses[:EARLY]), default=0.0))
    )
    first = record.gradient_steps()[0] if record.gradient_steps() else 0
    early = losses[:24]
    confidence: Confidence = "certain" if beyond is not None or (update and update[1] >= 1.0) else "likely"
    return RULE.finding(
        used.where if used.where.line is not None else Location(phase="optimizer"),
        f"The learning rate{rate} of {name} is too large: {reason}, {harm.words}.",
        step=first,
        evidence=evidence,
        fixes=_fixes(used, beyond, update),
        series=[
            Series(
                "loss, step by step",
                tuple(f"step {each.id}" for each in early),
                tuple(abs(each.loss or 0.0) for each in early),
                logarithmic=True,
            )
        ],
        confidence=confidence,
        settled_by="" if confidence == "certain" else "The same run with a tenth of the learning rate.",
    )


def _fixes(used: Optimizer, beyond: tuple[int, float, float] | None, update: tuple[int, float] | None) -> list[Fix]:
    lower = 0.1
    if used.rate is not None:
        if beyond is not None:
            lower = used.rate * beyond[2] / beyond[1] / 4
        elif update is not None and update[1] > 0:
            lower = used.rate * 3e-3 / update[1]
    return [
        Fix("a smaller learning rate", f"lr={lower:.1g}" if used.rate is not None else "lr = 0.1 * lr"),
        Fix("bound the step", "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)"),
        Fix("start small", "torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, total_iters=100)"),
    ]
