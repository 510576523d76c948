"""One loss far above all of the last ones."""

from __future__ import annotations

from wellposed.signals.outlier import Outlier
from wellposed.signals.signal import Signal

DEVIATIONS = 6.0
"""OLMo-core: a loss above the mean of the last 128 by 6 standard deviations is a spike."""


class Detector(Outlier):
    def __init__(self) -> None:
        super().__init__(DEVIATIONS)


SIGNAL = Signal(
    name="loss-spike",
    quantity="loss",
    threshold="mean + 6 σ of the last 128",
    source="OLMo-core's spike detection",
    precedes="another and larger spike, unless the batch was odd",
    detector=Detector,
    shows="the loss",
)
