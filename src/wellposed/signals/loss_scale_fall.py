"""A GradScaler halves its scale again and again."""

from __future__ import annotations

from collections import deque

from wellposed.signals.signal import Crossing, Signal

IN_A_ROW = 4
"""Halvings within `WINDOW` steps. A GradScaler that has found its scale halves it once in 2,000 steps."""
WINDOW = 20
SETTLED = 10
"""Steps without a halving: the first ones of a run only look for the scale."""
SMALLEST = 1.0
"""A scale below 1 makes float16 gradients smaller than they are."""


class Detector:
    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=WINDOW)
        self._quiet = 0
        self._settled = False

    def see(self, value: float) -> Crossing | None:
        fell = bool(self._values) and value < self._values[-1]
        self._quiet = 0 if fell else self._quiet + 1
        self._settled = self._settled or self._quiet >= SETTLED
        self._values.append(value)
        shown = tuple(self._values)[-8:]
        if value < SMALLEST:
            return Crossing(value, SMALLEST, shown)
        if self._settled:
            limit = max(self._values) / 2**IN_A_ROW
            return Crossing(value, limit, shown) if fell and value <= limit else None
        return None


SIGNAL = Signal(
    name="loss-scale-fall",
    quantity="loss_scale",
    threshold="< 1, or halved 4 times within 20 steps once it was found",
    source="PyTorch's GradScaler grows every 2,000 steps; the rest is measured",
    precedes="gradients that no scale can save: activations overflow in the forward pass",
    detector=Detector,
    shows="the loss scale",
)
