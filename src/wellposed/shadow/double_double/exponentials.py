"""Exponentials, logarithms and powers in double-double.

Arguments are reduced by tables (P. T. P. Tang, "Table-driven implementation of the exponential function", ACM TOMS
15(2), 1989); a logarithm is a Newton step of third order on float64's own. Relative errors, with u = 2^-53, unless the
result is below 2^-969: exp, expm1, exp2, log, log1p, log2, log10, sinh, cosh, tanh, sigmoid ≤ 2^-98; powers
≤ 2^-100 · (4 + |y ln x|), for the product y ln x is rounded before it is an exponent.
"""

from __future__ import annotations

from math import factorial

import torch
from torch import Tensor

from wellposed.shadow.double_double import tables
from wellposed.shadow.double_double.arithmetic import (
    Pair,
    add_float,
    constant,
    exactly,
    ieee,
    ieee_nonfinite,
    ldexp,
    multiply_float,
    power_of_two,
    settle,
    square,
    square_root,
    two_product,
    two_sum,
    where,
)
from wellposed.shadow.double_double.blocks import blocked

_LARGEST_EXPONENT = 746.0
"""Of e: beyond it the result overflows or is 0 in float64, and its exact value does not matter."""
_SMALLEST_LARGE_POWER = 64
_TERMS_IN_PAIRS = 5
_TERMS = 12
"""|r| ≤ ln 2 / 128: r^12 / 13! is below 2^-108 of r, r^5 / 6! below 2^-46, so float64 holds the rest of the series."""


@blocked
def exp(x: Pair) -> Pair:
    scale, entry, part = _reduced(_bounded(x), None)
    return ieee(ldexp(entry + entry * part, scale), torch.exp(x.high))


@blocked
def exp2(x: Pair) -> Pair:
    bounded = Pair(x.high.clamp(-1100.0, 1100.0), torch.where(x.high.abs() < 1100.0, x.low, 0.0))
    scale, entry, part = _reduced(bounded, bounded.high)
    return ieee(ldexp(entry + entry * part, scale), torch.exp2(x.high))


@blocked
def expm1(x: Pair) -> Pair:
    scale, entry, part = _reduced(_bounded(x), None)
    # Below 2^-53 of the result the 1 does not count, and 2^scale may not be held apart from it.
    large = scale > 110
    power = power_of_two(torch.where(large, 0, scale.clamp(min=-1000)))
    grown = entry.scaled(power)
    near = (grown - 1.0) + grown * part
    result = where(large, ldexp(entry + entry * part, scale), near)
    return _with_sign_of_zero(ieee_nonfinite(result, torch.expm1(x.high)), x)


def _bounded(x: Pair) -> Pair:
    inside = x.high.abs() < _LARGEST_EXPONENT
    high = torch.nan_to_num(x.high.clamp(-_LARGEST_EXPONENT, _LARGEST_EXPONENT), 0.0)
    return Pair(high, torch.where(inside, x.low, 0.0))


def _reduced(x: Pair, base_two: Tensor | None) -> tuple[Tensor, Pair, Pair]:
    """Integer k, 2^(j/64) and expm1(r) with e^x = 2^k · 2^(j/64) · e^r; with base 2 in place of e where asked for."""
    steps = tables.EXPONENTIAL_STEPS
    if base_two is None:
        count = torch.round(x.high * (steps / 0.6931471805599453))
        rest = x
        for part in _LN2_IN_STEPS:
            rest = _minus_product(rest, count, part)
    else:
        count = torch.round(torch.nan_to_num(base_two) * steps)
        rest = (x - count / steps) * constant(_LN2, x.high)
    whole = count.to(torch.int64)
    scale = whole >> (steps.bit_length() - 1)
    table = tables.powers_of_two(x.high.device)
    index = whole & (steps - 1)
    return scale, Pair(table.high[index], table.low[index]), _series(rest)


def _minus_product(x: Pair, count: Tensor, part: float) -> Pair:
    product, error = two_product(count, torch.full_like(count, part))
    return x - settle(product, error)


def _series(r: Pair) -> Pair:
    """expm1(r) for |r| ≤ ln 2 / 128, relative error below 2^-101."""
    tail = torch.full_like(r.high, 1.0 / factorial(_TERMS + 1))
    for n in range(_TERMS, _TERMS_IN_PAIRS, -1):
        tail = tail * r.high + 1.0 / factorial(n)
    total = settle(*two_sum(tail * r.high, 1.0 / factorial(_TERMS_IN_PAIRS))) + _INVERSE_FACTORIALS[_TERMS_IN_PAIRS][1]
    for n in range(_TERMS_IN_PAIRS - 1, 1, -1):
        total = total * r + constant(_INVERSE_FACTORIALS[n], r.high)
    return r + square(r) * total


@blocked
def log(x: Pair) -> Pair:
    exponent, mantissa = _logarithm_of_parts(x)
    return ieee(mantissa + _multiple_of_ln2(exponent), _ieee_logarithm(x, torch.log))


@blocked
def log2(x: Pair) -> Pair:
    exponent, mantissa = _logarithm_of_parts(x)
    result = add_float(mantissa / constant(_LN2, x.high), exponent.to(torch.float64))
    return ieee(result, _ieee_logarithm(x, torch.log2))


@blocked
def log10(x: Pair) -> Pair:
    return ieee(log(x) / constant(_LN10, x.high), _ieee_logarithm(x, torch.log10))


@blocked
def log1p(x: Pair) -> Pair:
    moved = x + 1.0
    exponent, mantissa = _logarithm_of_parts(moved, near_one=x)
    result = ieee_nonfinite(mantissa + _multiple_of_ln2(exponent), torch.log1p(x.high))
    # At −1 + low it is finite although float64 sees −1.
    finite = (x.high == -1) & (x.low > 0)
    return _with_sign_of_zero(where(finite, log(where(finite, Pair(x.low, x.low * 0), moved)), result), x)


def _ieee_logarithm(x: Pair, of: object) -> Tensor:
    """float64's own result, but not its 0 where the argument is 1 and a little more."""
    assert callable(of)
    result: Tensor = of(x.high)
    return torch.where((result == 0) & (x.low != 0), 1.0, result)


def _logarithm_of_parts(x: Pair, near_one: Pair | None = None) -> tuple[Tensor, Pair]:
    """k and log(m) with x = 2^k · m, m in [√½, √2]; near_one is x − 1 where that is known better."""
    usable = (x.high > 0) & torch.isfinite(x.high)
    high = torch.where(usable, x.high, 1.0)
    mantissa, exponent = torch.frexp(high)
    exponent = exponent.to(torch.int64) - (mantissa < 0.7071067811865476).to(torch.int64)
    scaled = ldexp(Pair(high, torch.where(usable, x.low, 0.0)), -exponent)
    less_one = settle(*two_sum(scaled.high - 1.0, scaled.low))
    if near_one is not None:
        less_one = where(exponent == 0, near_one, less_one)
    return exponent, _log1p_near(less_one)


def _log1p_near(t: Pair) -> Pair:
    """log(1 + t) for t in [−0.3, 0.42]: y + log1p(w), w = (1 + t)·e^-y − 1 where y is float64's answer."""
    y = torch.log1p(t.high.clamp(-0.5, 1.0))
    inverse = expm1(-Pair(y, torch.zeros_like(y)))
    w = (t + inverse) + t * inverse
    return add_float(w - square(w).scaled(0.5), y)


def _multiple_of_ln2(exponent: Tensor) -> Pair:
    return multiply_float(constant(_LN2, exponent), exponent.to(torch.float64))


def _with_sign_of_zero(result: Pair, x: Pair) -> Pair:
    """For odd functions: f(±0) = ±0."""
    return Pair(torch.where(x.high == 0, x.high, result.high), torch.where(x.high == 0, 0.0, result.low))


@blocked
def sinh(x: Pair) -> Pair:
    size = abs(x)
    # e^|x| overflows a little before its half does.
    far = size.high > 40.0
    grown = expm1(where(far, exactly(torch.zeros_like(size.high), size.high), size))
    near = (grown + grown / (grown + 1.0)).scaled(0.5)
    halved = exp(size.scaled(0.5))
    result = where(far, halved * halved.scaled(0.5), near)
    return _with_sign_of_zero(ieee_nonfinite(_signed(result, x), torch.sinh(x.high)), x)


@blocked
def cosh(x: Pair) -> Pair:
    halved = exp(abs(x).scaled(0.5))
    grown = halved * halved.scaled(0.5)
    return ieee_nonfinite(grown + exp(-abs(x)).scaled(0.5), torch.cosh(x.high))


@blocked
def tanh(x: Pair) -> Pair:
    shrunk = expm1(abs(x).scaled(-2.0))
    return _with_sign_of_zero(_signed(-shrunk / (shrunk + 2.0), x), x)


@blocked
def sigmoid(x: Pair) -> Pair:
    shrunk = exp(-abs(x))
    whole = shrunk + 1.0
    numerator = where(torch.signbit(x.high), shrunk, exactly(torch.ones_like(x.high), x.high))
    return numerator / whole


def _signed(size: Pair, like: Pair) -> Pair:
    return where(torch.signbit(like.high), -size, size)


@blocked
def power(x: Pair, y: Pair) -> Pair:
    """x^y for tensors, with the special values of IEEE 754's pow."""
    expected = torch.pow(x.high, y.high)
    size = exp(y * log(abs(x)))
    odd = (y.low == 0) & (torch.remainder(y.high, 2.0) == 1.0)
    result = where((x.high < 0) & odd, -size, size)
    unity = ((y.high == 0) & (y.low == 0)) | ((x.high == 1) & (x.low == 0))
    unity = unity | ((x.high == -1) & (x.low == 0) & torch.isinf(y.high))
    result = where(unity, exactly(torch.ones_like(expected), expected), result)
    return ieee(result, expected)


@blocked
def integer_power(x: Pair, n: int) -> Pair:
    """x^n by squaring: relative error ≤ 2|n| · 5u²."""
    if abs(n) > _SMALLEST_LARGE_POWER:
        return power(x, exactly(torch.full_like(x.high, n), x.high))
    if n == 0:
        return exactly(torch.ones_like(x.high), x.high)
    result: Pair | None = None
    base, left = x, abs(n)
    while left:
        if left & 1:
            result = base if result is None else result * base
        left >>= 1
        if left:
            base = square(base)
    assert result is not None
    return 1.0 / result if n < 0 else result


@blocked
def scalar_power(x: Pair, y: float) -> Pair:
    """x^y for a Python number."""
    if float(y).is_integer() and abs(y) <= _SMALLEST_LARGE_POWER:
        return integer_power(x, int(y))
    if y == 0.5:
        return square_root(x)
    if y == -0.5:
        return 1.0 / square_root(x)
    if y == 1.5:
        return x * square_root(x)
    return power(x, exactly(torch.full_like(x.high, y), x.high))


_LN2 = tables.as_pair(tables.ln2())
_LN10 = tables.as_pair(tables.ln10())
_LN2_IN_STEPS = tables.as_parts(tables.ln2() // tables.EXPONENTIAL_STEPS, 3)
_INVERSE_FACTORIALS = [tables.as_pair(1, factorial(n)) for n in range(_TERMS_IN_PAIRS + 1)]
