"""Gradients that shrink below Adam's epsilon, so that the optimizer stops moving the parameter."""

from __future__ import annotations

import math
from collections import deque

from wellposed.signals.signal import Crossing, Signal

TIMES = 1.0
"""Wortsman et al. 2023 (arXiv 2309.14322): updates shrink, and layers collapse, once the rms of the gradient reaches
eps."""
FOR_LONG = 20
"""Steps in a row."""
WAS_ABOVE = 10.0
"""Once it was well above: a parameter that never had a gradient is another matter."""


class Detector:
    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=FOR_LONG)
        self._highest = 0.0

    def see(self, value: float) -> Crossing | None:
        if not math.isfinite(value):
            return None
        self._values.append(value)
        self._highest = max(self._highest, value)
        if (
            value > TIMES
            or len(self._values) < FOR_LONG
            or self._highest < WAS_ABOVE
            or not 0 < max(self._values) <= TIMES
        ):
            return None
        return Crossing(max(self._values), TIMES, tuple(self._values)[-8:])


SIGNAL = Signal(
    name="gradient-below-epsilon",
    quantity="gradient_over_epsilon",
    threshold="rms ≤ eps for 20 steps in a row, once above 10 × eps, loss above a thousandth of its first",
    source="Wortsman et al. 2023 (arXiv 2309.14322)",
    precedes="a layer that stops learning while the others go on",
    detector=Detector,
    shows="rms of the gradient over Adam's eps",
)
