"""Adam's second moment that is out of date.

## What it sees
A parameter whose gradient is suddenly much larger than Adam remembers: the rms of g / √v is 4 or more, and three times
what it usually is for this parameter, twice in a row. Looked at in the steps that are recorded in full;
`wellposed.watch` looks at every step that it can afford.

## Why it matters
Adam divides by √v, and v is an average over 1 / (1 − β2) steps: a thousand, with the default of 0.999. Until it has
caught up with larger gradients, updates are far longer than the learning rate says. Wortsman et al. 2023
(arXiv 2304.13013) see loss spikes follow values of 2.3 in the first layer of large models within 1 to 8 steps.

## A program that shows it
```python
import torch

torch.manual_seed(0)
model = torch.nn.Linear(32, 16)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
for step in range(90):
    x = torch.randn(64, 32)
    scale = 30.0 if 60 <= step < 64 else 1.0
    loss = (model(x) - scale * x[:, :16]).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Bound each gradient's size before Adam sees it, or let it forget sooner (`betas=(0.9, 0.95)`).
```python
import torch

torch.manual_seed(0)
model = torch.nn.Linear(32, 16)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
for step in range(90):
    x = torch.randn(64, 32)
    scale = 30.0 if 60 <= step < 64 else 1.0
    loss = (model(x) - scale * x[:, :16]).square().mean()
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.3)
    optimizer.step()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Record
from wellposed.rules.numerics.wording import number
from wellposed.signals import BY_NAME, first_crossing

RULE = Rule(
    name="adam-ratio-spike",
    code="N284",
    cause="learning-rate",
    summary="a gradient is much larger than Adam's second moment remembers",
    specificity=-1,
)

SIGNAL = BY_NAME["adam-ratio"]
"""With its thresholds, and why they are not those of arXiv 2304.13013: docs/early-warning.md."""


def check(record: Record) -> Iterator[Finding]:
    found = _worst(record)
    if found is None:
        return
    step, parameter, ratio, threshold = found
    yield RULE.finding(
        Location(module=parameter, phase="optimizer"),
        f"The gradient of {parameter} at step {step} is {number(ratio)} times (rms) what Adam's second moment "
        "remembers: its updates are longer than the learning rate says.",
        severity="note",
        role="advice",
        step=step,
        evidence=[Evidence("rms of g / sqrt(v)", ratio, "", threshold)],
        fixes=[
            Fix("bound the gradient", "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)"),
            Fix("let Adam forget sooner", "torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.95))"),
        ],
        confidence="likely",
        settled_by="The loss of the next eight steps: a spike there is this one's.",
    )


def _worst(record: Record) -> tuple[int, str, float, float] | None:
    """Step, parameter, ratio and threshold of the first crossing, measured offline or told while the program ran."""
    found = []
    series: dict[int, list[tuple[int, float]]] = {}
    for row in record.parameter_steps():
        if row.adam_ratio is not None:
            series.setdefault(row.parameter, []).append((row.step, row.adam_ratio))
    names = {each.id: each.name for each in record.parameters()}
    for parameter, values in series.items():
        crossed = first_crossing(SIGNAL, values)
        if crossed is not None:
            found.append((crossed[0], names.get(parameter, "a parameter"), crossed[1].value, crossed[1].threshold))
    for event in record.events("early-warning"):
        if event.details.get("signal") == SIGNAL.name:
            value, threshold = float(event.details["value"]), float(event.details["threshold"])
            found.append((event.step, str(event.details.get("where", "")), value, threshold))
    return min(found, default=None)
