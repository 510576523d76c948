"""Gradients that underflow in float16.

## What it sees
Gradients computed in float16, without a GradScaler, of which more than a twentieth are lost: rounded to zero, or in
the subnormal range where digits go missing. It is a root where most are lost and the loss does not improve or a
weight's gradient is zero throughout, and advice elsewhere.

## Why it matters
float16 has nothing below 6e-8, and gradients are small: dividing a loss by the number of elements is enough. What is
rounded to zero is not learned from, without any error.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 16))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x = torch.randn(256, 16)
for step in range(15):
    with torch.autocast("cpu", dtype=torch.float16):
        loss = (model(x) - x).float().square().mean() * 1e-4
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Scale the loss up before `backward()` and the gradients down after it, which is what a GradScaler does; or use
bfloat16, which has the range of float32.
```python
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 16))
optimizer = torch.optim.SGD(model.parameters(), lr=1e4)
scaler = torch.amp.GradScaler("cpu")
x = torch.randn(256, 16)
for step in range(15):
    with torch.autocast("cpu", dtype=torch.float16):
        loss = (model(x) - x).float().square().mean() * 1e-4
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
```
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.limits import FORMATS
from wellposed.rules.numerics.trends import full_steps, loss_trend
from wellposed.rules.numerics.wording import number
from wellposed.rules.sources import place_of
from wellposed.rules.tracing import location

RULE = Rule(
    name="float16-underflow",
    code="N251",
    cause="float16-range",
    summary="gradients in float16 are rounded to zero",
)

SMALLEST_NORMAL = FORMATS["float16"].smallest_normal
LOST = 0.05
"""Share of gradients that are zero or subnormal from which on training suffers: 5 % (Micikevicius et al., arXiv
1710.03740, saw a network diverge with it) to 10 % (TransformerEngine's debug features)."""
MOST = 0.5
ARITHMETIC = frozenset(
    {
        "mm", "bmm", "addmm", "baddbmm", "mul", "div", "add", "sub", "sum", "mean", "_to_copy", "convolution_backward",
        "tanh_backward", "sigmoid_backward", "gelu_backward", "silu_backward", "_softmax_backward_data",
        "_log_softmax_backward_data", "native_layer_norm_backward", "native_batch_norm_backward", "mse_loss_backward",
        "pow", "neg",
    }
)  # fmt: skip
"""Operators that compute: what routes, masks or pools makes zeros on purpose."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What one operation lost."""

    operation: Operation
    lost: int
    count: int


def check(record: Record) -> Iterator[Finding]:
    if any(step.scale is not None for step in record.steps()):
        return
    for step in full_steps(record, most=3):
        losses = [
            loss
            for operation in record.operations(step=step, phase="backward", dtype="float16")
            if (loss := lost_in(operation)) is not None
        ]
        count = sum(each.count for each in losses)
        lost = sum(each.lost for each in losses)
        if count and lost > LOST * count:
            yield _finding(record, step, losses, lost / count)
            return


def _where(record: Record, step: int) -> Location | None:
    """Where backward() was called: the line on which the loss can be scaled; None where that was not seen."""
    site = next((each.backward_site for each in record.steps() if each.id == step), None)
    place = place_of(site)
    return replace(place, phase="backward") if place is not None else None


def lost_in(operation: Operation) -> Loss | None:
    """Elements that the operation made subnormal, or zero though its inputs were not; None for one that cannot tell."""
    output = operation.output
    if operation.base not in ARITHMETIC or output is None or output.dtype != "float16" or output.statistics is None:
        return None
    made = output.statistics
    known = [each.statistics for each in operation.inputs if each.statistics is not None]
    if not made.count or not known or made.nonfinite:
        return None
    zero_before = max((each.zero / each.count for each in known if each.count), default=0.0)
    underflowed = max(0.0, made.zero - zero_before * made.count)
    entered = round((1 - zero_before) * made.count)  # what was zero before could not be lost here
    return Loss(operation, round(underflowed) + made.subnormal, entered) if entered else None


def _finding(record: Record, step: int, losses: list[Loss], share: float) -> Finding:
    trend = loss_trend(record)
    rows = [row.gradient for row in record.parameter_steps(step=step) if row.gradient is not None]
    empty = sum(each.zero == each.count for each in rows)
    harm = share > MOST and (empty > 0 or (trend is not None and trend.flat))
    guilty = next((each for each in losses if each.lost > MOST * each.count), max(losses, key=lambda each: each.lost))
    statistics = guilty.operation.output.statistics if guilty.operation.output else None
    size = statistics.root_mean_square if statistics is not None else 0.0
    outcome = "" if not harm else ", and the loss does not improve" if trend is not None and trend.flat else ""
    evidence = [
        Evidence("share of float16 gradients that are lost", share, "", LOST),
        Evidence("lost where it begins", guilty.lost, f"of {guilty.count}"),
        Evidence("rms of the gradient there", size, "", SMALLEST_NORMAL),
    ]
    if rows:
        evidence.append(Evidence("weights whose gradient is zero throughout", empty, f"of {len(rows)}"))
    return RULE.finding(
        _where(record, step) or location(guilty.operation),
        f"{share:.0%} of the gradients computed in float16 are lost to its smallest numbers "
        f"(an rms of {number(size)} here, against {number(SMALLEST_NORMAL)}){outcome}.",
        severity="error" if harm else "note",
        role="root" if harm else "advice",
        step=step,
        evidence=evidence,
        fixes=[
            Fix("scale the loss", "scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update()"),
            Fix("use the range of float32", "torch.autocast(device, dtype=torch.bfloat16)"),
        ],
        operations=[guilty.operation.id],
    )
