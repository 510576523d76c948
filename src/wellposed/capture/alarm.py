"""A signal against its own history: when is a loss or a gradient norm suspicious? Pure arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass

JUMP = 10.0
"""A signal this many times its own running mean is suspicious: Megatron-LM's rule for spikes is 10 times the largest
of the first 100 gradient norms."""
WARM_UP = 10
"""Observations before a signal has a history."""
KEPT = 0.9
"""Weight of the past in the running mean of the signal's logarithm: about the last ten observations."""


@dataclass(slots=True)
class Alarm:
    """Follows one positive signal."""

    _mean_logarithm: float = 0.0
    _count: int = 0

    def suspicious(self, value: float) -> bool:
        """Enter the next value; true where it is not finite or far above what it was."""
        if not math.isfinite(value):
            return True
        if value <= 0:
            return False
        logarithm = math.log(value)
        jumped = self._count >= WARM_UP and logarithm > self._mean_logarithm + math.log(JUMP)
        self._count += 1
        weight = KEPT if self._count > 1 else 0.0
        self._mean_logarithm = weight * self._mean_logarithm + (1 - weight) * logarithm
        return jumped
