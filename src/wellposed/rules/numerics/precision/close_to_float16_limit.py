"""Values close to the limit of float16.

## What it sees
A result in float16 above an eighth of its limit of 65504, in a run in which that operator did not overflow.

## Why it matters
Three more bits and it is infinite: a longer sequence, a brighter image, a few more training steps. Models are reported
to work on the author's inputs and to turn NaN on somebody else's for exactly this.

## A program that shows it
```python
import torch

def compute(x):
    return (x * x).sum(-1)

safe = torch.tensor([[1.0, 2.0, 3.0]])
energy = compute(torch.full((4, 16), 30.0, dtype=torch.float16))
```

## What to do instead
Scale the values down first, take the mean instead of the sum, or compute the sum in float32.
```python
import torch

def compute(x):
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return (wide * wide).sum(-1)

safe = torch.tensor([[1.0, 2.0, 3.0]])
energy = compute(torch.full((4, 16), 30.0, dtype=torch.float16))
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Record
from wellposed.rules.numerics.limits import FORMATS
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import location

RULE = Rule(
    name="close-to-float16-limit",
    code="N252",
    cause="float16-range",
    summary="values in float16 come close to its largest number",
)

LIMIT = FORMATS["float16"].largest
CLOSE = LIMIT / 8.0
"""Three bits below the limit: what TransformerEngine and FPChecker warn of as latent overflow."""
MOST = 3


def check(record: Record) -> Iterator[Finding]:
    largest: dict[tuple[str, int], tuple[float, int]] = {}
    overflowed: set[tuple[str, int]] = set()
    for operation in record.operations(phase="forward", dtype="float16"):
        output = operation.output
        if operation.site is None or output is None or output.dtype != "float16" or output.statistics is None:
            continue
        place = operation.site.file, operation.site.line
        if output.nonfinite:
            overflowed.add(place)
        elif output.statistics.largest_magnitude > max(CLOSE, largest.get(place, (0.0, 0))[0]):
            largest[place] = output.statistics.largest_magnitude, operation.id
    close = [each for place, each in largest.items() if place not in overflowed]
    for value, identity in sorted(close, reverse=True)[:MOST]:
        found = record.operation(identity)
        if found is None:
            continue
        yield RULE.finding(
            location(found),
            f"`{found.base.lstrip('_')}` makes {number(value)} in float16, whose limit is {number(LIMIT)}.",
            severity="note",
            role="advice",
            step=found.step,
            evidence=[Evidence("largest magnitude", value, "", CLOSE), Evidence("largest float16", LIMIT)],
            fixes=[
                Fix("compute this in float32", "x.float().square().sum(-1)"),
                Fix("use the range of float32", "torch.autocast(device, dtype=torch.bfloat16)"),
            ],
            operations=[found.id],
        )
