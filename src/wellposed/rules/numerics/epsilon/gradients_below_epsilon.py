"""Gradients far below the optimizer's epsilon.

## What it sees
An optimizer of the Adam family (also RMSprop, Adagrad) whose epsilon exceeds the gradients of all parameters from the
first step on, so that the updates are orders of magnitude smaller than the learning rate. Of an update written by hand
the same is seen in `m / (v.sqrt() + eps)`, and told where the loss does not improve.

## Why it matters
Adam's update is lr · m / (√v + ε): where ε is the larger part of the denominator, the update shrinks with the gradient,
just what Adam is meant to prevent. A loss divided by a large number, or summed over tiny pixels, is enough. The
parameters stand still and nothing says why.

## A program that shows it
```python
import torch

torch.manual_seed(0)
w = torch.zeros(8, requires_grad=True)
target = torch.rand(8) + 1
optimizer = torch.optim.Adam([w], lr=0.05)
for step in range(5):
    loss = ((w - target) ** 2).sum() / 1e11
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Bring the loss to an ordinary scale (a mean, not a sum divided by a constant), or choose an epsilon below the gradients.
```python
import torch

torch.manual_seed(0)
w = torch.zeros(8, requires_grad=True)
target = torch.rand(8) + 1
optimizer = torch.optim.Adam([w], lr=0.05)
for step in range(5):
    loss = ((w - target) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Event, Operation, ParameterStep, Record
from wellposed.rules.numerics.harm import stuck
from wellposed.rules.numerics.trends import median
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import location, producer

RULE = Rule(
    name="gradients-below-epsilon",
    code="N263",
    cause="epsilon",
    summary="all gradients are far below the optimizer's epsilon, so that nothing moves",
)

FAR_BELOW = 10.0
"""Epsilon over the rms of a parameter's gradient: the update is a tenth of the learning rate or less."""
FIRST_STEPS = 3
"""Later gradients may be small because the training has converged."""
_ADAPTIVE = ("adam", "radam", "nadam", "rmsprop", "adagrad", "lamb", "adabelief", "lion8bit")


def check(record: Record) -> Iterator[Finding]:
    event = _optimizer(record)
    if event is None:
        yield from _by_hand(record)
        return
    epsilon = event.details["eps"]
    steps = sorted({each.step for each in record.parameter_steps()})[:FIRST_STEPS]
    by_step = {step: _with_gradient(record.parameter_steps(step=step)) for step in steps}
    rows = [each for step in steps for each in by_step[step]]
    if not rows or not all(by_step.values()) or not all(_is_below(each, epsilon) for each in rows):
        return
    first = by_step[steps[0]]
    sizes = [each.gradient.root_mean_square for each in first if each.gradient is not None]
    site = event.site
    yield RULE.finding(
        Location(
            file=site.file if site else None,
            line=site.line if site else None,
            function=(site.function or None) if site else None,
            phase="optimizer",
        ),
        f"All gradients are at most {number(max(sizes))} (rms), far below the eps of {number(epsilon)} of "
        f"{event.details.get('class', 'the optimizer')}: updates are about {number(max(sizes) / epsilon)} of the "
        "learning rate.",
        severity="warning",
        step=steps[0],
        evidence=[
            Evidence("largest gradient rms of a parameter", max(sizes), "", epsilon / FAR_BELOW),
            Evidence("smallest gradient rms of a parameter", min(sizes)),
            Evidence("eps of the optimizer", epsilon),
            Evidence("parameters", len(first)),
        ],
        fixes=[
            Fix("bring the loss to an ordinary scale", "loss = error.mean()  # not .sum() / a large number"),
            Fix("an epsilon below the gradients", f"eps={max(sizes) * 1e-4:.0e}"),
        ],
    )


def _by_hand(record: Record) -> Iterator[Finding]:
    """An update that the program computes itself: `m / (v.sqrt() + eps)` outside any optimizer of PyTorch's."""
    harm, steps = stuck(record), record.gradient_steps()[:FIRST_STEPS]
    if harm is None or record.events("optimizer") or len(steps) < FIRST_STEPS:
        return
    guards = [each for step in steps for each in _guards(record, step)]
    if not guards or not median([size / epsilon for _, size, epsilon in guards]) * FAR_BELOW < 1.0:
        return
    operation, _, epsilon = guards[0]
    typical = median([size for _, size, _ in guards])
    yield RULE.finding(
        location(operation),
        f"The roots that this update divides by are {number(typical)} (median rms), far below the {number(epsilon)} "
        f"that is added to them: updates are about {number(typical / epsilon)} of the learning rate, {harm.words}.",
        step=steps[0],
        evidence=[
            Evidence("median rms of a root", typical, "", epsilon / FAR_BELOW),
            Evidence("what is added to it", epsilon),
            Evidence("places and steps at which that is so", len(guards)),
        ],
        fixes=[Fix("an epsilon below the gradients", f"eps={typical * 1e-4:.0e}")],
        operations=[operation.id],
    )


def _guards(record: Record, step: int) -> Iterator[tuple[Operation, float, float]]:
    """Sums of a root and a constant that something is divided by, of the update: rms of the root, and the constant."""
    for quotient in record.operations("div", "addcdiv", step=step, phase="optimizer"):
        total = producer(record, quotient.inputs[-1]) if len(quotient.inputs) > 1 else None
        constant = total.arguments.get("other") if total is not None and total.base == "add" else None
        if total is None or not isinstance(constant, (int, float)) or not constant > 0:
            continue
        root = producer(record, total.inputs[0])
        values = root.output.statistics if root is not None and root.base == "sqrt" and root.output else None
        if values is not None and values.nonfinite == 0 and values.root_mean_square > 0:
            yield total, values.root_mean_square, float(constant)


def _optimizer(record: Record) -> Event | None:
    """The one optimizer that was made, where it is adaptive and has an epsilon."""
    events = record.events("optimizer")
    if len(events) != 1:
        return None
    name, epsilon = str(events[0].details.get("class", "")).lower(), events[0].details.get("eps")
    known = any(part in name for part in _ADAPTIVE)
    return events[0] if known and isinstance(epsilon, float) and epsilon > 0 else None


def _with_gradient(rows: list[ParameterStep]) -> list[ParameterStep]:
    return [each for each in rows if each.gradient is not None and each.gradient.root_mean_square > 0]


def _is_below(row: ParameterStep, epsilon: float) -> bool:
    gradient = row.gradient
    if gradient is None or gradient.nonfinite:
        return False
    return gradient.root_mean_square * FAR_BELOW < epsilon and gradient.largest_magnitude < epsilon
