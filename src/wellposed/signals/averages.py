"""Exponential averages of a series, and of its square distance from them."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Averages:
    """Mean and variance with the weight `kept` on the past; the first value is the first mean."""

    kept: float
    mean: float = 0.0
    variance: float = 0.0
    count: int = 0

    @property
    def deviation(self) -> float:
        return math.sqrt(self.variance)

    def add(self, value: float) -> None:
        if not math.isfinite(value):
            return
        if self.count == 0:
            self.mean = value
        else:
            off = value - self.mean
            self.mean += (1 - self.kept) * off
            self.variance = self.kept * (self.variance + (1 - self.kept) * off * off)
        self.count += 1
