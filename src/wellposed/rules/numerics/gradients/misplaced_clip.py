"""Gradient clipped at a time when there is nothing to clip.

## What it sees
A call of `clip_grad_norm_` or `clip_grad_value_` that does not stand between `backward()` and the optimizer's `step()`,
while the gradients that the update used are larger than the limit; or one before a `GradScaler` has unscaled them, so
that the limit holds for gradients that are thousands of times too large. It is a root where the loss is lost or
does not improve, and advice where it does.

## Why it matters
Before `backward()` the gradients are those of the last step, or none at all, and what `backward()` then makes goes into
the update unbounded. Clipped while scaled, the gradient of every step is shrunk to the limit over the scale: 1 becomes
0.000015 with a scale of 65,536.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
x = torch.randn(128, 8)
y = 20 * x.sum(1, keepdim=True)
for step in range(30):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    loss.backward()
    optimizer.step()
```

## What to do instead
Clip between `backward()` and `step()`, and after `scaler.unscale_(optimizer)` where the loss is scaled.
```python
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
x = torch.randn(128, 8)
y = 20 * x.sum(1, keepdim=True)
for step in range(30):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
```
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.findings.causes import Cause
from wellposed.record import Record
from wellposed.rules.numerics.harm import Harm, harm_of
from wellposed.rules.numerics.trends import median
from wellposed.rules.numerics.wording import number
from wellposed.rules.sources import called, parsed
from wellposed.rules.statements import Turn, constant_of, turns

RULE = Rule(
    name="misplaced-clip",
    code="N282",
    cause="exploding-gradient",
    summary="the gradient is clipped before it exists, after it was used, or while it is scaled",
    specificity=1,
)

ABOVE = 1.01
"""Gradient norm over the limit from which on the limit was not kept; clip_grad_norm_ itself adds 1e-6."""
_CLIPS = ("clip_grad_norm_", "clip_grad_value_", "clip_grad_norm")
_TURNS = ("backward", "step", "unscale_")


def check(record: Record) -> Iterator[Finding]:
    norms = [step.gradient_norm for step in record.steps() if step.gradient_norm is not None]
    if not norms:
        return
    for file in record.source_files():
        tree = parsed(record.source(file) or "")
        if tree is None:
            continue
        for turn in turns(tree, _CLIPS, _TURNS):
            limit = constant_of(tree, turn.call, "max_norm", 1)
            if turn.before == "step" and turn.after == "backward":
                if limit is None or _kept(norms, limit) < 1.0:
                    yield _out_of_turn(record, file, tree, turn, limit, norms)
                    return
            elif turn.before == "backward" and turn.after == "step" and limit is not None:
                scales = [step.scale for step in record.steps() if step.scale is not None and step.scale > 1.0]
                if scales and _kept(norms, limit / min(scales)) > 0.5:
                    yield _while_scaled(record, file, turn, limit, norms, median(scales))
                    return


def _kept(norms: list[float], limit: float) -> float:
    """Share of the updates whose gradient was within the limit."""
    return sum(math.isfinite(each) and each <= ABOVE * limit for each in norms) / len(norms)


def _out_of_turn(
    record: Record, file: str, tree: ast.Module, turn: Turn, limit: float | None, norms: list[float]
) -> Finding:
    harm = harm_of(record)
    before = _stands_before(turn, tree)
    when = "before backward() makes the gradient" if before else "after step() has used the gradient"
    finite = [each for each in norms if math.isfinite(each)]
    evidence = [Evidence("largest gradient norm at an update", max(finite, default=math.inf), "", limit)]
    if limit is not None:
        evidence.append(Evidence("share of updates within the limit", _kept(norms, limit), "", 1.0))
    largest = f" updates use gradients of norm up to {number(max(finite, default=math.inf))}"
    told = (
        f"The gradient is clipped {when}: the limit{f' of {number(limit)}' if limit is not None else ''} is not kept,"
    )
    hurt = harm if harm is not None and harm.kind != "stuck" else None
    return _finding(file, turn, told + largest, hurt, evidence, record.steps()[0].id, "exploding-gradient")


def _while_scaled(record: Record, file: str, turn: Turn, limit: float, norms: list[float], scale: float) -> Finding:
    harm = harm_of(record)
    told = (
        f"The gradient is clipped at {number(limit)} while it is {number(scale)} times too large: what is left of it "
        f"after unscaling has a norm of {number(median(norms))}"
    )
    evidence = [
        Evidence("median gradient norm at an update", median(norms), "", limit),
        Evidence("loss scale", scale),
    ]
    return _finding(file, turn, told, harm, evidence, record.steps()[0].id, "learning-rate")


def _stands_before(turn: Turn, tree: ast.Module) -> bool:
    """Whether backward() follows in the same round of the loop."""
    lines = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call) and called(node) == "backward"]
    return any(line > turn.call.lineno for line in lines)


def _finding(
    file: str, turn: Turn, told: str, harm: Harm | None, evidence: list[Evidence], step: int, cause: Cause
) -> Finding:
    return RULE.finding(
        Location(file, turn.call.lineno, turn.function, phase="optimizer"),
        f"{told}, {harm.words}." if harm is not None else f"{told}; it did no harm in this run.",
        severity="error" if harm is not None else "note",
        role="root" if harm is not None else "advice",
        step=step,
        cause=cause,
        evidence=evidence,
        fixes=[
            Fix(
                "clip between backward() and step()",
                "loss.backward()\ntorch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\noptimizer.step()",
            ),
            Fix(
                "where the loss is scaled, unscale first",
                "scaler.scale(loss).backward()\nscaler.unscale_(optimizer)\n"
                "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\nscaler.step(optimizer)",
            ),
        ],
    )
