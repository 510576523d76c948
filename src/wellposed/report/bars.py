"""A series of measurements as horizontal bars: plain data that the terminal and the page both draw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wellposed.findings import Series
from wellposed.report.text import human, plain

_NARROWEST_DECADES = 2.0
"""A logarithmic picture spans at least this much, so that layers that agree look alike."""


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    value: str
    fraction: float
    """Length of the bar, from 0 to 1."""
    strange: bool = False
    """Whether the value is NaN or infinite: then the bar is full, and drawn as an alarm."""


@dataclass(frozen=True, slots=True)
class Picture:
    title: str
    bars: tuple[Bar, ...]
    note: str = ""


def picture(series: Series, most: int) -> Picture:
    """Draw a series with at most `most` bars: the first, the last, the strange and the extremes, the rest evenly."""
    values = [float(value) for value in series.values[: len(series.labels)]]
    shown = _chosen(values, most)
    length = _logarithmic(values) if series.logarithmic else _linear(values)
    bars = tuple(
        Bar(plain(series.labels[n], 80), human(values[n]), length(values[n]), not math.isfinite(values[n]))
        for n in shown
    )
    notes = ["logarithmic"] if series.logarithmic else []
    if len(shown) < len(values):
        notes.append(f"{len(shown)} of {len(values)} shown")
    title = f"{plain(series.name)}, {plain(series.unit)}" if series.unit else plain(series.name)
    return Picture(title, bars, ", ".join(notes))


def _chosen(values: Sequence[float], most: int) -> list[int]:
    if len(values) <= most:
        return list(range(len(values)))
    finite = [n for n, value in enumerate(values) if math.isfinite(value)]
    strange = [n for n, value in enumerate(values) if not math.isfinite(value)]
    wanted = [0, len(values) - 1, *strange[:1]]
    if finite:
        wanted += [min(finite, key=values.__getitem__), max(finite, key=values.__getitem__)]
    wanted += [round(n * (len(values) - 1) / (most - 1)) for n in range(most)]
    return sorted(list(dict.fromkeys(wanted))[:most])


def _linear(values: Sequence[float]) -> _Length:
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    return _Length(0.0, largest, False)


def _logarithmic(values: Sequence[float]) -> _Length:
    decades = [math.log10(abs(value)) for value in values if math.isfinite(value) and value]
    if not decades:
        return _Length(0.0, 1.0, True)
    top = max(decades)
    bottom = min(min(decades), top - _NARROWEST_DECADES)
    return _Length(bottom - (top - bottom) * 0.08, top, True)


@dataclass(frozen=True, slots=True)
class _Length:
    low: float
    high: float
    logarithmic: bool

    def __call__(self, value: float) -> float:
        if not math.isfinite(value):
            return 1.0
        if self.logarithmic:
            value = math.log10(abs(value)) if value else self.low
        if self.high <= self.low:
            return 0.0
        return min(1.0, max(0.0, (abs(value) if not self.logarithmic else value) - self.low) / (self.high - self.low))
