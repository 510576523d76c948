"""One gradient norm far outside what the run has shown before."""

from __future__ import annotations

from wellposed.signals.outlier import Outlier
from wellposed.signals.signal import Signal

DEVIATIONS = 6.0
"""OLMo-core: above the mean of the last 128 by 6 standard deviations."""
TIMES = 4.0
"""And at least 4 times that mean, which spares a third of the false alarms and costs one of ten warnings. ZClip's
z-score of 2.5 (arXiv 2504.02507) is crossed by most healthy runs: it is a place to clip, not to warn. Megatron-LM's 10
times the largest of the first 100 comes with the loss or after it (docs/early-warning.md)."""


class Detector(Outlier):
    def __init__(self) -> None:
        super().__init__(DEVIATIONS, TIMES)


SIGNAL = Signal(
    name="gradient-spike",
    quantity="gradient_norm",
    threshold="mean + 6 σ of the last 128, and 4 × the mean",
    source="OLMo-core's 6 σ; the 4 is measured",
    precedes="a loss spike, if the update is made unclipped",
    detector=Detector,
    shows="the gradient's norm",
)
