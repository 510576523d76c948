"""Attention whose queries look at one key each: its entropy has collapsed."""

from __future__ import annotations

import math
from collections import deque

from wellposed.signals.signal import Crossing, Signal

KEYS = 1.05
"""Effective number of keys: 1.05 is a probability of 0.975 on one. Zhai et al. 2023 (arXiv 2303.06296) see training
become unstable when the entropy falls towards 0."""
FOR_LONG = 2
"""Looks in a row."""
WAS = 2.0
"""Attention that was sharp from the start is meant to be."""


class Detector:
    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=8)
        self._highest = 0.0

    def see(self, value: float) -> Crossing | None:
        if not math.isfinite(value):
            return None
        self._values.append(value)
        self._highest = max(self._highest, value)
        last = list(self._values)[-FOR_LONG:]
        if len(last) < FOR_LONG or self._highest < WAS or max(last) > KEYS:
            return None
        return Crossing(value, KEYS, tuple(self._values))


SIGNAL = Signal(
    name="attention-collapse",
    quantity="attended_keys",
    threshold="effective number of keys ≤ 1.05 twice in a row, once above 2",
    source="Zhai et al. 2023 (arXiv 2303.06296): entropy collapse; the limit is measured",
    precedes="attention that no longer learns",
    detector=Detector,
    shows="the effective number of keys",
)
