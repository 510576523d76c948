"""Adam's second moment is out of date: gradients are much larger than it remembers."""

from __future__ import annotations

import math
from collections import deque

from wellposed.signals.signal import Crossing, Signal

RATIO = 2.3
"""Wortsman et al. 2023 (arXiv 2304.13013): RMS_t = sqrt(mean(g²/v)) ≥ 2.3 comes 1 to 8 steps before a loss spike."""
AGAINST_OWN = 2.0
"""And twice its own median: a parameter with few rows in use, an embedding, lives above 2.3."""
WARM_UP = 8
"""Measurements before there is a median."""
WINDOW = 64


class Detector:
    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=WINDOW)

    def see(self, value: float) -> Crossing | None:
        if not math.isfinite(value):
            return None
        usual = sorted(self._values)[len(self._values) // 2] if len(self._values) >= WARM_UP else math.inf
        self._values.append(value)
        limit = max(RATIO, AGAINST_OWN * usual)
        return Crossing(value, limit, tuple(self._values)[-8:]) if value >= limit else None


SIGNAL = Signal(
    name="adam-ratio",
    quantity="adam_ratio",
    threshold="≥ 2.3, and ≥ 2 × its own median",
    source="Wortsman et al. 2023 (arXiv 2304.13013): 2.3; the median is measured",
    precedes="a loss spike within 1 to 8 steps",
    detector=Detector,
    shows="rms of g / sqrt(v) of Adam",
)
