"""Outputs that a clamp holds at its bound.

## What it sees
A clamp (hardtanh, ReLU6) of which every element lies at or beyond a bound, from the first step on, on the way from the
weights to the loss: what leaves it is constant, and no gradient passes.

## Why it matters
The derivative beyond the bound is exactly zero. A model that starts outside can never come back in, however wrong its
answers are, and the loss stays the same to the last digit.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(8, 1)
nn.init.constant_(model.bias, 4.0)
x = torch.randn(128, 8)
y = torch.rand(128, 1)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(20):
    loss = (model(x).clamp(0, 1) - y).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Train on what is not clamped, and clamp for evaluation alone.
```python
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(8, 1)
nn.init.constant_(model.bias, 4.0)
x = torch.randn(128, 8)
y = torch.rand(128, 1)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-1)
for step in range(20):
    loss = (model(x) - y).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.gradient_flow import Passage, passages, silent
from wellposed.rules.numerics.harm import Harm, harm_of
from wellposed.rules.numerics.layers import producing_layer
from wellposed.rules.numerics.places import place_of_activation
from wellposed.rules.numerics.trends import full_steps
from wellposed.rules.numerics.wording import number

RULE = Rule(
    name="pinned-output",
    code="N225",
    cause="saturation",
    summary="a clamp holds every element at its bound, and no gradient passes",
)

NEARLY_ALL = 0.98
"""Share of exact zeros in the gradient that leaves the clamp: what is left teaches next to nothing."""
_CLAMPS = frozenset({"clamp", "clamp_min", "clamp_max", "hardtanh", "hardsigmoid", "relu6", "minimum", "maximum"})


def check(record: Record) -> Iterator[Finding]:
    harm = harm_of(record)
    steps = full_steps(record, most=6)
    if harm is None or len(steps) < 2:
        return
    pinned: dict[tuple[object, ...], list[Passage]] = {}
    for step in (steps[0], steps[-1]):
        for passage in passages(record, step):
            if _is_pinned(passage):
                place = passage.forward.site.id if passage.forward.site else None
                pinned.setdefault((place, passage.forward.module, passage.forward.base), []).append(passage)
    for found in pinned.values():
        if {each.forward.step for each in found} == {steps[0], steps[-1]}:
            yield _finding(record, found[0], harm)
            return


def _is_pinned(passage: Passage) -> bool:
    operation = passage.forward
    if operation.base not in _CLAMPS or _is_relu(operation) or silent(passage.arrived):
        return False
    if operation.base in ("minimum", "maximum") and not _bounds(operation):
        return False
    return passage.left.count > 0 and passage.left.zero >= NEARLY_ALL * passage.left.count


def _bounds(operation: Operation) -> bool:
    """Whether the larger or smaller of two tensors is taken to bound one by a number: of two branches of a loss each
    has its share, and the gradient of one says nothing of the other."""
    return len(operation.inputs) > 1 and math.prod(operation.inputs[1].shape) == 1


def _is_relu(operation: Operation) -> bool:
    return operation.base == "clamp_min" and operation.arguments.get("min") == 0


def _finding(record: Record, passage: Passage, harm: Harm) -> Finding:
    operation = passage.forward
    entering = operation.inputs[0].statistics if operation.inputs else None
    output = operation.output.statistics if operation.output else None
    given = operation.arguments
    bounds = [f"{name} {given[name]}" for name in ("min", "max", "min_val", "max_val") if name in given]
    evidence = [Evidence("share of its gradient that is exactly zero", passage.left.zero / passage.left.count, "", 1.0)]
    if entering is not None and output is not None:
        evidence.append(Evidence("smallest value that enters", entering.minimum))
        evidence.append(Evidence("largest value that enters", entering.maximum))
        evidence.append(Evidence("mean of what leaves", output.mean))
    value = f" at {number(output.mean)}" if output is not None else ""
    return RULE.finding(
        place_of_activation(record, operation, producing_layer(record, operation)),
        f"The clamp ({', '.join(bounds) or operation.base}) holds its outputs{value} from the first step on: no "
        f"gradient "
        f"passes it, {harm.words}.",
        step=operation.step,
        evidence=evidence,
        fixes=[
            Fix("clamp for evaluation alone", "y = y if self.training else y.clamp(0, 1)"),
            Fix("a smooth bound on logits that start at 0", "y = torch.sigmoid(logits)"),
        ],
        operations=[operation.id],
    )
