"""Activations that start in their flat part.

## What it sees
A sigmoid, tanh or softmax of which more than half of the outputs lie where the derivative is below a hundredth of its
largest, at the first step and still at the last ones that were looked at, while the loss does not improve. What drives
it there is told from what flows in: a product of two activations that nobody scaled, a temperature, a bias, or simply
the activation itself. Where weights that started too large or data that nobody scaled drive it, their own rules say so
and this is a consequence.

## Why it matters
A saturated activation passes no gradient: sigmoid' is 0.0025 at an output of 0.9975, tanh' at 5 is 2e-4, and a softmax
that is one-hot has a derivative of 0 in every direction. All layers before it stand still.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
nn.init.constant_(model[2].bias, 12.0)
x = torch.randn(128, 8)
y = (x[:, :1] > 0).float() * 0.1
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(30):
    loss = (torch.sigmoid(model(x)) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Take a loss on the logits, whose gradient does not vanish where the answer is wrong; scale what enters (1/sqrt(d) for
products of vectors), and start biases at zero.
```python
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
nn.init.constant_(model[2].bias, 12.0)
x = torch.randn(128, 8)
y = (x[:, :1] > 0).float() * 0.1
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(30):
    loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.gradient_flow import passages
from wellposed.rules.numerics.harm import harm_of
from wellposed.rules.numerics.layers import PRODUCTS, at_each_place, producing_layer
from wellposed.rules.numerics.places import place_of_activation
from wellposed.rules.numerics.trends import FEWEST_LOSSES, full_steps, loss_trend
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import descendants, line_of

RULE = Rule(
    name="saturated-activation",
    code="N224",
    cause="saturation",
    summary="an activation lies in its flat part and passes no gradient",
)

MOST = 0.5
"""Share of an activation's outputs in its flat part (SageMaker Debugger)."""
PASSED_ON = 0.1
"""What is left of the gradient's rms: sigmoid's derivative is 0.25 at best, tanh's 1; below a tenth of what came in the
activation is what takes the gradient away."""
PASSED_ON_BY_SOFTMAX = 0.3
"""A flat softmax over n classes passes 1/n at most."""
NEARLY_ALL = 0.8
ONE_HOT = 0.8
"""1 / (n · rms²), the effective number of classes of a softmax, minus 1, below which nearly every row holds one
class."""
_BOUNDED = ("sigmoid", "tanh", "hardtanh", "hardsigmoid", "_softmax")


def check(record: Record) -> Iterator[Finding]:
    harm = harm_of(record)
    steps = full_steps(record, most=6)
    if len(steps) < 2 or loss_trend(record) is None:
        return
    mild: Finding | None = None  # flat for most of its inputs, yet what is left of the gradient passes
    for seen in at_each_place(record, _BOUNDED, steps):
        first = seen[min(seen)]
        if not _stays_saturated(seen, steps) or (harm is None and not _cripples(record, seen)):
            continue
        left = _passed_on(record, first)
        limit = PASSED_ON if first.base != "_softmax" else PASSED_ON_BY_SOFTMAX
        words = harm.words if harm is not None else "and the layers before it do not learn"
        if left is not None and left < limit:
            yield _finding(record, first, left, words)
            return
        if left is not None and mild is None:
            mild = replace(_finding(record, first, left, words), severity="note", role="advice")
    if mild is not None:
        yield mild


def _cripples(record: Record, seen: dict[int, Operation]) -> bool:
    """Whether next to all of a hidden activation is flat, at the start and at the end: what lies before it is lost to
    the model whatever the loss does."""
    trend, last = loss_trend(record), seen[max(seen)]
    later = descendants(record, last, nonfinite=False, limit=60)
    hidden = any(use.base in PRODUCTS and use.phase == "forward" for use in later)
    if trend is None or trend.count < FEWEST_LOSSES:
        return False
    return hidden and all(saturated_share(each) > NEARLY_ALL for each in seen.values())


def _stays_saturated(seen: dict[int, Operation], steps: list[int]) -> bool:
    shares = [saturated_share(seen[step]) for step in sorted(seen)]
    early = seen and min(seen) == steps[0]
    return (
        bool(early) and len(shares) >= 2 and shares[0] > MOST and sum(each > MOST for each in shares) * 2 > len(shares)
    )


def saturated_share(operation: Operation) -> float:
    """Share of the outputs that lie in the flat part; of a softmax, of the rows that hold one class alone."""
    output = operation.output
    if output is None or output.statistics is None or not output.statistics.count or output.statistics.nonfinite:
        return 0.0
    values = output.statistics
    if operation.base == "_softmax":
        dimension = operation.arguments.get("dim", -1)
        classes = output.shape[dimension] if isinstance(dimension, int) and output.shape else 1
        if classes < 2:
            return 0.0
        # The mean of the rows' sums of squares is 1 where each is one-hot, 1/n where each is flat.
        concentration = values.root_mean_square**2 * classes
        return max(0.0, (concentration - 1 / classes) / (1 - 1 / classes)) * (MOST / ONE_HOT)
    return (values.saturated or 0) / values.count


def _passed_on(record: Record, operation: Operation) -> float | None:
    """Rms of the gradient that the activation passes on, over what came; None where its backward was not recorded."""
    for passage in passages(record, operation.step):
        if passage.forward.id == operation.id and passage.arrived.root_mean_square > 0:
            return passage.factor
    return None


def _finding(record: Record, operation: Operation, left: float, words: str) -> Finding:
    layer = producing_layer(record, operation)
    where: Location = place_of_activation(record, operation, layer)
    entering = operation.inputs[0].statistics if operation.inputs else None
    name = operation.base.strip("_")
    share = saturated_share(operation)
    evidence = [
        Evidence("share of its outputs in the flat part", min(share, 1.0), "", MOST),
        Evidence("gradient passed on, of its rms", left, "", PASSED_ON),
        Evidence("activation", line_of(record, operation) or name),
    ]
    size = ""
    if entering is not None:
        evidence.append(Evidence("rms of what enters it", entering.root_mean_square))
        size = f" (it is fed values of rms {number(entering.root_mean_square)})"
    return RULE.finding(
        where,
        f"The {name} is saturated from step {operation.step} on{size}: {number(left)} of the gradient passes it, "
        f"{words}.",
        step=operation.step,
        evidence=evidence,
        fixes=[
            Fix("a loss on the logits", "nn.functional.binary_cross_entropy_with_logits(logits, y)"),
            Fix("scale what enters", "scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5"),
            Fix("bring the data to unit scale", "x = (x - x.mean(0)) / x.std(0)"),
        ],
        operations=[operation.id],
    )
