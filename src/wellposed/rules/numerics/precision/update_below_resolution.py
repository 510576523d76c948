"""Updates too small to change weights of low precision.

## What it sees
Weights in float16 or bfloat16 most of whose elements an update left exactly as they were, although they had a gradient,
at most of the measured steps; or a sum in such a dtype that adds half a spacing or less to what it adds to.

## Why it matters
Next to 1, bfloat16 holds 1.0078 and nothing between. An update below half of that, a 256th of the weight, rounds back
to the old value. A usual update is a thousandth of the weights: all of it is lost, at every step, and the model stays
where it is while the gradients say otherwise.

## A program that shows it
```python
import torch

torch.manual_seed(0)
weight = torch.nn.Parameter(torch.ones(64, dtype=torch.bfloat16) * 3)
x = torch.randn(256, 64, dtype=torch.bfloat16)
optimizer = torch.optim.SGD([weight], lr=1e-3)
for step in range(20):
    loss = (x @ weight - x.sum(1)).float().square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Keep the weights in float32 and compute the forward pass in low precision (autocast), or keep a float32 master copy.
```python
import torch

torch.manual_seed(0)
weight = torch.nn.Parameter(torch.ones(64) * 3)
x = torch.randn(256, 64)
optimizer = torch.optim.SGD([weight], lr=1e-3)
for step in range(20):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        product = x @ weight
    loss = (product.float() - x.sum(1)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Parameter, ParameterStep, Record
from wellposed.rules.numerics.learning_rate.optimizers import Optimizer, optimizer_of
from wellposed.rules.numerics.limits import FORMATS
from wellposed.rules.numerics.places import place_of_start
from wellposed.rules.numerics.precision.sums import finding_of_stalled, stalled_sums
from wellposed.rules.numerics.trends import loss_trend, median
from wellposed.rules.numerics.wording import number
from wellposed.rules.sources import lines_calling, lines_casting, place_of

RULE = Rule(
    name="update-below-resolution",
    code="N254",
    cause="low-precision-update",
    summary="updates are too small to change weights of low precision",
)

LOST = 0.5
"""Share of the elements with a gradient that an update leaves as they were, median over weights and steps."""
VANISHED = 1e-3
FEWEST = 3
"""Measured steps, at the least."""
_LOW = ("float16", "bfloat16")


def check(record: Record) -> Iterator[Finding]:
    low = {each.id: each for each in record.parameters() if each.dtype in _LOW}
    if low:
        found = _weights(record, low)
        if found is not None:
            yield found
            return
    yield from _too_fine(record)
    yield from _by_hand(record)


def _too_fine(record: Record) -> Iterator[Finding]:
    """A parameter so large that even float32 cannot hold it and its update: a date of 2,458,355 days moves by 0.25."""
    used = optimizer_of(record)
    if used is None or not used.rate:
        return
    for parameter in record.parameters():
        rows = [row for row in record.parameter_steps(parameter=parameter.id) if row.unchanged is not None]
        held = FORMATS.get(parameter.dtype)
        if (
            held is None
            or parameter.dtype in _LOW
            or len(rows) < 2 * FEWEST
            or any(row.unchanged != 1.0 for row in rows)
        ):
            continue
        expected = max(_expected(row, used) for row in rows)
        spacing = held.epsilon * (rows[0].weight_rms or 0.0)
        if 0 < expected < spacing / 2:
            yield RULE.finding(
                place_of_start(record, parameter) or Location(),
                f"{parameter.name} never moves: its values of {number(rows[0].weight_rms)} have a spacing of "
                f"{number(spacing)} in {parameter.dtype}, and an update is {number(expected)}.",
                step=rows[0].step,
                evidence=[
                    Evidence("update that was asked for, at most", expected, "", spacing / 2),
                    Evidence(f"spacing of {parameter.dtype} at this size", spacing),
                    Evidence("measured steps at which nothing changed", len(rows), f"of {len(rows)}"),
                ],
                fixes=[
                    Fix("keep the offset apart", "t = t0_fixed + self.delta  # delta = nn.Parameter(torch.zeros(()))"),
                    Fix("a wider dtype", "nn.Parameter(torch.tensor(t0, dtype=torch.float64))"),
                ],
            )
            return


def _expected(row: ParameterStep, used: Optimizer) -> float:
    """The size of an update: an adaptive optimizer's is its rate, any other's the rate times the gradient; 0 where that
    is small because the gradient has vanished, which is another fault."""
    if used.rate is None or row.gradient is None:
        return 0.0
    if used.adaptive:
        return used.rate
    return used.rate * row.gradient.root_mean_square if row.gradient.root_mean_square > VANISHED else 0.0


def _weights(record: Record, low: dict[int, Parameter]) -> Finding | None:
    rows = [row for row in record.parameter_steps() if row.parameter in low and row.unchanged is not None]
    steps = {row.step for row in rows}
    updated = [row for row in rows if row.update_ratio is not None]
    share = median([row.unchanged for row in rows if row.unchanged is not None])
    if len(steps) < FEWEST or not share > LOST or not _is_updated(record):
        return None
    trend = loss_trend(record)
    if trend is not None and trend.late < 0.1 * abs(trend.early):
        return None  # it learns all the same
    used, dtype = optimizer_of(record), low[rows[0].parameter].dtype
    spacing = FORMATS[dtype].epsilon
    ratio = median([row.update_ratio for row in updated if row.update_ratio is not None])
    return RULE.finding(
        _where_cast(record, low[rows[0].parameter]) or (used.where if used is not None else Location()),
        f"{number(100 * share)} % of the elements of the {dtype} weights are left as they were by an update, although "
        f"they have a gradient: {dtype} resolves {number(spacing)} of a weight, the updates are smaller.",
        step=min(steps),
        evidence=[
            Evidence("elements that an update leaves as they were", share, "of those with a gradient", LOST),
            Evidence(f"relative spacing of {dtype}", spacing),
            Evidence("update over weights, after rounding", ratio),
            Evidence("learning rate", used.rate if used is not None and used.rate is not None else "unknown"),
        ],
        fixes=[
            Fix("float32 weights", "model.float()  # with torch.autocast for the forward pass"),
            Fix("a float32 master copy", "master = [p.detach().float() for p in model.parameters()]"),
        ],
    )


def _is_updated(record: Record) -> bool:
    """Whether anything updates the weights at all: an optimizer, or some element that did change."""
    return bool(record.events("optimizer")) or any(
        row.unchanged is not None and row.unchanged < 1 for row in record.parameter_steps()
    )


def _where_cast(record: Record, parameter: Parameter) -> Location | None:
    """The line that gives the weights their dtype, where the text has one such call."""
    files = {each.site.file for each in record.parameters() if each.site is not None}
    files |= {event.site.file for event in record.events("optimizer") if event.site is not None}
    name = "half" if parameter.dtype == "float16" else "bfloat16"
    for file in sorted(files):
        lines = sorted({*lines_calling(record, file, (name,)), *lines_casting(record, file, parameter.dtype)})
        made = parameter.site
        if lines and (made is None or made.file == file):
            return Location(file, lines[0], None)
    return place_of(parameter.site)


def _by_hand(record: Record) -> Iterator[Finding]:
    """Weights that the program updates itself, in place, by less than they can resolve."""
    for stalled in stalled_sums(record):
        if stalled.is_update:
            yield finding_of_stalled(RULE, stalled)
