"""The signal over depth: how large each layer's output is on the way in, and each weight's gradient on the way back.

After Brock, De and Smith, "Characterizing signal propagation to close the performance gap in unnormalized ResNets"
(arXiv 2101.08692): in a network that can be trained, neither grows or dies out geometrically with depth.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from wellposed.record import Operation, Parameter, Record, Statistics
from wellposed.report.geometric import steady, told
from wellposed.report.maps import cell, evenly, short
from wellposed.report.text import plain

MOST_ROWS = 50
FEWEST_LAYERS = 3
_MOST_OPERATIONS = 20_000
_FARTHEST_BACK = 40
"""Recorded steps looked through for a late one whose values are finite."""

Profile = dict[str, Statistics]


def propagation(record: Record) -> list[dict[str, Any]]:
    """The way in and the way back, each at the first recorded step and a late one; those that have enough layers."""
    forward = _forward(record)
    order = list(forward[0][1]) if forward else []
    backward = _backward(record, order)
    return [each for each in (_figure_in(record, forward), _figure_back(backward)) if each is not None]


# --- the way in ------------------------------------------------------------------------------------------------


def _forward(record: Record) -> list[tuple[int, Profile]]:
    """Steps with the output of each layer, in order of execution: modules, or operations where there are too few."""
    steps = _forward_steps(record)
    if not steps:
        return []
    for profiled in (_modules, _operations):
        for place, start in enumerate(steps[:3]):
            first = profiled(record, start)
            if len(first) >= FEWEST_LAYERS:
                return _with_late(record, profiled, (start, first), steps[place + 1 :])
    return []


def _with_late(
    record: Record, profiled: Callable[[Record, int], Profile], start: tuple[int, Profile], others: Sequence[int]
) -> list[tuple[int, Profile]]:
    """The first step, and the last of the others that ran the same layers and is mostly finite."""
    first = start[1]
    for step in others[::-1][:_FARTHEST_BACK]:
        late = {key: made for key, made in profiled(record, step).items() if key in first}
        if profiled is _operations and len(late) >= FEWEST_LAYERS and _mostly_finite(late, len(late)):
            # What only the first step did prepared the data.
            return [(start[0], {key: made for key, made in first.items() if key in late}), (step, late)]
        if _mostly_finite(late, len(first)):
            return [start, (step, late)]
    return [start]


def _forward_steps(record: Record) -> list[int]:
    """Steps whose layers are known; the late ones are only those in which most outputs of modules are finite."""
    outputs: dict[int, list[float]] = {}
    for step, _, rms in record.module_outputs():
        outputs.setdefault(step, []).append(rms)
    full = [step.id for step in record.steps() if step.level == "full"]
    if not full:
        return sorted({each.step for each in record.module_steps()})
    finite = {step for step, values in outputs.items() if 2 * sum(map(math.isfinite, values)) >= len(values)}
    return [step for n, step in enumerate(full) if n == 0 or step in finite or step not in outputs]


def _modules(record: Record, step: int) -> Profile:
    """What each module's forward made last; scalars, which are losses, left out."""
    last: dict[str, tuple[int, Statistics]] = {}
    for operation, made in _made(record, step):
        if operation.module:
            last[operation.module] = operation.id, made
    if not last:
        return {each.module: each.output for each in record.module_steps(step=step) if each.output.count > 1}
    ordered = sorted(last.items(), key=lambda item: item[1][0])
    return {module: made for module, (_, made) in ordered if made.count > 1}


def _operations(record: Record, step: int) -> Profile:
    """Every operator's output, named by its line and how often it ran before: a network without modules."""
    found: Profile = {}
    seen: dict[str, int] = {}
    for operation, made in _made(record, step):
        if made.count <= 1 or operation.site is None or not operation.inputs:
            continue
        name = f"{operation.base} {operation.site.file}:{operation.site.line}"
        seen[name] = seen.get(name, 0) + 1
        found[f"{name} ({seen[name]})" if seen[name] > 1 else name] = made
    return found


def _made(record: Record, step: int) -> Iterator[tuple[Operation, Statistics]]:
    for operation in itertools.islice(record.operations(step=step, phase="forward"), _MOST_OPERATIONS):
        output = operation.output
        if output is not None and output.statistics is not None and not operation.is_view:
            yield operation, output.statistics


def _figure_in(record: Record, profiles: Sequence[tuple[int, Profile]]) -> dict[str, Any] | None:
    if not profiles:
        return None
    owners = {_owner(each.name) for each in record.parameters() if _is_matrix(each) and each.module != "Embedding"}
    layers = [key for key in profiles[0][1] if key in owners]
    fitted = layers if len(layers) >= FEWEST_LAYERS else list(profiles[0][1])
    kind = "layer with weights" if fitted is layers else "layer"
    return _figure("output of each layer, in order of execution", "forward", kind, profiles, fitted)


# --- the way back ----------------------------------------------------------------------------------------------


def _backward(record: Record, order: Sequence[str]) -> list[tuple[int, Profile]]:
    """Steps with the gradient of each weight, in the order in which the layers run, as far as that is known."""
    weights = [each for each in record.parameters() if _is_matrix(each)] or record.parameters()
    places = {name: place for place, name in enumerate(order)}
    # A layer that the recorded pass did not show stays behind the one that it was made after.
    keys: dict[int, tuple[int, int]] = {}
    place = -1
    for each in weights:
        place = places.get(_owner(each.name), place)
        keys[each.id] = place, each.id
    names = {each.id: each.name for each in sorted(weights, key=lambda each: keys[each.id])}
    measured = record.gradient_steps()
    bad = {step.id for step in record.steps() if step.gradient_nonfinite}
    first = next(((step, found) for step in measured[:3] if (found := _gradients(record, step, names))), None)
    if first is None or len(first[1]) < FEWEST_LAYERS:
        return []
    for step in [each for each in measured if each > first[0] and each not in bad][::-1][:_FARTHEST_BACK]:
        late = _gradients(record, step, names)
        if _mostly_finite(late, len(first[1])):
            return [first, (step, late)]
    return [first]


def _gradients(record: Record, step: int, names: dict[int, str]) -> Profile:
    rows = {each.parameter: each.gradient for each in record.parameter_steps(step=step) if each.gradient is not None}
    return {name: rows[number] for number, name in names.items() if number in rows}


def _figure_back(profiles: Sequence[tuple[int, Profile]]) -> dict[str, Any] | None:
    if not profiles:
        return None
    layers = list(profiles[0][1])
    return _figure("gradient of each weight, in the same order", "backward", "layer", profiles, layers)


# --- both --------------------------------------------------------------------------------------------------------


def _figure(
    title: str, direction: str, kind: str, profiles: Sequence[tuple[int, Profile]], fitted: Sequence[str]
) -> dict[str, Any]:
    every = list(profiles[0][1])
    # Of too many, those with weights: evenly chosen activations and normalisations would make a zigzag.
    rows = evenly(every if len(every) <= MOST_ROWS else fitted, MOST_ROWS)
    back = direction == "backward"
    way = list(fitted)[::-1] if back else list(fitted)
    layer = f"each {kind} back" if back else f"each {kind}"
    ends = (f"the last {kind}", "the first") if back else (f"the first {kind}", "the last")
    drawn, readings = [], []
    for step, profile in profiles:
        values = [_rms(profile[key]) for key in way if key in profile]
        fit = steady(values)
        line = {key: fit.at(place) for place, key in enumerate(k for k in way if k in profile)} if fit else {}
        drawn.append(
            {
                "step": step,
                "rms": [cell(_rms(profile[key])) if key in profile else None for key in rows],
                "mean": [short(profile[key].mean) if key in profile else None for key in rows],
                "deviation": [short(profile[key].standard_deviation) if key in profile else None for key in rows],
                "fitted": [short(line.get(key)) for key in rows],
            }
        )
        readings.append(f"Step {step}: {told(values, 'the rms', layer, ends)}.")
    return {
        "title": title,
        "direction": direction,
        "rows": [plain(row, 120) for row in rows],
        "all_rows": len(every),
        "profiles": drawn,
        "readings": readings,
    }


def _rms(made: Statistics) -> float:
    return math.nan if made.nonfinite else made.root_mean_square


def _mostly_finite(profile: Profile, of: int) -> bool:
    return 2 * sum(math.isfinite(_rms(each)) for each in profile.values()) >= of > 0


def _owner(parameter: str) -> str:
    """The path of the module that a parameter belongs to."""
    return parameter.rpartition(".")[0]


def _is_matrix(parameter: Parameter) -> bool:
    return len(parameter.shape) > 1
