"""One gradient norm far outside what the run has shown before."""

from __future__ import annotations

import math

from wellposed.signals.averages import Averages
from wellposed.signals.signal import Crossing, Recent, Signal

AVERAGE = 0.97
DEVIATIONS = 2.5
WARM_UP = 25
"""ZClip (arXiv 2504.02507): z-score on exponential averages of the norm and its variance."""
ABOVE_FIRST = 10.0
FIRST = 100
"""Megatron-LM rejects a norm above 10 times the largest of the first 100."""


class Detector:
    """Both must be exceeded: the z-score alone is exceeded by most healthy runs (docs/early-warning.md)."""

    def __init__(self, deviations: float = DEVIATIONS, above_first: float = ABOVE_FIRST) -> None:
        self._deviations, self._above_first = deviations, above_first
        self._averages = Averages(AVERAGE)
        self._highest = 0.0
        self._count = 0
        self._recent = Recent()

    def see(self, value: float) -> Crossing | None:
        self._recent.add(value)
        self._count += 1
        limit = max(
            self._averages.mean + self._deviations * self._averages.deviation, self._above_first * self._highest
        )
        crossed = self._count > WARM_UP and limit > 0 and value > limit
        if math.isfinite(value):
            # A spike must not hide the next one: ZClip enters a clipped value into its averages.
            self._averages.add(min(value, limit) if crossed else value)
            if self._count <= FIRST and not crossed:
                self._highest = max(self._highest, value)
        return Crossing(value, limit, self._recent.shown) if crossed else None


SIGNAL = Signal(
    name="gradient-spike",
    quantity="gradient_norm",
    threshold="z-score > 2.5 on averages of factor 0.97, and > 10 × the largest of the first 100",
    source="ZClip (arXiv 2504.02507) and Megatron-LM, both at once",
    precedes="a loss spike, if the update is made unclipped",
    detector=Detector,
    shows="the gradient's norm",
)
