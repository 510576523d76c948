"""Differences of unsigned integers that wrap around.

## What it sees
A subtraction of unsigned integers whose result is larger than what was subtracted from: somewhere it was negative, and
came out near 255.

## Why it matters
A uint8 holds 0 to 255, and 3 − 5 is 254 in it. Frame differences, residuals and centred pixels are full of such jumps,
and nothing warns.

## A program that shows it
```python
import torch

torch.manual_seed(0)
first = torch.randint(0, 100, (4, 8, 8), dtype=torch.uint8)
second = torch.randint(0, 100, (4, 8, 8), dtype=torch.uint8)
difference = (second - first).float() / 255
```

## What to do instead
Subtract in a signed or floating type.
```python
import torch

torch.manual_seed(0)
first = torch.randint(0, 100, (4, 8, 8), dtype=torch.uint8)
second = torch.randint(0, 100, (4, 8, 8), dtype=torch.uint8)
difference = (second.float() - first.float()) / 255
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Record
from wellposed.rules.numerics.data.origins import difference_of_unsigned, entering, place_of_data
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import first_at_each_place, location

# Signed differences are other numbers: that is the point.
CHANGES_MEANING = True

RULE = Rule(
    name="unsigned-wraparound",
    code="N297",
    cause="bad-data",
    summary="a difference of unsigned integers wraps around",
)

_UNSIGNED = ("uint8", "uint16", "uint32", "uint64")


def check(record: Record) -> Iterator[Finding]:
    yield from _in_torch(record)
    yield from _in_numpy(record)


def _in_numpy(record: Record) -> Iterator[Finding]:
    """NumPy runs unseen: there the text tells of a difference of arrays of unsigned integers, and the data that enters
    the model holds not a single negative value."""
    steps = record.gradient_steps()
    if not steps:
        return
    for operation, data in entering(record, steps[0]):
        values = data.statistics
        if values is None or not values.count or values.minimum < 0 or values.standard_deviation == 0:
            continue
        found = difference_of_unsigned(record, place_of_data(record, data, operation))
        if found is not None:
            where, text = found
            yield RULE.finding(
                where,
                f"`{text}` subtracts arrays of unsigned integers, which wraps around: of {values.count} differences "
                f"that "
                "enter the model not one is negative.",
                step=operation.step,
                evidence=[
                    Evidence("smallest difference", values.minimum, "", 0.0),
                    Evidence("largest difference", values.maximum),
                ],
                fixes=[Fix("subtract in floating point", "motion = after.astype(np.float32) - before")],
                operations=[operation.id],
            )
            return


def _in_torch(record: Record) -> Iterator[Finding]:
    for dtype in _UNSIGNED:
        for operation in first_at_each_place(record.operations("sub", dtype=dtype, phase="forward")):
            start = operation.inputs[0].statistics if operation.inputs else None
            output = operation.output.statistics if operation.output else None
            if start is None or output is None or operation.inputs[0].dtype != dtype or not output.count:
                continue
            if output.maximum > start.maximum:
                yield RULE.finding(
                    location(operation),
                    f"This difference of {dtype} values wraps around: nothing that is subtracted from exceeds "
                    f"{number(start.maximum)}, yet results reach {number(output.maximum)}.",
                    step=operation.step,
                    evidence=[
                        Evidence("largest value subtracted from", start.maximum),
                        Evidence("largest result", output.maximum, "", start.maximum),
                    ],
                    fixes=[Fix("subtract in floating point", "difference = second.float() - first.float()")],
                    operations=[operation.id],
                )
