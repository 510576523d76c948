"""Gradient descent by hand whose steps grow instead of shrinking.

## What it sees
A variable that the program updates itself (``w -= lr * gradient``), whose updates grow a millionfold and more while
they keep turning round: each step lands beyond the valley, further up the other side than where it came from.

## Why it matters
On a valley of curvature c, gradient descent with the rate η multiplies the distance to its floor by 1 − ηc at each
step. Beyond ηc = 2 that factor is below −1: the sign turns and the distance grows, until it overflows. Inputs that are
not scaled make c large: it grows with the square of their size.

## A program that shows it
```python
import numpy as np

rng = np.random.default_rng(0)
x = rng.uniform(10, 40, size=50)
y = 3 * x + rng.normal(size=50)
w, lr = 0.0, 0.01
for epoch in range(300):
    error = w * x - y
    loss = np.mean(error**2)
    w -= lr * np.mean(2 * error * x)
```

## What to do instead
A smaller rate; better, inputs of unit scale, for which an ordinary rate is right.
```python
import numpy as np

rng = np.random.default_rng(0)
x = rng.uniform(10, 40, size=50)
y = 3 * x + rng.normal(size=50)
w, lr = 0.0, 0.0005
for epoch in range(300):
    error = w * x - y
    loss = np.mean(error**2)
    w -= lr * np.mean(2 * error * x)
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Event, Record
from wellposed.rules.numerics.learning_rate.optimizers import where_of_rate
from wellposed.rules.numerics.wording import number
from wellposed.rules.sources import place_of

RULE = Rule(
    name="overshooting-updates",
    code="N288",
    cause="learning-rate",
    summary="updates written by hand grow without end and keep turning round: the learning rate is too large",
)

GROWN = 1e6
"""Largest update over the first ones. Training that settles ends with smaller updates than it began with; no schedule
or warm-up in use spans a factor of a million."""
TURNED = 1 / 3
"""Share of the updates that point against the one before. Beyond the edge of stability every one does on a quadratic;
with samples one by one, those whose own curvature is beyond it."""
FEWEST = 4


def check(record: Record) -> Iterator[Finding]:
    overshot = [event for event in record.events("updates-by-hand") if _overshoots(event)]
    if overshot:
        # One rate for all of them, as a rule: the fault is told once.
        yield _finding(record, max(overshot, key=_growth))


def _overshoots(event: Event) -> bool:
    details = event.details
    count, compared = int(details.get("count") or 0), int(details.get("compared") or 0)
    if count < FEWEST or not compared or _growth(event) < GROWN:
        return False
    return int(details.get("reversed") or 0) >= TURNED * compared


def _growth(event: Event) -> float:
    first, largest = event.details.get("first"), event.details.get("largest")
    if not isinstance(first, (int, float)) or not isinstance(largest, (int, float)) or not first > 0:
        return 0.0
    logarithm = math.log10(largest) - math.log10(first) if largest > 0 else 0.0
    return math.pow(10.0, min(logarithm, 300.0))


def _finding(record: Record, event: Event) -> Finding:
    details = event.details
    variable, rate, lost = str(details.get("variable")), details.get("rate"), details.get("lost_at")
    first, largest = float(details["first"]), float(details["largest"])
    place = place_of(event.site)
    here = Location(place.file, place.line, place.function) if place is not None else Location()
    where = where_of_rate(record, event.site) or here
    with_rate = f" of {number(rate)}" if isinstance(rate, (int, float)) else ""
    end = f", until they are lost at step {lost}" if isinstance(lost, int) else ""
    return RULE.finding(
        replace(where, phase="optimizer"),
        f"The learning rate{with_rate} is too large: the updates of `{variable}` grow from {number(first)} to "
        f"{number(largest)} and keep turning round{end}.",
        step=0,
        evidence=[
            Evidence("largest update over the first ones", _growth(event), "", GROWN),
            Evidence(
                "updates that point against the one before", int(details["reversed"]), f"of {details['compared']}"
            ),
            Evidence("updates seen", int(details["count"])),
        ],
        fixes=[
            Fix("a smaller learning rate", "lr = 0.1 * lr  # and again, until the loss falls from the first step on"),
            Fix("inputs of unit scale", "x = (x - x.mean(axis=0)) / x.std(axis=0)"),
        ],
    )
