"""How the quantity that an epsilon protects is spread: exactly where it was measured, roughly where it was recorded."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wellposed.record import Statistics

_MOST_POINTS = 1_024
"""Order statistics that are kept of several distributions together."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Magnitudes of the elements of a tensor, in the unit of that tensor."""

    count: int
    """Elements."""
    zero: int
    """Of them, those that are exactly zero."""
    minimum: float
    """The smallest magnitude; 0.0 where an element is zero."""
    typical: float
    """The median of the non-zero magnitudes where they were measured, else their mean; NaN where all are zero."""
    maximum: float
    negative: bool
    """Whether an element is negative."""
    order: tuple[float, ...] = ()
    """Evenly spaced order statistics, ascending; empty where the record holds extremes and mean alone."""

    @property
    def measured(self) -> bool:
        """Whether quantiles are known."""
        return bool(self.order)

    def quantile(self, share: float) -> float | None:
        """The magnitude that this share (0 to 1) of the elements lies at or below; None where it was not measured."""
        return self.order[round(share * (len(self.order) - 1))] if self.order else None

    def share_where(self, holds: Callable[[float], bool], *, nonzero: bool = False) -> float | None:
        """The share (0 to 1) of the elements for which `holds`, which is monotonic in the magnitude.

        Where quantiles are unknown it is told only if it holds for both extremes (1.0) or for neither (0.0).
        """
        values: Sequence[float] = self.order or (self.minimum, self.maximum)
        if nonzero:
            values = values[bisect.bisect_right(values, 0.0) :]
        if not values:
            return None
        found = sum(map(holds, values)) / len(values)
        return found if self.order or found in (0.0, 1.0) else None


def distribution_of_values(ordered: Sequence[float], count: int, zero: int, negative: bool) -> Distribution:
    """From order statistics of the magnitudes (ascending, finite, at least one), the count of elements and of zeros."""
    nonzero = ordered[bisect.bisect_right(ordered, 0.0) :]
    typical = nonzero[len(nonzero) // 2] if nonzero else math.nan
    return Distribution(count, zero, ordered[0], typical, ordered[-1], negative, tuple(ordered))


def recorded_distribution(statistics: Statistics | None) -> Distribution | None:
    """From the statistics of a recorded tensor; None where it holds no finite element."""
    if statistics is None or not statistics.count or math.isnan(statistics.minimum):
        return None
    finite = statistics.count - statistics.nonfinite
    nonzero = finite - statistics.zero
    # The mean of values of both signs says nothing about their size.
    size = statistics.root_mean_square * math.sqrt(finite / nonzero) if nonzero else math.nan
    if nonzero and statistics.minimum >= 0:
        size = statistics.mean * finite / nonzero
    return Distribution(
        statistics.count,
        statistics.zero,
        statistics.smallest_magnitude,
        size,
        statistics.largest_magnitude,
        statistics.minimum < 0,
    )


def recovered_variances(inverse: Statistics | None, epsilon: float, resolution: float) -> Distribution | None:
    """The variances behind 1 / sqrt(variance + epsilon), as normalisation layers keep it.

    `resolution` is the spacing of numbers at 1 in the dtype it was kept in: a variance below the rounding of the
    sum is told as 0.
    """
    if inverse is None or not inverse.count or inverse.nonfinite or not inverse.minimum > 0:
        return None
    smallest, typical, largest = (
        _variance(each, epsilon, resolution) for each in (inverse.maximum, inverse.mean, inverse.minimum)
    )
    zero = inverse.count if largest == 0 else int(smallest == 0)
    return Distribution(inverse.count, zero, smallest, typical or math.nan, largest, negative=False)


def merged(parts: Sequence[Distribution]) -> Distribution | None:
    """Several as one; with quantiles where all have them."""
    if len(parts) <= 1:
        return parts[0] if parts else None
    count, zero = sum(each.count for each in parts), sum(each.zero for each in parts)
    negative = any(each.negative for each in parts)
    if all(each.measured for each in parts):
        return distribution_of_values(_merged_order(parts), count, zero, negative)
    known = [each for each in parts if not math.isnan(each.typical)]
    weight = sum(each.count for each in known)
    typical = sum(each.typical * each.count for each in known) / weight if weight else math.nan
    return Distribution(
        count,
        zero,
        min(each.minimum for each in parts),
        typical,
        max(each.maximum for each in parts),
        negative,
    )


def _merged_order(parts: Sequence[Distribution]) -> list[float]:
    """Order statistics of all elements: each value counts for the elements that it stands for."""
    weighted = sorted((value, each.count / len(each.order)) for each in parts for value in each.order)
    points = min(len(weighted), _MOST_POINTS)
    total = sum(weight for _, weight in weighted)
    spots = [total * (n + 0.5) / points for n in range(points)]
    ordered: list[float] = []
    reached = 0.0
    for value, weight in weighted:
        reached += weight
        while len(ordered) < points and reached >= spots[len(ordered)] * (1 - 1e-12):
            ordered.append(value)
    # The extremes are known exactly.
    ordered += [weighted[-1][0]] * (points - len(ordered))
    ordered[0], ordered[-1] = weighted[0][0], weighted[-1][0]
    return ordered


def _variance(inverse: float, epsilon: float, resolution: float) -> float:
    try:
        total = inverse**-2
    except (OverflowError, ZeroDivisionError):
        return math.inf
    variance = total - epsilon
    return variance if variance > 2 * resolution * total else 0.0
