"""Confidence intervals of shares."""

from __future__ import annotations

import math

_Z = 1.959963984540054
"""Quantile of the normal distribution for 95 %."""


def wilson(share: float, count: float) -> tuple[float, float]:
    """The 95 % interval of a share of 0 to 1 that was seen in `count` independent samples; (0, 1) without any.

    Wilson's score interval (1927): it stays within 0 to 1 and holds its level for small counts and shares near 0 or 1.
    """
    if count <= 0:
        return 0.0, 1.0
    denominator = 1 + _Z**2 / count
    centre = (share + _Z**2 / (2 * count)) / denominator
    half = _Z * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2)) / denominator
    return max(0.0, centre - half), min(1.0, centre + half)
