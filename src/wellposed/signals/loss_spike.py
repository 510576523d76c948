"""One loss far above all of the last ones."""

from __future__ import annotations

import math
from collections import deque

from wellposed.signals.signal import Crossing, Signal

DEVIATIONS = 6.0
WINDOW = 128
"""OLMo-core: a loss above the mean of the last 128 by 6 standard deviations is a spike."""
WARM_UP = 32
"""Of so many losses at least the deviation is known."""


class Detector:
    def __init__(self, deviations: float = DEVIATIONS) -> None:
        self._deviations = deviations
        self._values: deque[float] = deque(maxlen=WINDOW)

    def see(self, value: float) -> Crossing | None:
        limit = self._limit()
        if math.isfinite(value):
            self._values.append(value)
        if limit is None or value <= limit:
            return None
        return Crossing(value, limit, tuple(self._values)[-8:])

    def _limit(self) -> float | None:
        if len(self._values) < WARM_UP:
            return None
        mean = sum(self._values) / len(self._values)
        variance = sum((each - mean) ** 2 for each in self._values) / len(self._values)
        return mean + self._deviations * math.sqrt(variance) if variance > 0 else None


SIGNAL = Signal(
    name="loss-spike",
    quantity="loss",
    threshold="mean + 6 σ of the last 128",
    source="OLMo-core's spike detection",
    precedes="another and larger spike, unless the batch was odd",
    detector=Detector,
    shows="the loss",
)
