"""A learning rate so small that the weights stay where they began.

## What it sees
A loss that hardly moves although gradients arrive everywhere, and updates so small that all of them together cannot
have changed the weights by more than a hundredth: the median update-to-weight ratio times the number of steps.

## Why it matters
Nothing breaks and nothing warns: the loss falls, by a part in a thousand. A rate given in the wrong unit, divided once
too often, or a scheduler stepped for every batch instead of every epoch looks just like a model that cannot learn.

## A program that shows it
```python
import torch

torch.manual_seed(0)
x = torch.randn(64, 4)
y = x.sum(1, keepdim=True)
model = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-7)
for step in range(25):
    loss = (model(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Choose the rate so that an update is about a thousandth of the weights.
```python
import torch

torch.manual_seed(0)
x = torch.randn(64, 4)
y = x.sum(1, keepdim=True)
model = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
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

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Record
from wellposed.rules.numerics.chance import chance_of
from wellposed.rules.numerics.data.unscaled_target import comparisons
from wellposed.rules.numerics.harm import harm_of
from wellposed.rules.numerics.learning_rate.optimizers import Optimizer, optimizer_of
from wellposed.rules.numerics.trends import FEWEST_LOSSES, LossTrend, loss_trend, median
from wellposed.rules.numerics.wording import number
from wellposed.rules.sources import lines_calling

RULE = Rule(
    name="learning-rate-too-small",
    code="N217",
    cause="learning-rate",
    summary="the learning rate is so small that the weights stay where they began",
)

MOVED = 0.03
"""Median update over weights times the number of steps: the way that the weights can have gone, at most, in parts of
their size. Training that works replaces a tenth and more of a randomly drawn weight."""
FALLEN = 1e-2
"""Median of the learning rate over its largest: a schedule that spends most of the run below a hundredth of it, before
the loss has improved, ends the training where it began."""
HELD_BACK = 0.2
"""Largest rate of the run over that of the optimizer: a warm-up counted in epochs and stepped in batches, or the other
way round."""
SMALL_ADAPTIVE = 3e-5
"""Adam's usual rate is 1e-3, 1e-5 where a trained model is tuned further (Devlin et al. 2019 use 2e-5 to 5e-5)."""
SMALL = 1e-3
"""Of plain gradient descent, whose usual rates lie between 0.01 and 1."""
CRAWLED = 0.75
"""Last loss over the first, and over that of a guess."""
GOOD = 0.5
"""First loss over that of a guess (for a squared error, the variance of the targets)."""
VANISHED = 1e-8
"""A gradient below this per unit of loss is not the learning rate's fault."""
_SCHEDULERS = (
    "StepLR", "MultiStepLR", "ExponentialLR", "CosineAnnealingLR", "ReduceLROnPlateau", "OneCycleLR", "LambdaLR",
    "LinearLR", "PolynomialLR", "CosineAnnealingWarmRestarts", "CyclicLR",
)  # fmt: skip


def check(record: Record) -> Iterator[Finding]:
    used, trend = optimizer_of(record), loss_trend(record)
    outcome = _outcome(record, trend)
    if not outcome or used is None or trend is None:
        return
    rates = [step.learning_rate for step in record.steps() if step.learning_rate is not None]
    limit = SMALL_ADAPTIVE if used.adaptive else SMALL
    usual = median(rates) if rates else used.rate
    if usual is None or math.isnan(usual) or usual > limit:
        return
    ratio, gradient = _typical(record)
    steps = trend.count
    fell = bool(rates) and usual < FALLEN * max(rates)
    if not fell and _already_good(record, trend.first):
        return
    if math.isnan(ratio) or gradient < VANISHED * abs(trend.first) or (ratio * steps > MOVED and not fell):
        return
    held_back = bool(rates) and used.rate is not None and max(rates) < HELD_BACK * used.rate
    where = _scheduler(record, used) if fell or held_back else used.where
    what = f"falls to {number(usual)} within the run" if fell else f"is {number(usual)}"
    if held_back and used.rate is not None:
        what = f"never comes near {number(used.rate)}: a schedule keeps it at {number(max(rates))} and below"
    yield RULE.finding(
        where if where.line is not None else Location(phase="optimizer"),
        f"The learning rate {what}: an update is {number(ratio)} of the weights, {number(ratio * steps)} over all "
        f"{steps} steps, {outcome}.",
        step=record.gradient_steps()[0],
        evidence=[
            Evidence("learning rate, median over the steps", usual, "", limit),
            Evidence("update over weights, median", ratio, "", 1e-4),
            Evidence("the same times the number of steps", ratio * steps, "", MOVED),
            Evidence("gradient rms, median over the layers", gradient),
        ],
        fixes=[
            Fix("a larger learning rate", f"lr={_suggested(used, usual, ratio):.0e}"),
            Fix("step an epoch's scheduler once an epoch", "scheduler.step()  # after the loop over batches"),
        ],
        confidence="likely",
        settled_by="The same run with ten times the learning rate.",
    )


def _outcome(record: Record, trend: LossTrend | None) -> str:
    """What became of the loss, in words, where it went nowhere, or crawls down from the loss of a guess; else empty."""
    harm = harm_of(record)
    if harm is not None:
        return harm.words if harm.kind == "stuck" else ""
    chance = chance_of(record)
    if trend is None or chance is None or trend.count < FEWEST_LOSSES or not math.isfinite(trend.late):
        return ""
    crawls = trend.late > CRAWLED * trend.early and trend.late > CRAWLED * chance.loss
    return f"and the loss only falls from {number(trend.early)} to {number(trend.late)}" if crawls else ""


def _already_good(record: Record, first: float) -> bool:
    """Whether the model was trained before: small steps are what its tuning asks for."""
    chance = chance_of(record)
    if chance is not None:
        return first < GOOD * chance.loss
    compared = next(comparisons(record, record.gradient_steps()[0]), None)
    values = compared[2].statistics if compared is not None else None
    return values is not None and first < GOOD * values.standard_deviation**2


def _typical(record: Record) -> tuple[float, float]:
    """Median over steps and weight matrices of the update-to-weight ratio, and of the gradient's rms."""
    matrices = {each.id for each in record.parameters() if len(each.shape) >= 2}
    rows = [row for row in record.parameter_steps() if row.parameter in matrices and row.weight_rms]
    ratios = [row.update_ratio for row in rows if row.update_ratio is not None]
    sizes = [row.gradient.root_mean_square for row in rows if row.gradient is not None and not row.gradient.nonfinite]
    return median(ratios), median(sizes)


def _suggested(used: Optimizer, usual: float, ratio: float) -> float:
    return min(usual * 1e-3 / ratio, 1e-2 if used.adaptive else 1.0) if ratio > 0 else 1e-3


def _scheduler(record: Record, used: Optimizer) -> Location:
    """The line that makes the scheduler, where the text tells of one; else where the rate is set."""
    file = used.where.file
    lines = lines_calling(record, file, _SCHEDULERS) if file is not None else []
    return Location(file, lines[0], None, phase="optimizer") if len(lines) == 1 else used.where
