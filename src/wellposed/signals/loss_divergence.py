"""The loss turns round: its average is far above the lowest that it has been."""

from __future__ import annotations

import math
import sys

from wellposed.signals.averages import Averages
from wellposed.signals.signal import Crossing, Recent, Signal

TIMES = 2.0
"""The loss at least twice its minimum (TheDeepChecker, TOSEM 2022: diverging loss)."""
SMOOTHING = 0.8
"""An average over about five steps, not the loss itself: of batches of one, every other loss is twice the minimum."""
GIVEN_BACK = 0.1
"""A loss of 1e-8 that doubles is no divergence: the rise must take back a tenth of all that the run has gained."""
WARM_UP = 5
"""The first losses, after which there is an average."""


class Detector:
    def __init__(self) -> None:
        self._average = Averages(SMOOTHING)
        self._lowest, self._first = math.inf, math.nan
        self._recent = Recent()

    def see(self, value: float) -> Crossing | None:
        self._recent.add(value)
        if not math.isfinite(value):
            return Crossing(value, self._limit(), self._recent.shown)
        if self._average.count == 0:
            self._first = value
        self._average.add(value)
        if self._average.count <= WARM_UP:
            self._lowest = min(self._lowest, self._average.mean)
            return None
        limit = self._limit()
        self._lowest = min(self._lowest, self._average.mean)
        return Crossing(self._average.mean, limit, self._recent.shown) if self._average.mean > limit else None

    def _limit(self) -> float:
        if not math.isfinite(self._lowest):
            return sys.float_info.max
        gained = max(self._first - self._lowest, 0.0)
        return self._lowest + max((TIMES - 1) * abs(self._lowest), GIVEN_BACK * gained)


SIGNAL = Signal(
    name="loss-divergence",
    quantity="loss",
    threshold="average of 5 steps ≥ 2 × its minimum, and a tenth of the gain lost",
    source="TheDeepChecker (TOSEM 2022): loss ≥ 2 × minimum; the average and the tenth are measured",
    precedes="a loss that does not come back",
    detector=Detector,
    shows="the average loss",
)
