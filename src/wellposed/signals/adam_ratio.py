"""Adam's second moment is out of date: gradients are much larger than it remembers."""

from __future__ import annotations

import math
from collections import deque

from wellposed.signals.signal import Crossing, Signal

RATIO = 4.0
"""Wortsman et al. 2023 (arXiv 2304.13013) see values of 2.3 in the first layer of large vision models come 1 to 8 steps
before loss spikes. In small models with small batches 2.3 is crossed by most healthy runs (docs/early-warning.md)."""
AGAINST_OWN = 3.0
"""And three times its own median: a parameter with few rows in use, an embedding, lives above any limit."""
IN_A_ROW = 2
"""Measurements: one odd batch passes."""
WARM_UP = 8
"""Measurements before there is a median."""
WINDOW = 64


class Detector:
    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=WINDOW)
        self._beyond = 0

    def see(self, value: float) -> Crossing | None:
        if not math.isfinite(value):
            return None
        if value < RATIO:  # nearly always, and then it costs next to nothing
            self._values.append(value)
            self._beyond = 0
            return None
        usual = sorted(self._values)[len(self._values) // 2] if len(self._values) >= WARM_UP else math.inf
        self._values.append(value)
        limit = max(RATIO, AGAINST_OWN * usual)
        self._beyond = self._beyond + 1 if value >= limit else 0
        return Crossing(value, limit, tuple(self._values)[-8:]) if self._beyond >= IN_A_ROW else None


SIGNAL = Signal(
    name="adam-ratio",
    quantity="adam_ratio",
    threshold="≥ 4 and ≥ 3 × its own median, twice in a row",
    source="Wortsman et al. 2023 (arXiv 2304.13013) have 2.3; raised because of false alarms",
    precedes="a loss spike within 1 to 8 steps",
    detector=Detector,
    shows="rms of g / sqrt(v) of Adam",
)
