"""A gradient that is not finite, about to enter the weights."""

from __future__ import annotations

from wellposed.signals.signal import Crossing, Recent, Signal

MOST = 0.0
"""One NaN in a gradient is in the weight after the update, and in every loss from then on."""


class Detector:
    def __init__(self) -> None:
        self._recent = Recent()

    def see(self, value: float) -> Crossing | None:
        self._recent.add(value)
        return Crossing(value, MOST, self._recent.shown) if value > MOST else None


SIGNAL = Signal(
    name="nonfinite-gradient",
    quantity="gradient_nonfinite",
    threshold="> 0 elements",
    source="arithmetic: w - rate · NaN is NaN",
    precedes="weights that are lost with the update that is about to be made",
    detector=Detector,
    shows="the count of gradient elements that are NaN or infinite",
)
