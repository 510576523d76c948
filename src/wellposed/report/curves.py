"""The page's curves over steps: loss, gradient norm and others, thinned to fit a page.

Everything here is JSON values: a number that is not finite is None, and draws as a gap.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from wellposed.record import Step

MOST_POINTS = 500

_LINES = (
    ("loss", "loss", False),
    ("gradient norm", "gradient_norm", True),
    ("update norm", "update_norm", True),
    ("learning rate", "learning_rate", False),
    ("loss scale of the GradScaler", "scale", True),
)


def lines(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """The curves that have something to show: each with its points and the first step where it was not finite."""
    found = []
    for title, field, logarithmic in _LINES:
        points = [(step.id, value) for step in steps if (value := _value(step, field)) is not None]
        constant = len({value for _, value in points if math.isfinite(value)}) < 2
        if not points or (constant and field in ("learning_rate", "scale")):
            continue
        broken = next((step for step, value in points if not math.isfinite(value)), None)
        kept = thinned(points, MOST_POINTS)
        found.append(
            {
                "title": title,
                "logarithmic": logarithmic or _spans_decades(points),
                "steps": [step for step, _ in kept],
                "values": [_short(value) for _, value in kept],
                "range": [steps[0].id, steps[-1].id],
                "broken": broken,
                "broken_text": "" if broken is None else _kind(dict(points)[broken]),
            }
        )
    return found


def _value(step: Step, field: str) -> float | None:
    # The norm is over the finite elements; where others are not, it says nothing.
    if field == "gradient_norm" and step.gradient_nonfinite:
        return math.nan
    value: float | None = getattr(step, field)
    return value


def thinned(points: Sequence[tuple[int, float]], most: int) -> list[tuple[int, float]]:
    """At most about `most` points: of each stretch its smallest, its largest and its first non-finite value."""
    if len(points) <= most:
        return list(points)
    size = math.ceil(len(points) / (most // 3))
    kept: list[tuple[int, float]] = []
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        finite = [point for point in stretch if math.isfinite(point[1])]
        chosen = [point for point in stretch if not math.isfinite(point[1])][:1]
        if finite:
            chosen += [min(finite, key=lambda point: point[1]), max(finite, key=lambda point: point[1])]
        kept += sorted(set(chosen), key=lambda point: point[0])
    return kept


def _spans_decades(points: Iterable[tuple[int, float]]) -> bool:
    """Whether a curve is only readable on a logarithmic scale: positive, and over four decades."""
    finite = [value for _, value in points if math.isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) / min(finite) > 1e4


def _kind(value: float) -> str:
    return "NaN" if math.isnan(value) else "infinite"


def _short(value: float) -> float | None:
    """Four digits are enough to draw; None where not finite."""
    return float(f"{value:.4g}") if math.isfinite(value) else None
