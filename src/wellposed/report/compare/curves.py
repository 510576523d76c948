"""Both runs' curves in one picture, as numbers to draw: an inline SVG that needs no script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wellposed.record import Step
from wellposed.report.curves import MOST_POINTS, thinned
from wellposed.report.text import human

WIDTH, HEIGHT = 1000, 240
_MARGIN = 8
_DECADES = 2.0
"""Where the values span more, they are drawn on a logarithmic scale."""

Point = tuple[int, float]


@dataclass(frozen=True, slots=True)
class Curve:
    """A run's line: SVG path data, broken where the values are not finite."""

    letter: str
    path: str
    broken: float | None
    """x of the first value that is not finite."""
    broken_text: str


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    scale: str
    """``logarithmic`` or empty."""
    curves: tuple[Curve, ...]
    heights: tuple[str, str, str]
    """Labels at the top, in the middle and at the bottom."""
    steps: tuple[str, str]
    parting: float | None
    """x of the step where the losses part."""


def charts(a: Sequence[Step], b: Sequence[Step], parting: int | None) -> tuple[Chart, ...]:
    """Loss and gradient norm; a chart that would be empty is left out."""
    drawn = (
        _chart("loss", [(step.id, step.loss) for step in a], [(step.id, step.loss) for step in b], parting),
        _chart("gradient norm", _norms(a), _norms(b), parting),
    )
    return tuple(chart for chart in drawn if chart is not None)


def _norms(steps: Sequence[Step]) -> list[tuple[int, float | None]]:
    return [(step.id, math.nan if step.gradient_nonfinite else step.gradient_norm) for step in steps]


def _chart(
    title: str, a: Sequence[tuple[int, float | None]], b: Sequence[tuple[int, float | None]], parting: int | None
) -> Chart | None:
    lines = [[(step, value) for step, value in points if value is not None] for points in (a, b)]
    finite = [value for line in lines for _, value in line if math.isfinite(value)]
    if not finite:
        return None
    steps = [step for line in lines for step, _ in line]
    first, last = min(steps), max(steps)
    low, high = min(finite), max(finite)
    logarithmic = low > 0 and math.log10(high) - math.log10(low) > _DECADES
    bottom, top = (math.log10(low), math.log10(high)) if logarithmic else (low, high)

    def x(step: int) -> float:
        return round(WIDTH * (step - first) / (last - first), 1) if last > first else WIDTH / 2

    def y(value: float) -> float:
        height = math.log10(value) if logarithmic else value
        # Halved first: the whole span of a float64 is more than a float64 holds.
        share = (height / 2 - bottom / 2) / (top / 2 - bottom / 2) if top > bottom else 0.5
        return round(HEIGHT - _MARGIN - (HEIGHT - 2 * _MARGIN) * share, 1)

    curves = []
    for letter, line in zip("AB", lines, strict=True):
        broken = next(((step, value) for step, value in line if not math.isfinite(value)), None)
        pieces = []
        joined = False
        for step, value in thinned(line, MOST_POINTS):
            if math.isfinite(value):
                # A point alone gets a line of no length, which round ends make a dot.
                pieces.append(f"{'L' if joined else 'M'}{x(step)} {y(value)}" + ("" if joined else "h0"))
            joined = math.isfinite(value)
        text = "" if broken is None else f"step {broken[0]}: {'NaN' if math.isnan(broken[1]) else 'infinite'}"
        curves.append(Curve(letter, "".join(pieces), None if broken is None else x(broken[0]), text))
    middle = 10 ** ((bottom + top) / 2) if logarithmic else bottom / 2 + top / 2
    return Chart(
        title=title,
        scale="logarithmic" if logarithmic else "",
        curves=tuple(curves),
        heights=(human(high), human(float(f"{middle:.3g}")) if high > low else "", human(low) if high > low else ""),
        steps=(str(first), str(last) if last > first else ""),
        parting=x(parting) if parting is not None and first <= parting <= last else None,
    )
