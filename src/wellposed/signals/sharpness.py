"""The loss is more curved than the learning rate allows: gradient descent leaves the valley that it walks in."""

from __future__ import annotations

import math
from collections import deque

from wellposed.signals.signal import Crossing, Signal

EDGE = 2.0
"""Gradient descent on a quadratic grows where learning rate times curvature is above 2; Cohen et al. 2021 (arXiv
2103.00065) see full-batch training live at this edge, and 2506.04805 see Adam's spikes follow a curvature beyond it."""
BEYOND = 1.5
"""At the edge itself training is stable by its own doing: the warning is for what lies well beyond."""
IN_A_ROW = 2


class Detector:
    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=8)

    def see(self, value: float) -> Crossing | None:
        if not math.isfinite(value):
            return None
        self._values.append(value)
        last = list(self._values)[-IN_A_ROW:]
        if len(last) < IN_A_ROW or min(last) <= EDGE * BEYOND:
            return None
        return Crossing(value, EDGE * BEYOND, tuple(self._values))


SIGNAL = Signal(
    name="sharpness",
    quantity="curvature_times_rate",
    threshold="learning rate × curvature > 3 in two measured steps",
    source="Cohen et al. 2021 (arXiv 2103.00065): the edge is at 2; half as much again keeps off it",
    precedes="a loss that grows until the curvature falls, or for good",
    detector=Detector,
    shows="learning rate times curvature",
)
