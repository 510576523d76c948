"""Gradient that vanishes over the passes of a recurrence.

## What it sees
The backward pass of a recurrence (a recurrent layer, a loop that feeds a state through the same weights) in which the
gradient's rms falls geometrically, to less than a millionth from the last pass to the first. It is a root where the
loss does not improve either (the median of its last fifth against that of its first), and advice where it does: then
what the model learns does not depend on what came first.

## Why it matters
Every pass multiplies the gradient by the same Jacobian. With a factor of 0.5, the input of 40 passes ago has a weight
of 1e-12 in the gradient, far below the rounding of what the last passes add to it: the model cannot learn that the
past mattered, however long it trains.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
layer, head = nn.RNN(1, 16, batch_first=True), nn.Linear(16, 1)
optimizer = torch.optim.SGD([*layer.parameters(), *head.parameters()], lr=0.05)
for step in range(20):
    x = 0.3 * torch.randn(32, 40, 1)
    bit = torch.arange(32) % 2
    x[:, 0, 0] = bit * 2.0 - 1.0
    states, _ = layer(x)
    loss = nn.functional.binary_cross_entropy_with_logits(head(states[:, -1, 0:]).squeeze(-1), bit.float())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Give the gradient a path on which the factor is near 1: a gated layer that starts out remembering (forget gate bias
well above 0), an orthogonal recurrent matrix, attention over all states, or a loss at more than the last pass.
```python
import torch
from torch import nn

torch.manual_seed(0)
layer, attention, head = nn.RNN(1, 16, batch_first=True), nn.Linear(16, 1), nn.Linear(16, 1)
parameters = [*layer.parameters(), *attention.parameters(), *head.parameters()]
optimizer = torch.optim.SGD(parameters, lr=0.5)
for step in range(20):
    x = 0.3 * torch.randn(32, 40, 1)
    bit = torch.arange(32) % 2
    x[:, 0, 0] = bit * 2.0 - 1.0
    states, _ = layer(x)
    weights = attention(states).softmax(dim=1)
    read = (weights * states).sum(1) + states[:, 0]
    loss = nn.functional.binary_cross_entropy_with_logits(head(read).squeeze(-1), bit.float())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.chains import Chain, fused_recurrences, place, recurrences
from wellposed.rules.numerics.trends import Fit, LossTrend, full_steps, log_linear, loss_trend, series_over_passes
from wellposed.rules.numerics.wording import number

RULE = Rule(
    name="vanishing-recurrence",
    code="N212",
    cause="vanishing-gradient",
    summary="the gradient vanishes over the passes of a recurrence",
    specificity=1,
)

VANISHED = 1e-6
"""What is left of the gradient after all passes. About the rounding of float32 (1.2e-7): the first input's share of the
weights' gradient is lost beside the last one's. The loss decides whether that matters, so the limit may be generous."""
STEADY = 0.9
"""R² from which on a fall counts as geometric: the mark of a product of like Jacobians (Bengio et al. 1994,
Pascanu et al. 2013, arXiv 1211.5063)."""


@dataclass(frozen=True, slots=True)
class Fall:
    """A gradient that vanishes over the passes of one recurrence."""

    operation: Operation
    passes: int
    factor: float
    left: float
    sizes: tuple[float, ...]
    """Its rms after each pass; empty where only the ends were seen."""


def check(record: Record) -> Iterator[Finding]:
    trend = loss_trend(record)
    if trend is None:
        return
    seen: set[tuple[str | None, int | None]] = set()
    for step in full_steps(record):
        for fall in _falls(record, step):
            where = place(record, fall.operation)
            if (where.file, where.line) not in seen:
                seen.add((where.file, where.line))
                yield _finding(fall, where, trend)


def _falls(record: Record, step: int) -> Iterator[Fall]:
    for chain in recurrences(record, step, "backward"):
        fit = falling(chain)
        if fit is not None:
            yield Fall(chain.operations[0], len(chain.operations), fit.factor, _left(chain, fit), chain.sizes)
    for layer in fused_recurrences(record, step):
        if layer.left <= VANISHED:
            yield Fall(layer.operation, layer.passes, layer.left ** (1 / layer.passes), layer.left, ())


def _finding(fall: Fall, where: Location, trend: LossTrend) -> Finding:
    outcome = "and the loss does not improve" if trend.flat else "though the loss improves without it"
    return RULE.finding(
        where,
        f"The gradient shrinks to {number(fall.factor)} of itself at each of {fall.passes} passes, "
        f"to {number(fall.left)} over all of them, {outcome}.",
        severity="error" if trend.flat else "note",
        role="root" if trend.flat else "advice",
        step=fall.operation.step,
        evidence=[
            Evidence("gradient left after all passes", fall.left, "of its first rms", VANISHED),
            Evidence("factor per pass", fall.factor, "", 1.0),
            Evidence("passes", fall.passes),
            Evidence("median loss, first fifth of the steps", trend.early),
            Evidence("median loss, last fifth of the steps", trend.late),
        ],
        fixes=[
            Fix("remember by default", "nn.init.constant_(gate_bias, 2.0)  # forget gate of an nn.LSTM"),
            Fix("keep lengths", "nn.init.orthogonal_(layer.weight_hh_l0)"),
            Fix("shorten the path", "state = states.mean(1)  # or attention over all states, not states[:, -1]"),
        ],
        series=[series_over_passes("gradient rms, last pass first", fall.sizes)] if fall.sizes else [],
        operations=[fall.operation.id],
    )


def falling(chain: Chain) -> Fit | None:
    """The fit of a gradient that vanishes along the chain; None for one that does not."""
    sizes = list(chain.sizes)
    while sizes and sizes[-1] == 0.0:
        sizes.pop()  # below what the dtype can hold
    fit = log_linear(sizes)
    if fit is None or fit.agreement < STEADY or fit.factor >= 1.0:
        return None
    return fit if _left(chain, fit) <= VANISHED else None


def _left(chain: Chain, fit: Fit) -> float:
    measured = chain.sizes[-1] / chain.sizes[0]
    return measured if measured > 0 else fit.factor ** (len(chain.sizes) - 1)
