"""Updates that are too large or too small for the weights that they change."""

from __future__ import annotations

import math
from collections import deque

from wellposed.signals.signal import Crossing, Signal

SMALLEST, LARGEST = 1e-8, 10.0
"""Hard limits of SageMaker Debugger's UpdateTooSmall and of an update ten times its weights."""
LOW, HIGH = 1e-4, 1e-1
"""TheDeepChecker (TOSEM 2022): log10 of the ratio belongs in [-4, -1]."""
FOR_LONG = 8
"""Measurements in a row outside [LOW, HIGH]: weights that start near zero are outside for a while."""


class Detector:
    """Small updates alone are no alarm beyond the hard limit: a schedule ends with them."""

    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=FOR_LONG)

    def see(self, value: float) -> Crossing | None:
        self._values.append(value)
        if SMALLEST <= value <= HIGH:
            return None
        shown = tuple(self._values)
        if len(shown) < FOR_LONG or not all(math.isfinite(each) for each in shown):
            return Crossing(value, LARGEST, shown) if value > LARGEST and len(shown) > 1 else None
        if value > LARGEST:
            return Crossing(value, LARGEST, shown)
        if min(shown) > HIGH:
            return Crossing(min(shown), HIGH, shown)
        if 0 < max(shown) < SMALLEST:
            return Crossing(max(shown), SMALLEST, shown)
        return None


SIGNAL = Signal(
    name="update-ratio",
    quantity="update_ratio",
    threshold="> 10 or < 1e-8; > 0.1 for 8 measurements in a row",
    source="SageMaker Debugger (1e-8, 10); TheDeepChecker (TOSEM 2022): log10 in [-4, -1]",
    precedes="weights that forget what they have learned",
    detector=Detector,
    shows="the size of the update over that of the weights",
)
