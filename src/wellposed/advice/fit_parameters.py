"""Weights, updates and optimizer states in a narrower format."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterator

from wellposed.advice.fit_gradients import spread_of, worst
from wellposed.advice.fit_model import ParameterFit
from wellposed.advice.formats import Fate, Target, fate_of
from wellposed.record import ParameterStep, Record, Spread
from wellposed.rules.numerics.limits import rounded

_ADAM = "Adam"


def gradients_of(record: Record) -> list[tuple[ParameterStep, Spread | None]]:
    """Every measured gradient with its exponents, where these were counted at that step."""
    counted = {(each.step, each.parameter): spread_of(each) for each in record.exponents()}
    return [(row, counted.get((row.step, row.parameter))) for row in record.parameter_steps() if row.gradient]


def parameters_in(
    record: Record, gradients: list[tuple[ParameterStep, Spread | None]], target: Target, scale: float
) -> Iterator[ParameterFit]:
    """What would become of each parameter, in the order in which they were made."""
    decay = _second_decay(record)
    for parameter in record.parameters():
        own = [(row, spread) for row, spread in gradients if row.parameter == parameter.id]
        ratios = [row.update_ratio for row, _ in own if row.update_ratio]
        ratio = statistics.median(ratios) if ratios else None
        yield ParameterFit(
            name=parameter.name,
            weight=fate_of(parameter.initial, None, target) if parameter.initial else None,
            gradient=worst(fate_of(row.gradient, spread, target) for row, spread in own if row.gradient),
            scaled=worst(fate_of(row.gradient, spread, target, scale) for row, spread in own if row.gradient),
            update_ratio=ratio,
            updates_lost=ratio < target.unit_roundoff / 2 if ratio is not None else None,
            second_moment=worst(_second_moment(row, spread, target, decay) for row, spread in own) if decay else None,
        )


def notes_about(record: Record, parameters: tuple[ParameterFit, ...], target: Target) -> Iterator[str]:
    """What a conversion of weights and optimizer states to the format would meet, a sentence each."""
    measured = [each for each in parameters if each.updates_lost is not None]
    lost = [each for each in measured if each.updates_lost]
    if lost:
        yield (
            f"updates of {len(lost)} of {len(measured)} parameters are below half a spacing of {target.name} weights "
            f"(typical ‖update‖/‖weights‖ {_middle(lost):.2g}, half a spacing is {target.unit_roundoff / 2:.2g} to "
            f"{target.unit_roundoff:.2g}) and would be lost: keep a float32 copy of the weights"
        )
    unheld = [each.name for each in parameters if each.weight is not None and each.weight.overflow]
    if unheld:
        yield f"weights of {', '.join(unheld[:3])} are beyond {target.name}'s {target.limits.largest:g}"
    faint = [
        each.name
        for each in parameters
        if each.weight is not None and each.weight.largest <= target.limits.smallest_normal and each.weight.largest > 0
    ]
    if faint:
        yield f"weights of {', '.join(faint[:3])} are all below {target.name}'s smallest normal number"
    yield from _states(record, parameters, target)


def _states(record: Record, parameters: tuple[ParameterFit, ...], target: Target) -> Iterator[str]:
    decay = _second_decay(record)
    if decay is None:
        return
    vanishing = [each for each in parameters if each.second_moment is not None and each.second_moment.vanish > 0]
    if vanishing:
        share = max(each.second_moment.vanish for each in vanishing if each.second_moment is not None)
        yield (
            f"Adam's second moment (1 − β2)g² begins at zero in {target.name} for up to {100 * share:.0f} % of the "
            f"elements of {len(vanishing)} parameters, and the update divides by its root: keep optimizer states in "
            "float32"
        )
    if 1 - decay < target.unit_roundoff:
        yield (
            f"Adam's second moment cannot decay in {target.name}: 1 − β2 = {1 - decay:.2g} is below the unit roundoff "
            f"{target.unit_roundoff:.2g}, so that it stays at the largest gradients it ever saw"
        )
    for event in record.events("optimizer"):
        eps = event.details.get("eps")
        if isinstance(eps, (int, float)) and eps > 0 and _rounds_to_zero(eps, target):
            yield f"{event.details.get('class')}'s eps {eps:g} is 0 in {target.name}"
            return


def _rounds_to_zero(value: float, target: Target) -> bool:
    return value <= target.vanish or rounded(value, target.name) == 0


def _middle(parameters: list[ParameterFit]) -> float:
    return statistics.median(each.update_ratio for each in parameters if each.update_ratio is not None)


def _second_decay(record: Record) -> float | None:
    """Adam's β2; None where no optimizer of that family was made."""
    for event in record.events("optimizer"):
        betas = event.details.get("betas")
        if _ADAM in str(event.details.get("class")) and isinstance(betas, (list, tuple)) and len(betas) > 1:
            return float(betas[1])
    return None


def _second_moment(row: ParameterStep, spread: Spread | None, target: Target, decay: float) -> Fate:
    """Of (1 − β2) g². A square's exponent is twice that of its root, or one more: the higher is taken, so that the
    share that vanishes is not too large."""
    held = row.gradient
    assert held is not None
    factor = 1 - decay
    squared = dataclasses.replace(
        held,
        minimum=0.0 if held.zero else factor * held.smallest_nonzero**2,
        maximum=factor * held.largest_magnitude**2,
        smallest_nonzero=factor * held.smallest_nonzero**2,
        root_mean_square=factor * held.root_mean_square**2,
    )
    if spread is None:
        return fate_of(squared, None, target)
    shift = math.floor(math.log2(factor)) + 1
    counts = [0] * (2 * len(spread.counts))
    for index, count in enumerate(spread.counts):
        counts[2 * index + 1] = count
    return fate_of(squared, Spread(2 * spread.lowest + shift, tuple(counts), spread.zero), target)
