"""A graph that is cut: weights that no gradient reaches, though the loss depends on them.

## What it sees
Parameters that an optimizer holds, that the forward pass uses, and whose gradient was never there (`None` at three
updates in a row) or exactly zero in every measured step, because something between them and the loss has no
derivative: `detach()`, `.data`, `torch.no_grad()`, `.item()`, `.tolist()`, an `argmax` or a comparison, or a function
whose derivative is zero everywhere (`round`, `floor`, `sign`). Zeros that a clamp or a dead ReLU makes are told by
rules of their own. It is a root where the loss does not improve, and advice where it does.

## Why it matters
Nothing fails: the optimizer skips what has no gradient, and the layers behind the cut stay what they were at random.
The layers after it may still learn something, so that the loss falls a little and then no further.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
encoder = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
head = nn.Linear(4, 1)
optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=1e-2)
x = torch.randn(256, 8)
y = x[:, 5:6] * x[:, 6:7]
for step in range(60):
    code = torch.tanh(encoder(x).detach())
    loss = (head(code) - y).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Leave the graph whole where something is to be learned; where values have to be rounded or chosen, pass the gradient
around that step.
```python
import torch
from torch import nn

torch.manual_seed(0)
encoder = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
head = nn.Linear(4, 1)
optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=1e-2)
x = torch.randn(256, 8)
y = x[:, 5:6] * x[:, 6:7]
for step in range(60):
    code = torch.tanh(encoder(x))
    loss = (head(code) - y).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.harm import stuck
from wellposed.rules.numerics.trends import full_steps
from wellposed.rules.statements import block_without_gradient
from wellposed.rules.tracing import line_of, location

RULE = Rule(
    name="cut-gradient",
    code="N219",
    cause="vanishing-gradient",
    summary="weights that no gradient reaches, because the graph is cut between them and the loss",
    specificity=1,
)

FLAT: Final = frozenset({"round", "floor", "ceil", "trunc", "sign", "fix", "heaviside"})
"""Functions whose derivative is zero wherever it exists; autograd gives exactly 0."""
CHOICES: Final = frozenset(
    {
        "argmax", "argmin", "argsort", "eq", "ne", "gt", "ge", "lt", "le", "bernoulli", "multinomial", "bucketize",
        "searchsorted", "isnan", "nonzero", "floor_divide", "unique", "_unique2",
    }
)  # fmt: skip
"""Functions without a derivative: their results are indices, truth values or draws."""
_LEAVES = re.compile(r"\.detach_?\(|\.data\b|\.item\(|\.tolist\(|\.numpy\(|torch\.(?:as_)?tensor\(|np\.a?s?array\(")
_FEWEST_MEASURED = 3
_FURTHEST = 400
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Cut:
    """Where the graph is cut, and what does it."""

    where: Location
    what: str
    operation: Operation
    certain: bool


def check(record: Record) -> Iterator[Finding]:
    steps = full_steps(record, most=6)
    if not steps:
        return
    missing, flat = _without(record), _exactly_zero(record)
    for names, zero in ((missing, False), (flat, True)):
        cut = _find(record, names, steps[-1], zero=zero) if names else None
        if cut is not None:
            yield _finding(record, names, cut, zero=zero)
            return


def _without(record: Record) -> frozenset[str]:
    """Parameters that ask for a gradient and had none."""
    names: set[str] = set()
    for event in record.events("no-gradient"):
        found = event.details.get("parameters")
        names.update(each for each in found if isinstance(each, str)) if isinstance(found, list) else None
    return frozenset(names - {""})


def _exactly_zero(record: Record) -> frozenset[str]:
    """Parameters whose every gradient was zero in every element."""
    zero: dict[int, list[bool]] = {}
    for row in record.parameter_steps():
        if row.gradient is not None and row.gradient.count:
            zero.setdefault(row.parameter, []).append(row.gradient.zero == row.gradient.count)
    silent = {number for number, each in zero.items() if len(each) >= _FEWEST_MEASURED and all(each)}
    return frozenset(each.name for each in record.parameters() if each.id in silent)


def _find(record: Record, names: frozenset[str], step: int, *, zero: bool) -> Cut | None:
    """The cut that lies first on the way from the first use of one of the parameters to the loss."""
    forward = list(record.operations(step=step, phase="forward"))
    starts = [each for each in forward if any(operand.label in names for operand in each.inputs)]
    if not starts:
        return None
    order: list[Operation] = []
    waiting, seen = list(starts), {each.id for each in starts}
    while waiting and len(order) < _FURTHEST:
        current = waiting.pop(0)
        order.append(current)
        for use in record.consumers(current.id):
            if use.phase == "forward" and use.id not in seen:
                seen.add(use.id)
                waiting.append(use)
    learned = _differentiated(record, step)
    for each in sorted(order, key=lambda each: each.id):
        if each.id in learned and not zero:
            return None  # a gradient came as far as here, and the weights before it have none: not this way
        cut = _cut_at(record, each, zero=zero)
        if cut is not None:
            return cut
    return None


def _differentiated(record: Record, step: int) -> set[int]:
    return {each.forward for each in record.operations(step=step, phase="backward") if each.forward}


def _cut_at(record: Record, operation: Operation, *, zero: bool) -> Cut | None:
    here = location(operation)
    if zero:
        certain = operation.base in FLAT
        return Cut(here, f"the derivative of `{operation.base}` is zero", operation, certain) if certain else None
    if operation.base in CHOICES:
        return Cut(here, f"`{operation.base}` has no derivative", operation, True)
    if operation.base == "_to_copy" and operation.output is not None and "float" not in operation.output.dtype:
        return Cut(here, f"{operation.output.dtype} has no gradient", operation, True)
    block = block_without_gradient(record, operation.site)
    if block is not None:
        where = replace(here, line=block.line)
        return Cut(where, f"`{block.name}` keeps the graph from being built", operation, True)
    found = _LEAVES.search(line_of(record, operation))
    if found is not None:
        return Cut(here, f"`{found.group().strip('.(')}` leaves the graph", operation, True)
    return None


def _finding(record: Record, names: frozenset[str], cut: Cut, *, zero: bool) -> Finding:
    harm = stuck(record)
    some = ", ".join(sorted(names)[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    gradient = "a gradient that is exactly zero" if zero else "no gradient"
    outcome = harm.words if harm is not None else "though the loss improves"
    total = len(record.parameters())
    return RULE.finding(
        cut.where,
        f"{some} get {gradient}: {cut.what}, {outcome}.",
        severity="error" if harm is not None else "note",
        role="root" if harm is not None else "advice",
        step=record.steps()[0].id,
        evidence=[
            Evidence("parameters without a gradient", len(names), "", 0),
            Evidence("parameters in all", total),
            Evidence("what cuts the graph", cut.what),
        ],
        fixes=[
            Fix("keep the graph", "code = encoder(x)  # without .detach(), .item() or torch.no_grad()"),
            Fix("pass the gradient around a step without derivative", "y = x + (x.round() - x).detach()"),
            Fix(
                "freeze them openly, where that is meant",
                "optimizer = torch.optim.Adam(head.parameters())  # and encoder.requires_grad_(False)",
            ),
        ],
        operations=[cut.operation.id],
    )
