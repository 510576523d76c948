"""A loss more curved than the learning rate allows.

## What it sees
Learning rate times curvature beyond what gradient descent bears: above 2 along the update, or 2 (1 + β) with
momentum. Either an audit with `curvature=True` measured it before training (Hessian times first update, and the largest
eigenvalue), or two successive recorded steps of SGD did.

## Why it matters
On a quadratic loss every update then lands further from the minimum than it began. A network may escape to where it is
flatter, with a loss that spikes on the way, or not. For Adam with β1 = 0.9 the limit of the largest curvature, in its
own metric, is 38 (Cohen et al. 2021 and 2022, arXiv 2103.00065 and 2207.14484).

## A program that shows it
```python
import torch

torch.manual_seed(0)
x = torch.randn(256, 8)
y = x @ torch.randn(8, 1)
model = torch.nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=1.5)
schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [4], gamma=0.1)
for step in range(30):
    loss = (model(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
```

## What to do instead
A learning rate below 2 over the curvature, or a schedule that reaches it from below.
```python
import torch

torch.manual_seed(0)
x = torch.randn(256, 8)
y = x @ torch.randn(8, 1)
model = torch.nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=4)
for step in range(30):
    loss = (model(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Event, Record
from wellposed.rules.numerics.wording import number

RULE = Rule(
    name="curvature-beyond-learning-rate",
    code="N287",
    cause="learning-rate",
    summary="the learning rate is too large for the curvature of the loss",
    specificity=-1,
)

EDGE = 2.0
"""A step of rate r along the gradient raises a quadratic loss where r times the curvature along it is above 2."""
MEASURED_BEYOND = 1.25
"""Between two batches the gradient changes for other reasons as well: a quarter more than the limit …"""
MEASURED_TIMES = 3
"""… in so many measured steps."""


def check(record: Record) -> Iterator[Finding]:
    for event in record.events("curvature"):
        finding = _audited(event)
        if finding is not None:
            yield finding
            return
    yield from _measured(record)


def _audited(event: Event) -> Finding | None:
    details = event.details
    known = [details.get(name) for name in ("rate", "along", "largest", "edge")]
    if not all(isinstance(each, (int, float)) for each in known):
        return None
    rate, along, largest, edge = (float(each) for each in known if each is not None)
    first, top = rate * along, rate * largest
    if first <= EDGE and top <= edge:
        return None
    metric = " in Adam's metric" if details.get("adaptive") else ""
    says = (
        f"The first update raises the loss: learning rate times curvature along it is {number(first)}, and above "
        f"{number(EDGE)} it does."
        if first > EDGE
        else f"Learning rate times the largest curvature{metric} is {number(top)}, beyond the {number(edge)} at which "
        "training stays stable."
    )
    return RULE.finding(
        _place(event),
        says,
        severity="warning" if first > EDGE else "note",
        role="advice",
        step=event.step,
        evidence=[
            Evidence("learning rate", rate),
            Evidence("curvature along the first update", along, "", EDGE / rate if rate else None),
            Evidence(f"largest curvature{metric}", largest, "", edge / rate if rate else None),
        ],
        fixes=_fixes(min(rate * EDGE / first if first > EDGE else rate, rate * edge / top if top > edge else rate)),
        confidence="likely",
        settled_by="The loss of the first dozen steps at this learning rate and at half of it.",
    )


def _measured(record: Record) -> Iterator[Finding]:
    made = record.events("optimizer")
    if len(made) != 1 or made[0].details.get("class") != "SGD":
        return
    edge = EDGE * (1 + float(made[0].details.get("momentum") or 0.0))
    measured = [
        (each, each.curvature * each.learning_rate) for each in record.steps() if each.curvature and each.learning_rate
    ]
    beyond = [(step, value) for step, value in measured if value > MEASURED_BEYOND * edge]
    if len(beyond) < MEASURED_TIMES or 2 * len(beyond) < len(measured):
        return
    step, value = beyond[0]
    rate = step.learning_rate or 0.0
    yield RULE.finding(
        _place(made[0]),
        f"Learning rate times the curvature along the last update is {number(value)} at step {step.id}, beyond the "
        f"{number(edge)} that {'momentum' if edge > EDGE else 'gradient descent'} bears, as in {len(beyond)} of "
        f"{len(measured)} measured steps.",
        severity="note",
        role="advice",
        step=step.id,
        evidence=[
            Evidence("learning rate times curvature", value, "", edge),
            Evidence("learning rate", rate),
            Evidence("curvature along the last update", step.curvature or 0.0, "", edge / rate if rate else None),
        ],
        fixes=_fixes(rate * edge / value),
        confidence="likely",
        settled_by="wellposed.audit(model, batch, loss_fn, optimizer, curvature=True) measures it on one batch.",
    )


def _fixes(rate: float) -> list[Fix]:
    return [
        Fix("a smaller learning rate", f"lr={0.5 * rate:.1g}"),
        Fix("reach it from below", "torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, total_iters=500)"),
    ]


def _place(event: Event) -> Location:
    site = event.site
    return Location(
        file=site.file if site else None,
        line=site.line if site else None,
        function=(site.function or None) if site else None,
        phase="optimizer",
    )
