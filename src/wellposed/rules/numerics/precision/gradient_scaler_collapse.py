"""Loss scale that collapses.

## What it sees
A GradScaler whose scale falls below 1, or that skips four updates in a row after it had found its scale, or every
tenth and more of the later ones. The first skipped steps, in which it looks for a scale that works, are no fault.

## Why it matters
A scaler halves its scale at each overflow. Where a gradient is NaN or infinite whatever the scale, it halves on and
on: no update is ever made, the loss stays where it was, and nothing raises an error.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
for step in range(16):
    x = torch.randn(8, 4)
    with torch.autocast("cpu", dtype=torch.float16):
        loss = (3e4 * model(x)).square().mean()
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
```

## What to do instead
Look for the operator whose gradient is not finite (it is named beside this) and compute it in float32.
```python
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
for step in range(16):
    x = torch.randn(8, 4)
    with torch.autocast("cpu", dtype=torch.float16):
        loss = model(x).float().square().mean()
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Record, Step
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import location

RULE = Rule(
    name="gradient-scaler-collapse",
    code="N253",
    cause="float16-range",
    summary="a GradScaler skips on and on, or its scale collapses",
    specificity=-2,
)

SMALLEST_SCALE = 1.0
"""Below, gradients are made smaller than they are: no scale helps any more (Micikevicius et al., arXiv 1710.03740)."""
IN_A_ROW = 4
"""Skipped updates in a row, once the scale was found."""
SETTLING = 20
"""Halvings that lie between any sensible first scale and one that works: 2^16 to 2^-4."""
LATE_SHARE = 0.1
"""Of the updates after settling. With its defaults a scaler tries a larger scale every 2000 updates."""


def check(record: Record) -> Iterator[Finding]:
    steps = [step for step in record.steps() if step.scale is not None or step.skipped]
    said = _said(steps)
    if said is None:
        return
    message, step, evidence = said
    yield RULE.finding(
        _place(record, step),
        message,
        severity="error",
        role="consequence",
        step=step.id,
        evidence=evidence,
        fixes=[
            Fix("compute the operator that overflows in float32", "with torch.autocast(device, enabled=False): ..."),
            Fix("use the range of float32", "torch.autocast(device, dtype=torch.bfloat16)  # and no GradScaler"),
        ],
    )


def _said(steps: list[Step]) -> tuple[str, Step, list[Evidence]] | None:
    """The message, the step at which it is told, the evidence."""
    skipped = [step for step in steps if step.skipped]
    if not skipped:
        return None
    counted = Evidence("updates skipped", len(skipped), f"of {len(steps)}")
    small = next((step for step in steps if step.scale is not None and step.scale < SMALLEST_SCALE), None)
    if small is not None:
        scale = Evidence("loss scale", small.scale or 0.0, "", SMALLEST_SCALE)
        return (
            f"The loss scale falls to {number(small.scale)}: no scale keeps the gradients finite.",
            small,
            [scale, counted],
        )
    run = _longest_run_after_success(steps)
    if len(run) >= IN_A_ROW:
        row = Evidence("updates skipped in a row", len(run), "", IN_A_ROW)
        return f"The GradScaler skips {len(run)} updates in a row.", run[0], [row, counted]
    late = steps[SETTLING:]
    share = sum(step.skipped for step in late) / len(late) if late else 0.0
    if share > LATE_SHARE:
        row = Evidence("share of late updates skipped", share, "", LATE_SHARE)
        first = next(step for step in late if step.skipped)
        return f"The GradScaler skips {share:.0%} of the updates.", first, [row, counted]
    return None


def _longest_run_after_success(steps: list[Step]) -> list[Step]:
    best: list[Step] = []
    current: list[Step] = []
    succeeded = False
    for step in steps:
        if step.skipped:
            current = [*current, step] if succeeded else []
        else:
            succeeded, current = True, []
        best = max(best, current, key=len)
    return best


def _place(record: Record, step: Step) -> Location:
    """Where the gradient of that step, or of the nearest recorded one before it, stopped being finite."""
    for operation in record.operations(phase="backward", nonfinite=True):
        if operation.step > step.id:
            break
        if operation.site is not None:
            return location(operation)
    return Location(phase="backward")
