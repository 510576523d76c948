"""Attention logits that grow until the softmax is one-hot."""

from __future__ import annotations

import math

from wellposed.signals.signal import Crossing, Recent, Signal

LARGEST = 100.0
"""Kimi K2's QK-clip holds them at 100. In Wortsman et al. 2023 (arXiv 2309.14322) the loss worsens near 1e3, and every
run beyond 1e4 diverged: those are the limits of large models, and come too late to warn of small ones."""
DISASTER = 1e4


class Detector:
    def __init__(self) -> None:
        self._recent = Recent()

    def see(self, value: float) -> Crossing | None:
        if not math.isfinite(value):
            return None
        self._recent.add(value)
        return Crossing(value, LARGEST, self._recent.shown) if value > LARGEST else None


SIGNAL = Signal(
    name="attention-logits",
    quantity="attention_logit",
    threshold="> 100",
    source="QK-clip of Kimi K2 (arXiv 2507.20534): 100; Wortsman et al. 2023 (arXiv 2309.14322): 1e3 to 1e4",
    precedes="one-hot attention, whose gradient vanishes, and divergence beyond 1e4",
    detector=Detector,
    shows="the largest attention logit",
)
