"""How far two numbers are apart, and how far is still rounding."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from wellposed.record import Statistics

SAME_DTYPE = 1e-6
"""About eight units in the last place of float32: what another order of summation makes of a sum."""
_UNITS = 8
EPSILONS = {
    "float8_e5m2": 0.25, "float8_e4m3fn": 0.125, "bfloat16": 2.0**-7, "float16": 2.0**-10, "float32": 2.0**-23,
    "float64": 2.0**-52,
}  # fmt: skip
"""Distance from 1 to the next number, coarsest first."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The statistic of two tensors that is furthest apart."""

    what: str
    a: float
    b: float
    relative: float


def coarsest(dtypes: Iterable[str]) -> str:
    """The floating dtype with the fewest digits; empty where there is none."""
    present = set(dtypes)
    return next((dtype for dtype in EPSILONS if dtype in present), "")


def tolerance(a: str, b: str) -> float:
    """The relative difference that is still rounding, between runs of these coarsest dtypes."""
    if a == b:
        return SAME_DTYPE
    return max(SAME_DTYPE, _UNITS * max(EPSILONS.get(a, 0.0), EPSILONS.get(b, 0.0)))


def relative(a: float, b: float, scale: float = 0.0) -> float:
    """|a − b| over the largest of |a|, |b| and `scale`; infinite where one is not finite and the other is not it."""
    if a == b or (math.isnan(a) and math.isnan(b)):
        return 0.0
    if not (math.isfinite(a) and math.isfinite(b)):
        return math.inf
    return abs(a - b) / max(abs(a), abs(b), scale if math.isfinite(scale) else 0.0)


def gap(a: Statistics, b: Statistics) -> Gap | None:
    """Where two tensors of the same size are furthest apart; None where every recorded digit is the same."""
    if a.count != b.count:
        return None
    for what, left, right in (("NaN", a.nan, b.nan), ("infinities", a.infinite, b.infinite)):
        if left != right:
            return Gap(what, left, right, math.inf)
    scale = max(_size(a), _size(b))
    found = [
        Gap("rms", a.root_mean_square, b.root_mean_square, relative(a.root_mean_square, b.root_mean_square)),
        Gap("maximum", a.maximum, b.maximum, relative(a.maximum, b.maximum, scale)),
        Gap("minimum", a.minimum, b.minimum, relative(a.minimum, b.minimum, scale)),
        Gap("mean", a.mean, b.mean, relative(a.mean, b.mean, scale)),
    ]
    worst = max(found, key=lambda each: each.relative)
    if worst.relative:
        return worst
    # What follows is sensitive to a single element: it tells that digits differ, not how far the tensors are apart.
    finer = (
        ("smallest magnitude", a.smallest_nonzero, b.smallest_nonzero),
        ("standard deviation", a.standard_deviation, b.standard_deviation),
        ("zeros", a.zero, b.zero),
    )
    return next((Gap(what, left, right, 0.0) for what, left, right in finer if relative(left, right)), None)


def _size(statistics: Statistics) -> float:
    magnitude = statistics.largest_magnitude
    return magnitude if math.isfinite(magnitude) else 0.0
