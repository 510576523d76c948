"""The logits of an output drift away together: log Z, which the loss does not see, leaves 0."""

from __future__ import annotations

import math

from wellposed.signals.signal import Crossing, Recent, Signal

DRIFT = 15.0
"""How far log Z may move from where it began. The z-loss of PaLM and of Wortsman et al. 2023 (arXiv 2309.14322) holds
it near 0; neither names a limit. Beyond 16 the spacing of bfloat16 is 1/8: the logits of an output layer in this format
are rounded by as much. Healthy runs moved by 12 at most."""


class Detector:
    def __init__(self) -> None:
        self._first: float | None = None
        self._recent = Recent()

    def see(self, value: float) -> Crossing | None:
        if not math.isfinite(value):
            return None
        self._recent.add(value)
        if self._first is None:
            self._first = value
        limit = abs(self._first) + DRIFT
        if abs(value) < limit:
            return None
        return Crossing(value, math.copysign(limit, value), self._recent.shown)


SIGNAL = Signal(
    name="log-partition-drift",
    quantity="log_partition",
    threshold="15 further from 0 than at first",
    source="z-loss: PaLM (arXiv 2204.02311), Wortsman et al. 2023 (arXiv 2309.14322); the limit is measured",
    precedes="output logits that are rounded or overflow, and a loss that goes with them",
    detector=Detector,
    shows="the mean log Z of the softmax",
)
