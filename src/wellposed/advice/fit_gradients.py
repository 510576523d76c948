"""Gradients in a narrower format: what vanishes, and which loss scale brings it back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from wellposed.advice.fit_model import LossScale
from wellposed.advice.formats import Fate, Target, fate_of
from wellposed.record import Exponents, ParameterStep, Spread

HEADROOM = 8.0
"""Factor left below the overflow: gradients of the next batches are larger than those that were seen, and PyTorch's
GradScaler, which would halve a scale that was too high, loses a step each time."""
_TOLERABLE = 0.05
"""Share of gradients that may be lost, as in the rule float16-underflow: what vanishes is the smallest of them, and a
twentieth of the smallest moves no direction."""
_WEAK = 0.01
"""Share of lost gradients from which a scale is worth having."""


def propose_scale(
    largest: float, gradients: Sequence[tuple[ParameterStep, Spread | None]], target: Target
) -> LossScale | None:
    """The power of two that puts the gradients as high as they may go. `largest` is the largest magnitude in backward,
    of tensors with more than one element: a scalar stays in float32. None where nothing was differentiated."""
    if not largest > 0 or not gradients:
        return None
    lost_without = _lost(gradients, target, 1.0)
    weak_without = _weak(gradients, target)
    highest = 2.0 ** math.floor(math.log2(target.limits.largest / HEADROOM / largest))
    if largest < target.overflow:
        highest = max(1.0, highest)
        nothing = lost_without == 0 and weak_without < _WEAK
        if nothing or (highest == 1.0 and lost_without <= _TOLERABLE):
            reason = f"nothing in backward vanishes or overflows in {target.name} as it is"
            if not nothing:
                reason = f"{_percent(lost_without)} of the gradients vanish, and there is no room for a scale above 1"
            room = target.limits.largest / largest
            return LossScale(1.0, False, True, lost_without, lost_without, largest, room, reason)
    lost_with = _lost(gradients, target, highest)
    works = lost_with <= _TOLERABLE
    if largest >= target.overflow:
        reason = f"gradients reach {largest:.3g}: the loss must be scaled down"
    elif not lost_without:
        reason = f"{_percent(weak_without)} of the gradients are subnormal as they are and keep few digits"
    else:
        reason = f"{_percent(lost_without)} of the gradients vanish as they are, {_percent(lost_with)} with the scale"
    if not works:
        reason += f"; gradients are spread over more than {target.name} can hold, and no scale saves all of them"
    room = target.limits.largest / (largest * highest)
    needed = largest >= target.overflow or lost_without > lost_with or weak_without >= _WEAK
    return LossScale(highest, needed, works, lost_without, lost_with, largest, room, reason)


def spread_of(exponents: Exponents | None) -> Spread | None:
    return None if exponents is None else Spread(exponents.lowest, exponents.counts, exponents.zero)


def worst(fates: Iterable[Fate]) -> Fate | None:
    """The one that loses most."""
    return max(fates, key=lambda each: (each.overflow, each.vanish, each.subnormal), default=None)


def _lost(gradients: Sequence[tuple[ParameterStep, Spread | None]], target: Target, scale: float) -> float:
    """Share of all gradient elements that are not zero and vanish under this scale."""
    lost = alive = 0.0
    for row, spread in gradients:
        held = row.gradient
        if held is None or not held.count - held.zero:
            continue
        fate = fate_of(held, spread, target, scale)
        lost += fate.vanish * fate.elements
        alive += held.count - held.nonfinite - held.zero
    return min(1.0, lost / alive) if alive else 0.0


def _weak(gradients: Sequence[tuple[ParameterStep, Spread | None]], target: Target) -> float:
    """Share of gradient elements that are subnormal as they are."""
    weak = alive = 0.0
    for row, spread in gradients:
        if row.gradient is not None:
            fate = fate_of(row.gradient, spread, target)
            weak += fate.subnormal * fate.elements
            alive += row.gradient.count - row.gradient.zero
    return weak / alive if alive else 0.0


def _percent(share: float) -> str:
    if not share:
        return "none"
    return f"{100 * share:.1f} %" if share >= 0.001 else "less than 0.1 %"
