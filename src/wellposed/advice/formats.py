"""What becomes of values in a narrower floating-point format."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from wellposed.record import Spread, Statistics
from wellposed.rules.numerics.limits import FORMATS, Format

_SOURCES: Final = {
    "float16": "IEEE 754-2019, binary16",
    "bfloat16": "the upper half of IEEE 754-2019's binary32",
    "float8_e4m3fn": "OCP 8-bit Floating Point Specification 1.0, E4M3: no infinities; conversions saturate at 448",
    "float8_e5m2": "OCP 8-bit Floating Point Specification 1.0, E5M2",
}
TARGETS: Final = tuple(_SOURCES)
"""The formats that can be asked about, by PyTorch's names."""


@dataclass(frozen=True, slots=True)
class Target:
    """A format to convert to, with the magnitudes at which rounding to nearest changes what a value is."""

    name: str
    limits: Format
    source: str

    @property
    def unit_roundoff(self) -> float:
        """Largest relative error of rounding a normal number: half the spacing next to 1."""
        return self.limits.epsilon / 2

    @property
    def overflow(self) -> float:
        """The smallest magnitude that is beyond the largest number after rounding: half a spacing above it."""
        spacing = self.limits.epsilon * 2.0 ** math.floor(math.log2(self.limits.largest))
        return self.limits.largest + spacing / 2

    @property
    def vanish(self) -> float:
        """The largest magnitude that rounds to zero: half the smallest subnormal (a tie goes to the even number)."""
        return self.limits.smallest_subnormal / 2

    @property
    def has_infinity(self) -> bool:
        """Whether an overflow becomes an infinity; else the value is clipped to the largest number."""
        return self.name != "float8_e4m3fn"


def target_of(dtype: object) -> Target:
    """The format of this name (``torch.float16`` goes too). Raises ValueError for any other than `TARGETS`."""
    name = str(dtype).removeprefix("torch.")
    if name not in _SOURCES:
        raise ValueError(f"cannot tell what would fit into {name!r}: choose one of {', '.join(TARGETS)}")
    return Target(name, FORMATS[name], _SOURCES[name])


@dataclass(frozen=True, slots=True)
class Fate:
    """What a format makes of a tensor's elements. Shares are of the finite elements, 0 to 1."""

    elements: int
    overflow: float
    """Share that becomes infinite, or is clipped where the format has no infinity."""
    vanish: float
    """Share that was not zero and becomes zero."""
    subnormal: float
    """Share that is kept with fewer digits than the format has."""
    largest: float
    """Largest magnitude; NaN where nothing is finite."""
    smallest: float
    """Smallest magnitude that is not zero; NaN where there is none."""
    root_mean_square: float
    exact: bool
    """Whether the shares were counted; else they are no more than what the extremes prove: too small, if anything."""

    @property
    def harmless(self) -> bool:
        return not (self.overflow or self.vanish)


def fate_of(values: Statistics, spread: Spread | None, target: Target, scale: float = 1.0) -> Fate:
    """What becomes of values of these statistics times `scale` (a power of two), counted where `spread` is known.

    Whether anything overflows or vanishes is exact either way; a share is exact but for the binade of the limit.
    """
    finite = max(1, values.count - values.nonfinite)
    largest, smallest = values.largest_magnitude * scale, values.smallest_nonzero * scale
    overflows, vanishes = largest >= target.overflow, smallest <= target.vanish
    if spread is not None and sum(spread.counts) + spread.zero > 0:
        over, under, weak = _shares(spread, target, math.log2(scale))
        # The extremes are of all elements, the counts may be of a part, and do not look into a binade.
        over = max(over, 1 / finite) if overflows else 0.0
        under = max(under, 1 / finite) if vanishes else 0.0
        return Fate(finite, over, under, weak, largest, smallest, values.root_mean_square * scale, True)
    nonzero = (finite - values.zero) / finite
    over = _proved(overflows, smallest >= target.overflow, nonzero, finite)
    under = _proved(vanishes, largest <= target.vanish, nonzero, finite)
    weak = 0.0
    if not under:
        weak = _proved(
            smallest < target.limits.smallest_normal, largest < target.limits.smallest_normal, nonzero, finite
        )
    settled = (not overflows or over == nonzero) and (not vanishes or under == nonzero) and weak in (0.0, nonzero)
    return Fate(finite, over, under, weak, largest, smallest, values.root_mean_square * scale, settled)


def _proved(any_: bool, all_: bool, nonzero: float, finite: int) -> float:
    """The share that the extremes prove: all elements that are not zero, one, or none."""
    return nonzero if all_ else (1 / finite if any_ else 0.0)


def _shares(spread: Spread, target: Target, shift: float) -> tuple[float, float, float]:
    """Shares that overflow, vanish and are subnormal; a binade belongs to the side on which it begins."""
    everything = sum(spread.counts) + spread.zero
    over = under = weak = 0
    highest = math.floor(math.log2(target.limits.largest))
    zero, normal = math.log2(target.limits.smallest_subnormal) - 1, math.log2(target.limits.smallest_normal)
    for exponent, count in enumerate(spread.counts, spread.lowest):
        moved = exponent + shift
        if moved > highest:
            over += count
        elif moved < zero:
            under += count
        elif moved < normal:
            weak += count
    return over / everything, under / everything, weak / everything
