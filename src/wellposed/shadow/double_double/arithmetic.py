"""Numbers of twice the precision of float64: the unevaluated sum of two float64 tensors, and arithmetic on them.

With u = 2^-53, a normalised pair has |low| ≤ u·|high|, so `high` is the float64 nearest to it. The algorithms and
their bounds are those of Joldes, Muller, Popescu, "Tight and rigorous error bounds for basic building blocks of
double-word arithmetic", ACM TOMS 44(2), 2017, in the form without fused multiply-add, on the error-free transforms of
Dekker (1971) and Knuth (TAOCP 2, 4.2.2). They hold where nothing falls below 2^-1022 on the way: a product keeps all of
its digits down to 2^-969, under which its error is absolute, 2^-1074.

PyTorch has no fused multiply-add, and `addcmul` gives no promise of one; products are split by Veltkamp's halves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from wellposed.shadow.double_double.blocks import blocked

_HALF_OF_SPLIT = 1 << 26
_UPPER_BITS = -(1 << 27)
_LARGEST_UPPER = (2.0**1023 - 2.0**997) * 2
"""Largest float64 with 26 bits: where rounding to 26 bits would give an infinity."""

Number = float | int


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """`high` + `low`, float64 tensors of one shape; where `high` is not finite, `low` is 0."""

    high: Tensor
    low: Tensor

    def __add__(self, other: Pair | Tensor | Number) -> Pair:
        return add(self, other) if isinstance(other, Pair) else add_float(self, other)

    __radd__ = __add__

    def __sub__(self, other: Pair | Tensor | Number) -> Pair:
        return add(self, -other) if isinstance(other, Pair) else add_float(self, -other)

    def __rsub__(self, other: Tensor | Number) -> Pair:
        return add_float(-self, other)

    def __mul__(self, other: Pair | Tensor | Number) -> Pair:
        return multiply(self, other) if isinstance(other, Pair) else multiply_float(self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Pair | Tensor | Number) -> Pair:
        return divide(self, other if isinstance(other, Pair) else exactly(other, self.high))

    def __rtruediv__(self, other: Tensor | Number) -> Pair:
        return divide(exactly(other, self.high), self)

    def __neg__(self) -> Pair:
        return Pair(-self.high, -self.low)

    def __abs__(self) -> Pair:
        negative = torch.signbit(self.high)
        return Pair(self.high.abs(), torch.where(negative, -self.low, self.low))

    def scaled(self, power_of_two: Tensor | Number) -> Pair:
        """Times a power of two: exact unless it overflows or falls below the normal numbers."""
        high = self.high * power_of_two
        return Pair(high, _finite(self.low * power_of_two))

    @property
    def shape(self) -> torch.Size:
        return self.high.shape


def _finite(correction: Tensor) -> Tensor:
    """0 for what is not finite: it comes of ∞ − ∞ where the leading part holds the answer."""
    return torch.nan_to_num(correction, 0.0, 0.0, 0.0)


def settle(high: Tensor, correction: Tensor, zero: Tensor | None = None) -> Pair:
    """`high` + `correction` normalised, given |correction| ≤ |high| or high = 0 (Dekker's Fast2Sum).

    `zero` is the IEEE result in float64, whose sign counts where the sum is 0. Without it `high` stands where there is
    nothing to correct, so that −0 stays −0.
    """
    correction = _finite(correction)
    total = high + correction
    total = torch.where(correction == 0, high, total) if zero is None else torch.where(total == 0, zero, total)
    return Pair(total, _finite(correction - (total - high)))


def two_sum(a: Tensor, b: Tensor | Number) -> tuple[Tensor, Tensor]:
    """a + b rounded, and its error exactly (Knuth's 2Sum); the error is nan where the sum overflows."""
    total = a + b
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


def split(a: Tensor) -> tuple[Tensor, Tensor]:
    """Two numbers of at most 26 bits each whose sum is a, by rounding its bits: no overflow on the way."""
    upper = ((a.view(torch.int64) + _HALF_OF_SPLIT) & _UPPER_BITS).view(torch.float64)
    upper = upper.clamp(-_LARGEST_UPPER, _LARGEST_UPPER)
    return upper, a - upper


def two_product(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """a·b rounded, and its error, exact unless below 2^-1074 (Dekker's product)."""
    product = a * b
    a_upper, a_lower = split(a)
    b_upper, b_lower = (a_upper, a_lower) if b is a else split(b)
    error = a_upper * b_upper - product
    error = error + a_upper * b_lower + a_lower * b_upper + a_lower * b_lower
    return product, error


@blocked
def add(x: Pair, y: Pair) -> Pair:
    """Relative error ≤ 3u² + 13u³, also where digits cancel (AccurateDWPlusDW)."""
    total, error = two_sum(x.high, y.high)
    low, low_error = two_sum(x.low, y.low)
    correction = _finite(error + low)
    rough = total + correction
    return settle(rough, low_error + (correction - (rough - total)), total)


@blocked
def add_float(x: Pair, y: Tensor | Number) -> Pair:
    """Relative error ≤ 2u² (DWPlusFP)."""
    if isinstance(y, int) and abs(y) > 2**53:
        return add(x, exactly(y, x.high))
    total, error = two_sum(x.high, y)
    return settle(total, error + x.low, total)


@blocked
def multiply(x: Pair, y: Pair) -> Pair:
    """Relative error ≤ 5u² (DWTimesDW1; the bound of Muller and Rideau, ACM TOMS 48(1), 2022)."""
    product, error = two_product(x.high, y.high)
    return settle(product, error + (x.high * y.low + x.low * y.high))


@blocked
def multiply_float(x: Pair, y: Tensor | Number) -> Pair:
    """Relative error ≤ 3u² (DWTimesFP2)."""
    if not isinstance(y, Tensor):
        if y in _POWERS_OF_TWO:
            return x.scaled(y)
        whole = exactly(y, x.high)
        return multiply(x, whole) if isinstance(y, int) and abs(y) > 2**53 else multiply_float(x, whole.high)
    product, error = two_product(x.high, y)
    return settle(product, error + x.low * y)


_POWERS_OF_TWO = {1, -1, 2, -2, 4, 8, 0.5, -0.5, 0.25, 0.125}


@blocked
def square(x: Pair) -> Pair:
    product, error = two_product(x.high, x.high)
    return settle(product, error + x.high * x.low * 2)


@blocked
def divide(x: Pair, y: Pair) -> Pair:
    """Relative error ≤ 15u² + 56u³ (DWDivDW2), and 2^-1074 / |x| more where x is that small."""
    quotient = x.high / y.high
    product, error = two_product(y.high, quotient)
    taken = settle(product, error + y.low * quotient)
    rest = (x.high - taken.high) + (x.low - taken.low)
    return settle(quotient, rest / y.high)


@blocked
def square_root(x: Pair) -> Pair:
    """Relative error ≤ 25/8 u² (Lefèvre, Louvet, Muller, Picot, Rideau, ACM TOMS 49(1), 2023, SQRTDWtoDW)."""
    root = torch.sqrt(x.high)
    product, error = two_product(root, root)
    return settle(root, (((x.high - product) - error) + x.low) / (root + root))


def exactly(value: Any, like: Tensor) -> Pair:
    """The pair that equals a Python number, or a tensor of float or integer dtype; never its memory."""
    if isinstance(value, Pair):
        return value
    if isinstance(value, Tensor):
        if value.is_floating_point() or value.dtype == torch.bool:
            high = value.detach().to(torch.float64, copy=True)
            return Pair(high, torch.zeros_like(high))
        whole = value.detach().to(torch.int64)
        upper = (whole >> 32).to(torch.float64) * 2.0**32
        return settle(*two_sum(upper, (whole & 0xFFFFFFFF).to(torch.float64)))
    high_number = float(value)
    low_number = float(value - int(high_number)) if isinstance(value, int) and abs(value) > 2**53 else 0.0
    return constant((high_number, low_number), like)


def constant(number: tuple[float, float], like: Tensor) -> Pair:
    """A pair of scalars on the device of `like`."""
    return Pair(like.new_tensor(number[0], dtype=torch.float64), like.new_tensor(number[1], dtype=torch.float64))


def where(condition: Tensor, x: Pair, y: Pair) -> Pair:
    return Pair(torch.where(condition, x.high, y.high), torch.where(condition, x.low, y.low))


def ieee(result: Pair, expected: Tensor) -> Pair:
    """`result`, but what float64 gives where that is an infinity, a NaN, or a zero: with its sign."""
    special = ~torch.isfinite(expected) | (expected == 0)
    return Pair(torch.where(special, expected, result.high), torch.where(special, 0.0, result.low))


def ieee_nonfinite(result: Pair, expected: Tensor) -> Pair:
    """`result`, but what float64 gives where that isn't finite."""
    special = ~torch.isfinite(expected)
    return Pair(torch.where(special, expected, result.high), torch.where(special, 0.0, result.low))


def power_of_two(exponent: Tensor) -> Tensor:
    """2^exponent for int64 exponents of normal numbers, by its bits."""
    return ((exponent + 1023) << 52).view(torch.float64)


@blocked
def ldexp(x: Pair, exponent: Tensor) -> Pair:
    """x · 2^exponent in two steps, so that it rounds once where it falls below the normal numbers."""
    exponent = exponent.clamp(-2000, 2000)
    half = exponent >> 1
    once = x.scaled(power_of_two(half)).scaled(power_of_two(exponent - half))
    return settle(once.high, once.low)


def less(x: Pair, y: Pair) -> Tensor:
    return (x.high < y.high) | ((x.high == y.high) & (x.low < y.low))


def equal(x: Pair, y: Pair) -> Tensor:
    return (x.high == y.high) & (x.low == y.low)


def common_shape(*shapes: torch.Size) -> torch.Size:
    shape: torch.Size = torch.broadcast_shapes(*shapes)  # type: ignore[no-untyped-call]
    return shape


def zeros(like: Tensor, shape: Any = None) -> Pair:
    of = like.shape if shape is None else shape
    return Pair(like.new_zeros(of, dtype=torch.float64), like.new_zeros(of, dtype=torch.float64))
