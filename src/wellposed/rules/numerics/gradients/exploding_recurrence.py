"""Values or gradients that explode over the passes of a recurrence.

## What it sees
A recurrence (a recurrent layer, a loop that feeds a state through the same weights or the same map) along which the
state or, in the backward pass, the gradient grows geometrically, a ten-thousandfold and more from the first pass to
the last. It is a root where that did harm: the growth overflows, the loss is astronomical with it, or an update as
large as the weights themselves is followed by a loss that never recovers. Elsewhere it is advice.

## Why it matters
Every pass multiplies by the same factor: 1.1 becomes 4e16 over 400 passes. The direction of such a gradient means
nothing, one update with it throws the weights far away, and clipping it only hides that.

## A program that shows it
```python
import torch

torch.manual_seed(0)
decay = torch.nn.Parameter(torch.linspace(0.9, 1.2, 8))
optimizer = torch.optim.SGD([decay], lr=0.01)
inputs = torch.randn(120, 4, 8)
state = torch.zeros(4, 8)
for each in inputs:
    state = decay * state + each
loss = state.square().mean()
loss.backward()
optimizer.step()
```

## What to do instead
Keep the factor below 1 by how it is parametrised, train through fewer passes at a time (teacher forcing, truncated
back-propagation), or use a gated layer.
```python
import torch

torch.manual_seed(0)
rate = torch.nn.Parameter(torch.linspace(-2.0, 0.0, 8))
optimizer = torch.optim.SGD([rate], lr=0.01)
inputs = torch.randn(120, 4, 8)
decay = torch.exp(-torch.exp(rate))
state = torch.zeros(4, 8)
for each in inputs:
    state = decay * state + each
loss = state.square().mean()
loss.backward()
optimizer.step()
```
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Record, Step
from wellposed.rules.numerics.births import original_births
from wellposed.rules.numerics.chains import RECURRENT_LAYERS, Chain, place, recurrences
from wellposed.rules.numerics.places import place_of_start
from wellposed.rules.numerics.trends import (
    Fit,
    LossTrend,
    full_steps,
    log_linear,
    loss_trend,
    series_over_passes,
    worst_update,
)
from wellposed.rules.numerics.wording import number

RULE = Rule(
    name="exploding-recurrence",
    code="N213",
    cause="exploding-gradient",
    summary="values or gradients grow geometrically over the passes of a recurrence",
    specificity=2,
)

GROWN = 1e4
"""Growth over all passes. AutoTrainer (ICSE 2021) calls a ratio of gradients of 70 exploding over depth; sums over
passes grow like their number, and a loop of some hundred passes must not be blamed for that."""
CLEAR, CLEARLY = 1e2, 0.98
"""Growth that is enough where it is geometric beyond doubt (R² of the logarithms): a sum's is not."""
ASTRONOMICAL = 1e4
"""A loss this large beside a state that grew this much is the growth's own (TheDeepChecker's limit for gradients)."""
BEYOND = 1e6
"""A loss this large beside a gradient that grows with the same passes is the same growth."""
STEADY = 0.8
"""R² of the logarithms: below, the chain jumps, and no factor per pass describes it."""
DRAWN_TOO_LARGE = 1.5
"""Rms · sqrt(width) of the weights from state to state: near the spectral radius of a random matrix (Girko's circular
law), which should not be above 1 (Le et al. 2015, arXiv 1504.00941; PyTorch draws 0.58)."""
OVERTHROWN = 1.0
"""An update as large as the weights leaves nothing of them; healthy: a thousandth (SageMaker warns above 10)."""


def check(record: Record) -> Iterator[Finding]:
    trend = loss_trend(record)
    births = {birth.operation.id for birth in original_births(record)}
    if trend is None and not births:
        return
    suspicious = trend is None or bool(births) or trend.ruined or not trend.late < min(trend.first, ASTRONOMICAL)
    steps = {step.id: step for step in record.steps()}
    told: dict[tuple[str | None, int | None], Finding] = {}
    for step in full_steps(record) if suspicious else full_steps(record, most=1):
        for chain in itertools.chain(recurrences(record, step, "forward"), recurrences(record, step, "backward")):
            fit = growing(chain)
            if fit is None:
                continue
            harm = _harm(record, chain, steps[step], trend)
            where = _where(record, chain)
            key = where.file, where.line
            before = told.get(key)
            if before is None or (harm and before.role == "advice"):
                told[key] = _finding(where, chain, fit, harm, births)
            elif before.role == "root" and chain.step > (before.step or 0) and not _is_finite(chain):
                # The overflow of a later step is the same growth, and stands for the fault.
                told[key] = replace(before, operations=(_guilty(chain, births), *before.operations))
    roots = [each for each in told.values() if each.role == "root"]
    yield from roots or list(told.values())[:1]


def _where(record: Record, chain: Chain) -> Location:
    """Of a recurrent layer whose state-to-state weights were drawn too large by the program itself, the line that drew
    them; else where the recurrence stands."""
    first = chain.operations[0]
    for parameter in record.parameters():
        layer, _, name = parameter.name.rpartition(".")
        if parameter.module in RECURRENT_LAYERS and layer == first.module and name.startswith("weight_hh"):
            gain = parameter.initial.root_mean_square * math.sqrt(parameter.shape[-1]) if parameter.initial else 0.0
            drawn = place_of_start(record, parameter)
            if gain > DRAWN_TOO_LARGE and drawn is not None:
                return drawn
    return place(record, first)


def growing(chain: Chain) -> Fit | None:
    """The fit of a chain that explodes, over its finite part; None for one that does not."""
    finite = _finite_part(chain.sizes)
    fit = log_linear(finite)
    if fit is None or fit.factor <= 1.0:
        return None
    if finite[-1] < (CLEAR if fit.agreement >= CLEARLY else GROWN) * finite[0]:
        return None
    overflowed = len(finite) < len(chain.sizes)
    return fit if fit.agreement >= STEADY or overflowed else None


def _finite_part(sizes: Sequence[float]) -> list[float]:
    """The values up to the first that is not finite, without the zeros that a state starts from."""
    return list(itertools.takewhile(math.isfinite, itertools.dropwhile(lambda size: size == 0.0, sizes)))


def _is_finite(chain: Chain) -> bool:
    return all(map(math.isfinite, chain.sizes))


def _harm(record: Record, chain: Chain, step: Step, trend: LossTrend | None) -> str:
    """What the growth did, in words; empty where it did nothing."""
    finite = _finite_part(chain.sizes)
    growth = finite[-1] / finite[0]
    if not _is_finite(chain):
        return "until it overflows"
    if trend is None:
        return ""
    if chain.phase == "forward" and step.loss is not None and growth >= ASTRONOMICAL:
        return f"and the loss is {number(step.loss)}" if abs(step.loss) >= ASTRONOMICAL else ""
    if chain.phase == "backward" and step.loss is not None and abs(step.loss) >= BEYOND:
        return f"and the loss is {number(step.loss)}"
    update = worst_update(record, step.id)
    worse = trend.ruined or trend.late > 2.0 * max(abs(trend.first), trend.lowest)
    if chain.phase == "backward" and worse and update is not None and update >= OVERTHROWN:
        return f"and the update that follows is {number(update)} times as large as the weights"
    return ""


def _guilty(chain: Chain, births: set[int]) -> int:
    """The operation of the chain that made the first value which is not finite; the first where none did."""
    return next((each.id for each in chain.operations if each.id in births), chain.operations[0].id)


def _finding(where: Location, chain: Chain, fit: Fit, harm: str, births: set[int]) -> Finding:
    finite = _finite_part(chain.sizes)
    what = "The gradient" if chain.phase == "backward" else "The state"
    return RULE.finding(
        where,
        f"{what} grows {number(fit.factor)}-fold at each pass of this recurrence, "
        f"{number(finite[-1] / finite[0])}-fold over {len(finite)} passes"
        + (f", {harm}." if harm else "; it did no harm in this run."),
        severity="error" if harm else "note",
        role="root" if harm else "advice",
        step=chain.step,
        evidence=[
            Evidence("growth over all passes", finite[-1] / finite[0], "", GROWN),
            Evidence("factor per pass", fit.factor, "", 1.0),
            Evidence("passes", len(chain.operations)),
            Evidence("where it grows", f"within one step, over the passes, in the {chain.phase} pass"),
        ],
        fixes=[
            Fix("keep the factor below 1", "decay = torch.exp(-torch.exp(rate))  # instead of a free parameter"),
            Fix("train through fewer passes", "state = state.detach()  # every k passes; or teacher forcing"),
            Fix("bound the step", "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)"),
        ],
        series=[series_over_passes(f"rms of the {what.split()[1]}, pass by pass", finite)],
        operations=[_guilty(chain, births)],
    )
