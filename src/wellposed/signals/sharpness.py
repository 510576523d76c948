"""The loss is more curved than the learning rate allows: each update overshoots by more than the last."""

from __future__ import annotations

import math

from wellposed.signals.averages import Averages
from wellposed.signals.signal import Crossing, Recent, Signal

EDGE = 0.8
"""Of learning rate times curvature over its limit: 2 for gradient descent, 2 (1 + beta) with momentum (Cohen et al.
2021, arXiv 2103.00065), 38 for Adam in its own metric (Cohen et al. 2022, arXiv 2207.14484). Full-batch training lives
at the edge by its own doing. 0.8 of it, because the average comes late: at 1 it warned a few steps before the end."""
SMOOTHING = 0.8
"""An average over about five updates: gradients of different batches differ by more than curvature."""
WARM_UP = 5
LARGEST = 5.0
"""A single update counts no more than this: one odd batch is no curvature."""


class Detector:
    def __init__(self) -> None:
        self._average = Averages(SMOOTHING)
        self._recent = Recent()

    def see(self, value: float) -> Crossing | None:
        if not math.isfinite(value):
            return None
        self._recent.add(value)
        self._average.add(max(-LARGEST, min(LARGEST, value)))
        if self._average.count < WARM_UP or self._average.mean <= EDGE:
            return None
        return Crossing(self._average.mean, EDGE, self._recent.shown)


SIGNAL = Signal(
    name="sharpness",
    quantity="curvature_over_edge",
    threshold="average of 5 updates > 0.8 of the edge",
    source="Cohen et al. 2021 and 2022 (arXiv 2103.00065, 2207.14484); 0.8 and the average are measured",
    precedes="a loss that grows until the curvature falls, or for good",
    detector=Detector,
    shows="learning rate times curvature over its stable limit",
)
