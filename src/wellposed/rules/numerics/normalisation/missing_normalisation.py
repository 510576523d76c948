"""Values that grow or shrink by a steady factor at every layer, with sound weights.

## What it sees
The first forward pass: the rms of what enters each layer follows c^L over depth, thirtyfold and more from the first
to the last, although the weights themselves have a sound size for their fan-in. The factor comes from the structure:
residual branches added without a scale, sums over neighbours, no normalisation between the layers. It is a root where
the loss is lost, grows or does not improve.

## Why it matters
Variance is multiplied by c at every layer, forward and backward, so that L layers multiply it by c^L: 1.7 per block is
three hundred thousand after 24 blocks. The output and the gradient are far from unit scale before the first update, and
no learning rate suits both ends.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
branches = nn.ModuleList(nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32)) for _ in range(24))
for branch in branches:
    nn.init.kaiming_normal_(branch[0].weight, nonlinearity="relu")
    nn.init.xavier_normal_(branch[2].weight)
head = nn.Linear(32, 2)
x = torch.randn(128, 32)
y = (x[:, 0] > 0).long()
optimizer = torch.optim.SGD([*branches.parameters(), *head.parameters()], lr=0.05)
for step in range(20):
    h = x
    for branch in branches:
        h = h + branch(h)
    loss = nn.functional.cross_entropy(head(h), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Normalise what enters each block, or scale the branches by 1/sqrt(depth); divide a sum over neighbours by their number.
```python
import torch
from torch import nn

torch.manual_seed(0)
branches = nn.ModuleList(
    nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32)) for _ in range(24)
)
for branch in branches:
    nn.init.kaiming_normal_(branch[1].weight, nonlinearity="relu")
    nn.init.xavier_normal_(branch[3].weight)
head = nn.Linear(32, 2)
x = torch.randn(128, 32)
y = (x[:, 0] > 0).long()
optimizer = torch.optim.SGD([*branches.parameters(), *head.parameters()], lr=0.05)
for step in range(20):
    h = x
    for branch in branches:
        h = h + branch(h)
    loss = nn.functional.cross_entropy(head(h / len(branches) ** 0.5), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Location, Rule, Series
from wellposed.record import Operation, Record
from wellposed.rules.numerics.harm import Harm, harm_of
from wellposed.rules.numerics.initialisation.starts import LARGE, SMALL, Start, start_of
from wellposed.rules.numerics.places import line_to_change
from wellposed.rules.numerics.trends import Fit, log_linear
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import location

RULE = Rule(
    name="missing-normalisation",
    code="N275",
    cause="missing-normalisation",
    summary="values grow or shrink by a steady factor at every layer, with sound weights",
)

FEWEST_LAYERS = 5
"""Fewer layers make no depth to speak of."""
FEWEST_BLOCKS = 4
OWN = 0.7
"""Share of the growth (of its logarithm) that the weights' sizes account for."""
GROWN = 30.0
"""Growth (or its inverse) of the rms over all layers. Mean-field theory (Schoenholz et al. 2017) asks for 1 per layer;
Brock et al. 2021 (arXiv 2101.08692) see sound residual networks grow about linearly with depth, tenfold over dozens of
blocks."""
STEADY = 0.7
"""R² of the log rms over depth: below, one layer jumps and no factor describes it."""


def check(record: Record) -> Iterator[Finding]:
    start, harm = start_of(record), harm_of(record)
    if start is None or harm is None or len(start.layers) < FEWEST_LAYERS:
        return
    stream = start.stream()
    signal = [each for each in stream if each > 0]
    fit = log_linear(signal) if len(signal) >= FEWEST_BLOCKS else None
    if fit is None or fit.agreement < STEADY or not SMALL < start.gain < LARGE:
        return
    measured = signal[-1] / signal[0]
    if 1 / GROWN < measured < GROWN or (measured < 1 and harm.kind != "stuck"):
        return
    if start.is_plain and abs(math.log(start.own_growth)) > OWN * abs(math.log(measured)):
        return  # the weights themselves make it: their rules say so
    yield _finding(record, start, fit, signal, harm)


def _finding(record: Record, start: Start, fit: Fit, signal: list[float], harm: Harm) -> Finding:
    measured = signal[-1] / signal[0]
    grows = measured > 1
    found = steepest_line(record, start) if grows else None
    where = residual_line(record, start) or (found[0] if found is not None else _first_layer(start))
    backward = _backward(record, start)
    verb = "grow" if grows else "shrink"
    evidence = [
        Evidence("factor per layer, fitted", fit.factor, "", 1.0),
        Evidence(f"predicted over {fit.places} layers, c^L", fit.total, "", GROWN if grows else 1 / GROWN),
        Evidence("measured over all layers", measured, "", GROWN if grows else 1 / GROWN),
        Evidence("how steady, R² of the logarithms", fit.agreement, "", STEADY),
        Evidence("median of rms · sqrt(fan-in) of the weights", start.gain, "sound: 0.25 to 3"),
    ]
    if backward is not None:
        evidence.append(Evidence("gradient rms, first layer over last", backward))
    return RULE.finding(
        where,
        f"The values {verb} {number(fit.factor)}-fold at every layer, {number(measured)}-fold over {len(start.layers)} "
        f"layers, though the weights have a sound size: nothing normalises them, {harm.words}.",
        step=start.step,
        evidence=evidence,
        fixes=[
            Fix("normalise what enters each block", "h = h + branch(self.norm(h))  # self.norm = nn.LayerNorm(width)"),
            Fix("scale residual branches", "h = h + branch(h) / depth ** 0.5"),
            Fix("average over neighbours", "h = (adjacency @ h) / degree"),
        ],
        series=[
            Series(
                "rms of what enters each layer", tuple(map(str, range(len(signal)))), tuple(signal), logarithmic=True
            )
        ],
    )


def residual_line(record: Record, start: Start) -> Location | None:
    """The line that adds branches to the stream, block after block; None for a model without such."""
    places: dict[int, list[Operation]] = defaultdict(list)
    for operation in record.operations("add", step=start.step, phase="forward"):
        two = len(operation.inputs) == 2 and operation.inputs[0].shape == operation.inputs[1].shape
        computed = two and all(each.producer and not each.label for each in operation.inputs)
        if computed and operation.site is not None and not operation.call and len(operation.inputs[0].shape) >= 2:
            places[operation.site.id].append(operation)
    most = max(places.values(), key=len, default=[])
    return location(most[0]) if len(most) >= FEWEST_BLOCKS else None


def steepest_line(record: Record, start: Start) -> tuple[Location, float] | None:
    """The line of the forward pass on which values grow most in all, and by how much; None where they grow inside
    modules that the user only put together."""
    growth: dict[tuple[str | None, int | None], float] = defaultdict(float)
    some: dict[tuple[str | None, int | None], Location] = {}
    for operation in record.operations(step=start.step, phase="forward"):
        site, output = operation.site, operation.output
        if site is None or operation.is_view or output is None or output.statistics is None or operation.call:
            continue
        largest = max((each.statistics.root_mean_square for each in operation.inputs if each.statistics), default=0.0)
        made = output.statistics.root_mean_square
        if largest > 0 and made > 0 and math.isfinite(made):
            where = line_to_change(record, operation)
            growth[where.file, where.line] += math.log(made / largest)
            some.setdefault((where.file, where.line), where)
    if not growth:
        return None
    line = max(growth, key=lambda each: growth[each])
    return (some[line], math.exp(min(growth[line], 700.0))) if growth[line] > 0 else None


def _first_layer(start: Start) -> Location:
    """Where the stack begins: the line that makes the first layer of the kind that most are of."""
    sites = [layer.weight.site for layer in start.layers if layer.weight.site is not None]
    if not sites:
        return Location(phase="forward")
    lines = [(site.file, site.line) for site in sites]
    common = max(dict.fromkeys(lines), key=lines.count)
    site = sites[lines.index(common)]
    return Location(site.file, site.line, site.function or None, phase="forward")


def _backward(record: Record, start: Start) -> float | None:
    rows = {row.parameter: row.gradient for row in record.parameter_steps(step=start.step)}
    sizes = [
        gradient.root_mean_square
        for layer in start.layers
        if (gradient := rows.get(layer.weight.id)) is not None and gradient.root_mean_square > 0
    ]
    return sizes[0] / sizes[-1] if len(sizes) > 1 else None
