"""A normalisation whose mean and deviation are taken over one or two values.

## What it sees
A layer, group, instance or batch normalisation, or one written by hand (`x - x.mean(dim)`), whose statistics are over
a single value, so that its result is exactly zero whatever entered; or over two, so that it is one of +1 and -1:
`nn.LayerNorm(1)` on a score, `x.mean(0)` of a batch of one, `nn.GroupNorm(C, C)` on vectors. A softmax over a dimension
of one element is the same fault: its weights are all 1. It is a root where the loss does not improve or where the
softmax has another dimension to compete over, and advice elsewhere.

## Why it matters
The mean of one value is that value: what is left after subtracting it says nothing of the input. Every sample gets the
same output (the layer's bias), and no gradient reaches what lies before. The standard deviation of one value by n - 1
is 0 / 0: see `mean-of-nothing`.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1), nn.LayerNorm(1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
x = torch.randn(256, 8)
y = 2 * x[:, :1] - x[:, 1:2]
for step in range(40):
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Normalise over the features of a layer, or over a batch of many samples, and leave the last output as it is.
```python
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 32), nn.LayerNorm(32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
x = torch.randn(256, 8)
y = 2 * x[:, :1] - x[:, 1:2]
for step in range(40):
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operand, Operation, Record
from wellposed.rules.numerics.harm import stuck
from wellposed.rules.numerics.layers import producing_layer
from wellposed.rules.numerics.places import line_of_module
from wellposed.rules.numerics.trends import full_steps
from wellposed.rules.tracing import location, producer

RULE = Rule(
    name="statistics-of-few",
    code="N277",
    cause="missing-normalisation",
    summary="a normalisation takes mean and deviation of one or two values, and leaves nothing of its input",
    specificity=1,
)

FEW = 2
"""Of n values the normalised ones keep n - 2 degrees of freedom: none of one or two."""
_NORMALISATIONS = (
    "native_layer_norm",
    "_fused_rms_norm",
    "native_group_norm",
    "native_batch_norm",
    "cudnn_batch_norm",
    "_native_batch_norm_legit",
    "_batch_norm_with_update",
    "_native_batch_norm_legit_functional",
)


def check(record: Record) -> Iterator[Finding]:
    steps = full_steps(record, most=2)
    told: set[tuple[str | None, int | None]] = set()
    for step in steps:
        for operation in record.operations("_softmax", "_log_softmax", step=step, phase="forward"):
            if _over_one(record, operation):
                yield _of_softmax(record, operation)
                return
        for operation in record.operations(*_NORMALISATIONS, "sub", step=step, phase="forward"):
            count = _values(record, operation)
            if count is None or count > FEW:
                continue
            finding = _finding(record, operation, count)
            if (finding.where.file, finding.where.line) not in told:
                told.add((finding.where.file, finding.where.line))
                yield finding


def _values(record: Record, operation: Operation) -> int | None:
    """Over how many values each mean is taken; None where it is no normalisation, or does not use the batch's own."""
    given = operation.arguments
    source = operation.inputs[0] if operation.inputs else None
    if source is None or not source.shape or source.statistics is None:
        return None
    if operation.base == "sub":
        return _by_hand(record, operation, source)
    if operation.base == "native_layer_norm":
        shape = given.get("normalized_shape")
        return math.prod(shape) if isinstance(shape, list) and all(isinstance(each, int) for each in shape) else None
    if operation.base == "native_group_norm":
        channels, positions, groups = given.get("C"), given.get("HxW"), given.get("group")
        if isinstance(channels, int) and isinstance(positions, int) and isinstance(groups, int) and groups > 0:
            return channels * positions // groups
        return None
    if "batch_norm" in operation.base and len(source.shape) >= 2 and given.get("training", given.get("train", True)):
        return math.prod(source.shape) // max(1, source.shape[1])
    return None


def _by_hand(record: Record, operation: Operation, source: Operand) -> int | None:
    """Of ``x - x.mean(dim)``: how many values each mean is of, where these are all the same value as the mean."""
    if len(operation.inputs) < 2 or operation.arguments.get("alpha", 1) != 1:
        return None
    mean = producer(record, operation.inputs[1])
    if mean is None or mean.base != "mean" or not mean.inputs or mean.inputs[0].producer != source.producer:
        return None
    output = operation.output
    if source.producer is None or mean.inputs[0].shape != source.shape or output is None or output.statistics is None:
        return None
    left = math.prod(mean.output.shape) if mean.output is not None else 0
    count = math.prod(source.shape)
    if left == 0 or count % left or output.statistics.zero != output.statistics.count:
        return None
    return count // left if count // left == 1 else None


def _over_one(record: Record, operation: Operation) -> bool:
    """Whether a softmax has a single class to choose from, which a layer of one output scored."""
    output, dimension = operation.output, operation.arguments.get("dim")
    if output is None or not output.shape or not isinstance(dimension, int) or output.shape[dimension] != 1:
        return False
    if math.prod(output.shape) < 2:
        return False
    layer = producing_layer(record, operation)
    return layer is not None and layer.operation.output is not None and layer.operation.output.shape[-1] == 1


def _of_softmax(record: Record, operation: Operation) -> Finding:
    harm = stuck(record)
    shape = operation.output.shape if operation.output is not None else ()
    dimension = operation.arguments["dim"]
    wrong_axis = any(size > 1 for size in shape[1:])
    return RULE.finding(
        location(operation),
        f"The softmax runs over dimension {dimension} of shape {' x '.join(map(str, shape))}, which has one element: "
        f"every weight is exactly 1, and what computed the scores gets no gradient"
        f"{', ' + harm.words if harm is not None else ''}.",
        severity="error" if harm is not None or wrong_axis else "note",
        role="root" if harm is not None or wrong_axis else "advice",
        step=operation.step,
        evidence=[
            Evidence("values in each softmax", 1, "", FEW),
            Evidence("shape that enters", " x ".join(map(str, shape))),
        ],
        fixes=[
            Fix(
                "the axis over which the scores compete",
                "weights = torch.softmax(scores, dim=1)  # not dim=-1 of size 1",
            ),
            Fix("a single score is a sigmoid's", "torch.sigmoid(score)  # with BCEWithLogitsLoss on the score itself"),
        ],
        operations=[operation.id],
    )


def _finding(record: Record, operation: Operation, count: int) -> Finding:
    harm = stuck(record)
    what = "hand-written normalisation" if operation.base == "sub" else f"`{operation.base}`"
    left = "exactly zero whatever enters" if count == 1 else "+1 and -1 whatever enters"
    outcome = harm.words if harm is not None else "though the loss improves"
    values = "a single value" if count == 1 else "two values"
    shape = operation.inputs[0].shape
    return RULE.finding(
        line_of_module(record, operation),
        f"The {what} takes its statistics of {values}: before scale and shift it gives {left}, {outcome}.",
        severity="error" if harm is not None else "note",
        role="root" if harm is not None else "advice",
        step=operation.step,
        evidence=[
            Evidence("values in each mean", count, "", FEW),
            Evidence("shape that enters", " x ".join(map(str, shape))),
        ],
        fixes=[
            Fix("normalise over the features of a layer", "nn.LayerNorm(width)  # width: hundreds, not 1"),
            Fix(
                "give a batch normalisation several samples", "loader = DataLoader(data, batch_size=32, drop_last=True)"
            ),
            Fix("leave the output as it is", "return self.head(h)  # no normalisation after it"),
        ],
        operations=[operation.id],
    )
