"""Units of a ReLU that never fire.

## What it sees
A ReLU whose output is zero for every element, in all steps that were looked at: no gradient passes it any more. Or, in
the layers before ReLUs, more than half of the units without any gradient over three measured steps up to the end. It is
a root where the loss does not improve or is lost, and where the dead layer is all that leads to the layers before it.

## Why it matters
Left of zero a ReLU's derivative is exactly zero. A unit that is negative for every sample gets no gradient, so nothing
can bring it back: a large negative bias, a narrow and deep stack or one oversized update kills it for good.

## A program that shows it
```python
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
nn.init.constant_(model[0].bias, -20.0)
x = torch.randn(128, 8)
y = x.abs().sum(1, keepdim=True)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(20):
    loss = (model(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Start biases at zero, centre the input, use a leaky ReLU or GELU where units keep dying, and no ReLU at all on an output
that has to reach negative values.
```python
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
nn.init.zeros_(model[0].bias)
x = torch.randn(128, 8)
y = x.abs().sum(1, keepdim=True)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(20):
    loss = (model(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Operation, Parameter, Record
from wellposed.rules.numerics.data.origins import is_data
from wellposed.rules.numerics.formulas import after
from wellposed.rules.numerics.gradient_flow import passages, silent
from wellposed.rules.numerics.harm import Harm, harm_of
from wellposed.rules.numerics.layers import (
    Layer,
    activation_after,
    at_each_place,
    first_uses,
    is_relu,
    made_by,
    producing_layer,
)
from wellposed.rules.numerics.places import place_of_activation, place_of_start
from wellposed.rules.numerics.trends import full_steps, loss_trend
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import SAME_VALUES

RULE = Rule(
    name="dead-relu",
    code="N223",
    cause="dead-relu",
    summary="a ReLU passes nothing on, for any sample",
)

MOST = 0.5
"""Share of a layer's units without any gradient from which on the layer is dying (SageMaker Debugger asks for half of
the units to be inactive; AutoTrainer, ICSE 2021, for 70 % of zero gradients)."""
FAR_FROM_SOLVED = 0.3
"""Late loss over the first: what is solved may leave outputs silent."""
NARROW = 4
"""Units per layer: so few die together by chance, and a deep stack of them is born dead (Lu et al., arXiv
1903.06733)."""
HEAVY = 0.5
"""A bias this many standard deviations of the layer's output below zero silences most units."""
_RELUS = ("relu", "threshold", "clamp_min", "relu6")


def check(record: Record) -> Iterator[Finding]:
    harm = harm_of(record)
    steps = full_steps(record, most=6)
    if not steps or loss_trend(record) is None:
        return
    dead = _dead_from(record, steps)
    if dead is not None and (harm is not None or _nothing_learns(record)):
        words = harm.words if harm is not None else "and most weights never had a gradient"
        yield _whole_layer(record, *dead, words=words)
    elif dead is None:
        answers = _bounded_answers(record, steps)
        yield from [answers] if answers is not None else _most_units(record, steps, harm)


def _bounded_answers(record: Record, steps: list[int]) -> Finding | None:
    """A ReLU on the logits: a class whose logit is negative for every sample is never learned."""
    trend, found = loss_trend(record), []
    for step in steps[-3:]:
        for operation in record.operations(*_RELUS, step=step, phase="forward"):
            uses = [use.base for use in after(record, operation, SAME_VALUES)]
            if operation.call == 0 and is_relu(operation) and "_log_softmax" in uses:
                found.append(operation)
    shares = [each.output.statistics.zero / each.output.statistics.count for each in found if _measured(each)]  # type: ignore[union-attr]
    if not shares or trend is None or not trend.late > FAR_FROM_SOLVED * abs(trend.first) or min(shares) < MOST:
        return None
    operation = found[-1]
    return RULE.finding(
        place_of_activation(record, operation, producing_layer(record, operation)),
        f"The logits pass a ReLU before the softmax, and {number(100 * shares[-1])} % of them are zero: a class "
        f"whose logit "
        f"is negative gets no gradient, and the loss is {number(trend.late)} where it began at {number(trend.first)}.",
        step=steps[0],
        evidence=[
            Evidence("share of the logits that are zero", shares[-1], "", MOST),
            Evidence("median loss, last fifth of the steps", trend.late),
        ],
        fixes=_fixes(),
        operations=[operation.id],
    )


def _measured(operation: Operation) -> bool:
    output = operation.output
    return output is not None and output.statistics is not None and output.statistics.count > 0


def _nothing_learns(record: Record) -> bool:
    """Whether half of the weight matrices and more had no gradient at any measured step."""
    matrices = {each.id for each in record.parameters() if len(each.shape) >= 2}
    rows = [row for row in record.parameter_steps() if row.parameter in matrices and row.gradient is not None]
    measured = {row.parameter for row in rows}
    moved = {row.parameter for row in rows if row.gradient is not None and row.gradient.root_mean_square > 0}
    return len({row.step for row in rows}) >= 3 and 2 * len(measured - moved) >= max(1, len(measured))


def _dead_from(record: Record, steps: list[int]) -> tuple[Operation, int, int] | None:
    """The first ReLU that is dead at the last step, the first step from which on it was, and how many were dead."""
    last = steps[-1]
    dead: list[tuple[Operation, int]] = []
    for seen in at_each_place(record, _RELUS, steps):
        if last in seen and is_relu(seen[last]) and _dead(seen[last]):
            steps_seen = sorted(seen)
            while not _dead(seen[steps_seen[0]]):
                steps_seen.pop(0)
            begins = steps_seen[0]
            if all(_dead(seen[step]) for step in steps_seen) and _trains(record, seen[begins]):
                dead.append((seen[begins], begins))
    if not dead:
        return None
    first, since = min(dead, key=lambda each: (each[1], each[0].id))
    return first, since, len(dead)


def _dead(operation: Operation) -> bool:
    output = operation.output
    return output is not None and output.statistics is not None and silent(output.statistics)


def _trains(record: Record, operation: Operation) -> bool:
    """Whether a weight lies before it, so that something could have been learned through it."""
    return bool(operation.inputs) and not is_data(record, operation.inputs[0])


def _whole_layer(record: Record, operation: Operation, since: int, count: int, *, words: str) -> Finding:
    layer = producing_layer(record, operation)
    biased = _negative_bias(record, layer) if since == _first(record) else None
    where = _place(record, operation, layer, biased, count)
    entering = operation.inputs[0].statistics if operation.inputs else None
    evidence = [Evidence("share of zeros in its output", 1.0, "", 0.999), Evidence("dead since step", since)]
    if entering is not None:
        evidence.append(Evidence("largest value that enters it", entering.maximum, "", 0.0))
        evidence.append(Evidence("mean of what enters it", entering.mean))
    if biased is not None and biased.initial is not None:
        evidence.append(Evidence(f"mean of {biased.name} at the start", biased.initial.mean))
    if count > 1:
        evidence.append(Evidence("ReLUs that are dead", count))
    cause_words = (
        f" since its bias starts at {number(biased.initial.mean)}" if biased is not None and biased.initial else ""
    )
    when = "from the first step" if since == _first(record) else f"from step {since} on"
    return RULE.finding(
        where,
        f"A ReLU outputs zero for every element {when}{cause_words}: no gradient passes it, {words}.",
        step=since,
        evidence=evidence,
        fixes=_fixes(),
        operations=[operation.id],
    )


def _place(record: Record, operation: Operation, layer: Layer | None, biased: Parameter | None, count: int) -> Location:
    """Where it can be changed: the bias that keeps it silent, the stack that was born dead, or the ReLU itself."""
    if biased is not None:
        found = place_of_start(record, biased)
        if found is not None:
            return found
    stack = [each for each in first_uses(record, operation.step) if each.weight.site is not None]
    narrow = [each for each in stack if each.weight.shape[0] <= NARROW]
    if count > 1 and 2 * len(narrow) > len(stack) and stack[0].weight.site is not None:
        site = stack[0].weight.site
        return Location(site.file, site.line, site.function or None, operator=operation.operator, phase="forward")
    return place_of_activation(record, operation, layer)


def _negative_bias(record: Record, layer: Layer | None) -> Parameter | None:
    """The bias of the layer, where somebody set it so far below zero that it keeps most units silent."""
    if layer is None or layer.leaving is None:
        return None
    owner = layer.weight.name.rpartition(".")[0]
    bias = next((each for each in record.parameters() if each.name == f"{owner}.bias"), None)
    if bias is None or bias.initial is None or bias.initial.mean > -HEAVY * layer.leaving.standard_deviation:
        return None
    made = made_by(record, bias)
    return bias if made is None or made.base != "uniform" else None  # nn.Linear draws its own


def _most_units(record: Record, steps: list[int], harm: Harm | None) -> Iterator[Finding]:
    """Layers before ReLUs most of whose units had no gradient in any of the last measured steps."""
    rows = {row.parameter: row for step in record.gradient_steps()[-1:] for row in record.parameter_steps(step=step)}
    early = {row.parameter: row for step in record.gradient_steps()[:4] for row in record.parameter_steps(step=step)}
    found: list[tuple[Layer, int, bool]] = []
    hidden = 0
    for layer in first_uses(record, steps[0]):
        activation = activation_after(record, layer.operation)
        if activation is None or activation.base not in _RELUS or not is_relu(activation):
            continue
        hidden += 1
        row, units = rows.get(layer.weight.id), layer.weight.shape[0]
        if row is None or row.silent_units is None or units < 2 or row.silent_units <= MOST * units:
            continue
        if not _gets_a_gradient(record, layer, steps[-1]):
            continue
        at_first = early.get(layer.weight.id)
        before = at_first is not None and (at_first.silent_units or 0) > MOST * units
        found.append((layer, row.silent_units, before))
    on_output = bool(found) and _is_last(record, found[-1][0], steps[0])
    if not found or (2 * len(found) < hidden and not on_output) or (harm is None and not on_output):
        return
    if on_output:
        found = found[-1:]
    words = harm.words if harm is not None else "and the answers that it should give are out of its reach"
    layer, count, from_the_start = found[0]
    activation = activation_after(record, layer.operation)
    biased = _negative_bias(record, layer) if from_the_start else None
    where = place_of_start(record, biased) if biased is not None else None
    where = where or place_of_activation(record, activation or layer.operation, layer)
    units = layer.weight.shape[0]
    yield RULE.finding(
        where or Location(),
        f"{count} of {units} units of {layer.weight.name.rpartition('.')[0]} had no gradient over the last measured "
        f"steps: they fire for no sample, {words}.",
        step=record.gradient_steps()[0 if from_the_start else -1],
        evidence=[
            Evidence("units without a gradient", count, f"of {units}", MOST * units),
            Evidence("layers before a ReLU of which that is true", len(found), f"of {hidden}"),
            Evidence("from the start", "yes" if from_the_start else "no, they died on the way"),
        ],
        fixes=_fixes(),
        operations=[activation.id] if activation is not None else [],
        confidence="likely",
        settled_by="The share of zeros in the output of each ReLU over a whole pass through the data.",
    )


def _gets_a_gradient(record: Record, layer: Layer, step: int) -> bool:
    """Whether a gradient comes as far as the ReLU after the layer, so that the ReLU is what stops it."""
    again = next((each for each in first_uses(record, step) if each.weight.id == layer.weight.id), None)
    activation = activation_after(record, again.operation) if again is not None else None
    if activation is None:
        return False
    came = [each for each in passages(record, step) if each.forward.id == activation.id]
    return any(not silent(each.arrived) for each in came)


def _is_last(record: Record, layer: Layer, step: int) -> bool:
    """Whether no other layer follows its ReLU: then it bounds the answers of the model."""
    trend = loss_trend(record)
    used = first_uses(record, step)
    rests = trend is not None and trend.late > FAR_FROM_SOLVED * abs(trend.first)
    return bool(used) and used[-1].weight.id == layer.weight.id and rests


def _first(record: Record) -> int:
    return next((step.id for step in record.steps()), 0)


def _fixes() -> list[Fix]:
    return [
        Fix("start biases at zero", "nn.init.zeros_(layer.bias)"),
        Fix("an activation with a slope on both sides", "nn.LeakyReLU(0.01)  # or nn.GELU()"),
        Fix("no ReLU on an output that has to reach negative values", "return self.head(h)  # not relu(self.head(h))"),
    ]
