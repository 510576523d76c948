"""A tensor grown by concatenation in a loop.

## What it sees
`torch.cat` (or `hstack`, `vstack`, `append`) at one place, again and again, each time with its own last result as an
operand, so that everything gathered so far is copied once more for every piece that is added.

## Why it matters
n pieces cost n² / 2 copies: 6,000 rows are copied 18 million times. The loop starts fast and gets slower as it goes.

## A program that shows it
```python
import torch

rows = torch.empty(0, 512)
for step in range(600):
    rows = torch.cat([rows, torch.ones(1, 512)])
```

## What to do instead
Keep the pieces in a list, and concatenate once behind the loop; or make room beforehand and write into it.
```python
import torch

pieces = []
for step in range(600):
    pieces.append(torch.ones(1, 512))
rows = torch.cat(pieces)
```
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.interpreter.shares import NOTICEABLE, cost
from wellposed.rules.tracing import location, origin

RULE = Rule(
    name="growing-concatenation",
    code="P301",
    cause="python-overhead",
    summary="a loop copies all that it has gathered for every piece it adds",
)

FEWEST_LINKS = 30
"""Concatenations in a row: n pieces are copied about n / 2 times each."""
LEAST_COPIED = 4_000_000
"""Elements copied in vain below which it takes less than a few milliseconds, whatever its share."""
_BASES = ("cat", "hstack", "vstack", "concatenate", "append")


def check(record: Record) -> Iterator[Finding]:
    places: dict[tuple[int, int], list[Operation]] = defaultdict(list)
    for operation in record.operations(*_BASES):
        # Inside a library (a model's cache of keys and values) it is not the user's to change.
        if operation.site is not None and operation.site.library_file is None and operation.phase == "forward":
            places[operation.step, operation.site.id].append(operation)
    told: set[int] = set()
    for (step, site), found in places.items():
        chain = _chain(record, found)
        if site in told or len(chain) < FEWEST_LINKS:
            continue
        finding = _finding(record, step, chain)
        if finding is not None:
            told.add(site)
            yield finding


def _chain(record: Record, found: list[Operation]) -> list[Operation]:
    """Those that read what an earlier one of them made."""
    ids = {each.id for each in found}
    chain = []
    for each in found:
        before = [origin(record, operand) for operand in each.inputs]
        if any(made is not None and made.id in ids for made in before):
            chain.append(each)
    return chain


def _finding(record: Record, step: int, chain: list[Operation]) -> Finding | None:
    sizes = [math.prod(each.output.shape) for each in chain if each.output is not None]
    copied = sum(sizes) - max(sizes)
    lost = cost(record, step, chain)
    if copied < LEAST_COPIED or lost.share < NOTICEABLE:
        return None
    return RULE.finding(
        location(chain[-1]),
        f"What this loop gathers is copied whole for every piece it adds: {len(chain):,} times, {copied:,} elements "
        f"for a result of {max(sizes):,}; about {lost.share:.0%} of the time.",
        severity="warning",
        role="advice",
        step=step,
        evidence=[
            Evidence("concatenations in a row", len(chain), "", FEWEST_LINKS),
            Evidence("elements copied in vain", copied, "", LEAST_COPIED),
            *lost.evidence(),
        ],
        fixes=[
            Fix("gather in a list, concatenate once", "pieces.append(piece)  # in the loop\nrows = torch.cat(pieces)")
        ],
        operations=[chain[-1].id],
    )
