"""Sine, cosine, their inverses, in double-double.

Arguments are reduced by multiples of π/256 held to 320 bits, so that relative errors stay ≤ 2^-98 also beside the zeros
of the sine, for |x| < 2^50; larger ones have NotImplementedError. Inverses are one step of a formula that is exact up
to the cube of float64's own error: atan2(y, x) = a + atan((y cos a − x sin a) / (x cos a + y sin a)).
"""

from __future__ import annotations

import torch
from torch import Tensor

from wellposed.shadow.double_double import tables
from wellposed.shadow.double_double.arithmetic import (
    Pair,
    add_float,
    constant,
    exactly,
    ieee_nonfinite,
    ldexp,
    settle,
    square,
    square_root,
    two_product,
    where,
    zeros,
)
from wellposed.shadow.double_double.blocks import blocked

_LARGEST_ARGUMENT = 2.0**50
_SMALL_ARGUMENT = 2.0**20
"""Below it, four parts of π and one round of reduction are enough."""


@blocked
def sin(x: Pair) -> Pair:
    sine, _ = sine_and_cosine(x)
    return Pair(torch.where(x.high == 0, x.high, sine.high), sine.low)


@blocked
def cos(x: Pair) -> Pair:
    return sine_and_cosine(x)[1]


@blocked
def tan(x: Pair) -> Pair:
    sine, cosine = sine_and_cosine(x)
    result = sine / cosine
    return Pair(torch.where(x.high == 0, x.high, result.high), result.low)


@blocked
def sine_and_cosine(x: Pair) -> tuple[Pair, Pair]:
    """Both at once; NaN for infinities. Raises NotImplementedError where an argument is 2^50 or more."""
    finite = torch.isfinite(x.high)
    if bool((finite & (x.high.abs() >= _LARGEST_ARGUMENT)).any()):
        raise NotImplementedError("the sine of arguments of 2^50 and more")
    high = torch.where(finite, x.high, 0.0)
    index, rest = _reduced(Pair(high, x.low))
    near_sine, near_cosine_less_one = _series(rest)
    sines, cosines = tables.circle(high.device)
    sine, cosine = Pair(sines.high[index], sines.low[index]), Pair(cosines.high[index], cosines.low[index])
    nan = torch.where(finite, 0.0, torch.nan)
    of_sum = sine + (cosine * near_sine + sine * near_cosine_less_one)
    of_other = cosine + (cosine * near_cosine_less_one - sine * near_sine)
    return Pair(of_sum.high + nan, of_sum.low), Pair(of_other.high + nan, of_other.low)


def _reduced(x: Pair) -> tuple[Tensor, Pair]:
    """j modulo 512 and x − j·π/256; a second round takes what the first left of a large x, because j was rounded."""
    total = torch.zeros_like(x.high, dtype=torch.int64)
    rest, low_parts = x, zeros(x.high)
    small = not x.high.numel() or float(x.high.abs().max()) < _SMALL_ARGUMENT
    for _ in range(1 if small else 2):
        count = torch.round((rest.high + low_parts.high) * _STEPS_PER_UNIT)
        total = total + torch.remainder(count, tables.CIRCLE_STEPS).to(torch.int64)
        for place, part in enumerate(_STEP[:4] if small else _STEP):
            product, error = two_product(count, torch.full_like(count, part))
            taken = settle(product, error)
            # The first two parts cancel x, exactly but for what the rest holds: keep what is small apart.
            if place < 2:
                rest = rest - taken
            else:
                low_parts = low_parts - taken
    return total & (tables.CIRCLE_STEPS - 1), rest + low_parts


def _series(r: Pair) -> tuple[Pair, Pair]:
    """sin(r) and cos(r) − 1 for |r| ≤ π/512, relative errors below 2^-100."""
    squared = square(r)
    s = squared.high
    sine_tail = 1 / 362880 - s * (1 / 39916800 - s / 6227020800)
    sine_tail = -1 / 5040 + s * sine_tail
    cosine_tail = -1 / 3628800 + s * (1 / 479001600 - s / 87178291200)
    cosine_tail = 1 / 40320 + s * cosine_tail
    of_sine = _by_coefficients(squared, exactly(sine_tail, s), (_INVERSE[120], _minus(_INVERSE[6])))
    of_cosine = _by_coefficients(squared, exactly(cosine_tail, s), (_minus(_INVERSE[720]), _INVERSE[24]))
    cosine_less_one = squared * (squared * of_cosine + constant((-0.5, 0.0), s))
    return r + r * (squared * of_sine), cosine_less_one


def _by_coefficients(x: Pair, total: Pair, coefficients: tuple[tuple[float, float], ...]) -> Pair:
    for each in coefficients:
        total = total * x + constant(each, x.high)
    return total


def _minus(pair: tuple[float, float]) -> tuple[float, float]:
    return -pair[0], -pair[1]


@blocked
def atan2(y: Pair, x: Pair) -> Pair:
    """The angle of (x, y), with the special values of IEEE 754's atan2."""
    angle = torch.atan2(y.high, x.high)
    y, x = _same_shape(y, x, angle)
    largest = torch.maximum(x.high.abs(), y.high.abs())
    usable = torch.isfinite(largest) & (largest > 0)
    # Scaled to below 1, nothing overflows; an infinity or zero is decided by float64, in pairs of π.
    exponent = torch.frexp(torch.where(usable, largest, 1.0)).exponent.to(torch.int64)
    y, x = ldexp(y, -exponent), ldexp(x, -exponent)
    sine, cosine = sine_and_cosine(Pair(torch.nan_to_num(angle), torch.zeros_like(angle)))
    delta = (y * cosine - x * sine) / (x * cosine + y * sine)
    delta = delta - delta * square(delta) * constant(_INVERSE[3], angle)
    regular = add_float(delta, angle)
    small = _fractions_of_pi(angle)
    return where(usable & torch.isfinite(delta.high) & (regular.high != 0), regular, small)


def _fractions_of_pi(angle: Tensor) -> Pair:
    """Multiples of π/4, which atan2 gives for zeros and infinities, to full precision."""
    eighths = torch.round(angle * (4 / torch.pi))
    exact = constant(_PI, angle).scaled(0.25) * torch.nan_to_num(eighths)
    return Pair(torch.where(eighths == 0, angle, torch.where(torch.isnan(angle), angle, exact.high)), exact.low)


def _same_shape(y: Pair, x: Pair, like: Tensor) -> tuple[Pair, Pair]:
    return (
        Pair(y.high.expand_as(like), y.low.expand_as(like)),
        Pair(x.high.expand_as(like), x.low.expand_as(like)),
    )


@blocked
def atan(x: Pair) -> Pair:
    result = atan2(x, exactly(torch.ones_like(x.high), x.high))
    return Pair(torch.where(x.high == 0, x.high, result.high), torch.where(x.high == 0, 0.0, result.low))


@blocked
def asin(x: Pair) -> Pair:
    result = ieee_nonfinite(atan2(x, _other_side(x)), torch.asin(x.high))
    return Pair(torch.where(x.high == 0, x.high, result.high), result.low)


@blocked
def acos(x: Pair) -> Pair:
    return ieee_nonfinite(atan2(_other_side(x), x), torch.acos(x.high))


def _other_side(x: Pair) -> Pair:
    """√(1 − x²), without cancellation beside 1."""
    return square_root((1.0 - x) * (x + 1.0))


_PI = tables.as_pair(tables.pi())
_STEP = tables.as_parts(tables.pi() // (tables.CIRCLE_STEPS // 2), 6)
_STEPS_PER_UNIT = tables.CIRCLE_STEPS / 2 / _PI[0]
_INVERSE = {n: tables.as_pair(1, n) for n in (3, 6, 24, 120, 720)}
