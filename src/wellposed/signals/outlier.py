"""A value far above the last ones: shared by the signals of spikes."""

from __future__ import annotations

import math
from collections import deque

from wellposed.signals.signal import KEPT, Crossing

WINDOW = 128
WARM_UP = 32
"""Of so many values at least the deviation is known."""


class Outlier:
    """Above the mean of the last 128 by so many deviations, and at least so many times the mean."""

    def __init__(self, deviations: float, times: float = 1.0) -> None:
        self._deviations, self._times = deviations, times
        self._values: deque[float] = deque(maxlen=WINDOW)

    def see(self, value: float) -> Crossing | None:
        limit = self._limit(value)
        if math.isfinite(value):
            self._values.append(value)
        if limit is None or value <= limit:
            return None
        return Crossing(value, limit, tuple(self._values)[-KEPT:])

    def _limit(self, value: float) -> float | None:
        """None where the value cannot be above it: nearly always, and then it costs next to nothing."""
        if len(self._values) < WARM_UP:
            return None
        mean = sum(self._values) / len(self._values)
        if value <= max(mean, self._times * mean):
            return None
        variance = sum((each - mean) ** 2 for each in self._values) / len(self._values)
        if not 0 < variance < math.inf:
            return None
        return max(mean + self._deviations * math.sqrt(variance), self._times * mean)
