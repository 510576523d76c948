"""A geometric sequence fitted to values over depth: what one layer does to the signal, and whether that is steady."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wellposed.report.text import human

FEWEST = 4
"""Through three points a line fits too easily."""
STEADY = 0.9
"""Share of the logarithms' variance (R²) that the line must explain for one factor to describe the layers."""
SAME = 4.0
"""Values that differ by no more than this factor are told as staying the same: a line through them says nothing."""


@dataclass(frozen=True, slots=True)
class Growth:
    """value(k) = start · factor^k, fitted by least squares to the logarithms."""

    start: float
    factor: float
    layers: int
    """How often the factor applies, from the first value to the last."""
    agreement: float
    """R² of the logarithms, from 0 to 1."""
    measured: float
    """The last value over the first."""

    @property
    def predicted(self) -> float:
        """The factor to the power of the layers; inf where no float holds it."""
        return _exp(self.layers * math.log(self.factor))

    def at(self, place: int) -> float:
        return _exp(math.log(self.start) + place * math.log(self.factor))


def growth(values: Sequence[float]) -> Growth | None:
    """None for fewer than four values, or where one is zero, negative or not finite."""
    if len(values) < FEWEST or any(not 0 < value < math.inf for value in values):
        return None
    logs = [math.log(value) for value in values]
    middle, mean = (len(logs) - 1) / 2, sum(logs) / len(logs)
    across = sum((place - middle) ** 2 for place in range(len(logs)))
    slope = sum((place - middle) * (log - mean) for place, log in enumerate(logs)) / across
    spread = sum((log - mean) ** 2 for log in logs)
    agreement = min(1.0, slope * slope * across / spread) if spread > 1e-20 else 1.0
    start, factor = _exp(mean - slope * middle), _exp(slope)
    if not (0 < start < math.inf and 0 < factor < math.inf):
        return None
    return Growth(start, factor, len(logs) - 1, agreement, _exp(logs[-1] - logs[0]))


def steady(values: Sequence[float]) -> Growth | None:
    """The fit, where one factor describes the values and they do change."""
    found = growth(values)
    if found is None or max(values) / min(values) <= SAME or found.agreement < STEADY:
        return None
    return found


def told(values: Sequence[float], what: str, layer: str, ends: tuple[str, str]) -> str:
    """What happens to `what` over these values, one a layer, as a sentence without the full stop.

    `layer` and `ends` name one layer, the first and the last, in words.
    """
    usable = [value for value in values if 0 < value < math.inf]
    if not usable:
        return f"{what} is zero or not finite everywhere"
    zeros, odd = sum(value == 0 for value in values), sum(not math.isfinite(value) for value in values)
    gone = [f"zero in {zeros}" if zeros else "", f"not finite in {odd}" if odd else ""]
    rest = f"; {' and '.join(filter(None, gone))} of {len(values)}" if zeros + odd else ""
    fit = steady(usable) if not rest else None
    if fit is not None:
        power = f"{human(_three(fit.factor))}{_raised(fit.layers)}"
        return (
            f"{layer} multiplies {what} by {human(_three(fit.factor))}: {power} = "
            f"{human(_three(fit.predicted))} predicted, {human(_three(fit.measured))} measured"
        )
    spread = max(usable) / min(usable)
    if spread <= SAME:
        return f"{what} stays within a factor of {human(_three(spread))}{rest}"
    between = f"between {human(_three(min(usable)))} and {human(_three(max(usable)))}"
    if rest:
        return f"{what} lies {between}{rest}"
    first, last = human(_three(values[0])), human(_three(values[-1]))
    return f"{what} goes from {first} in {ends[0]} to {last} in {ends[1]}, {between}"


def _raised(power: int) -> str:
    return str(power).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _three(value: float) -> float:
    return float(f"{value:.3g}")


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf
