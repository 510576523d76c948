"""A gradient norm that grows by the same factor step after step."""

from __future__ import annotations

import math
from collections import deque

from wellposed.signals.signal import Crossing, Signal

WINDOW = 12
"""Steps that a geometric sequence is fitted to."""
FACTOR = 1.2
"""Growth a step. Gradient descent beyond its edge, 2 / learning rate, multiplies the gradient by |1 - rate·curvature|
every step; TheDeepChecker calls a growth rate above 2 exploding, which leaves a step or two."""
AGREEMENT = 0.9
"""R² of the logarithms."""


class Detector:
    def __init__(self) -> None:
        self._logarithms: deque[float] = deque(maxlen=WINDOW)

    def see(self, value: float) -> Crossing | None:
        if not (0 < value < math.inf):
            self._logarithms.clear()
            return None
        self._logarithms.append(math.log(value))
        if len(self._logarithms) < WINDOW:
            return None
        slope, agreement = _line(list(self._logarithms))
        if slope < math.log(FACTOR) or agreement < AGREEMENT:
            return None
        return Crossing(math.exp(slope), FACTOR, tuple(math.exp(each) for each in list(self._logarithms)[-8:]))


def _line(values: list[float]) -> tuple[float, float]:
    """Slope and R² of the least-squares line."""
    middle, mean = (len(values) - 1) / 2, sum(values) / len(values)
    across = sum((index - middle) ** 2 for index in range(len(values)))
    slope = sum((index - middle) * (value - mean) for index, value in enumerate(values)) / across
    spread = sum((value - mean) ** 2 for value in values)
    return slope, slope * slope * across / spread if spread > 0 else 0.0


SIGNAL = Signal(
    name="gradient-growth",
    quantity="gradient_norm",
    threshold="≥ 1.2 × a step over 12 steps, R² ≥ 0.9",
    source="TheDeepChecker (TOSEM 2022) has 2 × a step; lowered to see it while the loss is still there",
    precedes="overflow within a few dozen steps",
    detector=Detector,
    shows="the gradient's growth a step",
)
