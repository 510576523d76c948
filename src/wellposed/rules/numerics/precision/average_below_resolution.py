"""A moving average that its dtype cannot move.

## What it sees
An exponential moving average kept in float16 or bfloat16 (averaged weights, a target network, running statistics, the
moments of an optimizer) whose share of new values per step is below what the dtype can resolve: x · (1 − w) + y · w, or
`lerp`, with w under its spacing.

## Why it matters
bfloat16 holds eight bits: next to 1 it knows 1.0078 and nothing between. An average that should move by 0.1 % of the
difference rounds back to where it was, at every step. It stops at a distance of about spacing / (2 w) of its own size,
or never moves at all: Adam's second moment with β2 = 0.999 keeps the largest gradients it ever saw.

## A program that shows it
```python
import torch

torch.manual_seed(0)
weight = torch.randn(256)
average = torch.zeros(256, dtype=torch.bfloat16) + 1.0
for step in range(50):
    average.lerp_(weight.to(average.dtype), 0.001)
```

## What to do instead
Keep averages in float32, whatever the dtype of what is averaged.
```python
import torch

torch.manual_seed(0)
weight = torch.randn(256)
average = torch.zeros(256) + 1.0
for step in range(50):
    average.lerp_(weight.to(average.dtype), 0.001)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Event, Record
from wellposed.rules.numerics.limits import FORMATS
from wellposed.rules.numerics.precision.averages import Average, averages
from wellposed.rules.numerics.wording import number
from wellposed.rules.sources import line_that_sets

RULE = Rule(
    name="average-below-resolution",
    code="N255",
    cause="low-precision-update",
    summary="a moving average is kept in a dtype that cannot resolve its steps",
    specificity=1,
)

STALLED = 0.25
"""spacing / (2 w): the relative distance at which the average stops following. Round to nearest drops what is below
half a spacing (IEEE 754)."""
_LOW = ("float16", "bfloat16")


def check(record: Record) -> Iterator[Finding]:
    told: set[tuple[str | None, int | None]] = set()
    for average in averages(record):
        distance = FORMATS[average.dtype].epsilon / (2 * average.share) if average.dtype in _LOW else 0.0
        where = average.where
        if distance >= STALLED and (where.file, where.line) not in told:
            told.add((where.file, where.line))
            yield _finding(average, distance)
    yield from _moments(record)


def _finding(average: Average, distance: float) -> Finding:
    spacing = FORMATS[average.dtype].epsilon
    return RULE.finding(
        average.where,
        f"An average in {average.dtype} takes in {number(average.share)} of the new values at each step, where the "
        f"dtype "
        f"resolves {number(spacing)} of a value: it stops {number(min(1.0, distance))} of its size away from what it "
        "should follow.",
        step=average.step,
        evidence=[
            Evidence("share of new values per step", average.share, "", spacing / 2 / STALLED),
            Evidence(f"relative spacing of {average.dtype}", spacing),
            Evidence("relative distance at which it stops", distance, "", STALLED),
        ],
        fixes=[
            Fix("keep the average in float32", "average = copy.deepcopy(model).float()"),
            Fix("round at random where memory forbids it", "average.add_(w * (new - average) + noise * spacing)"),
        ],
        operations=[average.operation.id],
    )


def _moments(record: Record) -> Iterator[Finding]:
    """PyTorch's own optimizers on weights of low precision keep their moments in it too."""
    state: Event | None = next(iter(record.events("optimizer-state")), None)
    made: Event | None = next(iter(record.events("optimizer")), None)
    if state is None or made is None:
        return
    kept = state.details.get("state")
    dtype = kept.get("exp_avg_sq") if isinstance(kept, dict) else None
    betas = made.details.get("betas")
    decay = betas[1] if isinstance(betas, list) and len(betas) > 1 and isinstance(betas[1], float) else 0.0
    if dtype not in _LOW or not 0 < decay < 1:
        return
    distance = FORMATS[dtype].epsilon / (2 * (1 - decay))
    if distance < STALLED:
        return
    where = line_that_sets(record, made.site, "betas") or Location()
    yield RULE.finding(
        where,
        f"{made.details.get('class', 'The optimizer')} keeps its second moment in {dtype}, where a decay by "
        f"{number(1 - decay)} per step is below the spacing of {number(FORMATS[dtype].epsilon)}: it never forgets its "
        "largest gradients.",
        severity="warning",
        role="advice",
        step=state.step,
        evidence=[
            Evidence("decay per step, 1 - beta2", 1 - decay, "", FORMATS[dtype].epsilon / 2),
            Evidence("dtype of the second moment", dtype),
        ],
        fixes=[Fix("float32 weights and state", "model.float()  # with torch.autocast for the forward pass")],
    )
