"""The error function, its complement, and the normal distribution, in double-double.

Taylor series of at most 24 terms about the nearest multiple of 1/64, whose coefficients are Hermite polynomials:
erf(a + h) = erf(a) + 2/√π · e^(−a²) · Σ (−1)^n H_n(a) h^(n+1) / (n+1)!  (Abramowitz and Stegun, 7.1.19). Relative
errors ≤ 2^-98 as long as the result is above 2^-969; of Φ(x) far on the negative side 2^-102 · x², for x/√2 is rounded.
"""

from __future__ import annotations

from functools import cache
from math import factorial, isqrt

import torch
from torch import Tensor

from wellposed.shadow.double_double import tables
from wellposed.shadow.double_double.arithmetic import Pair, constant, ieee_nonfinite, square_root, where
from wellposed.shadow.double_double.blocks import blocked

_STEPS = 64
_SMALL = 6.0
_LARGEST = 27.5
"""erfc is below 2^-1074 beyond 27.23."""


@cache
def _table(largest: float, device: torch.device) -> tuple[Pair, Pair, Pair, list[Pair]]:
    """erf, erfc and 2/√π·e^(−a²) at the multiples of 1/64, and the coefficients of the series there."""
    one = 1 << tables.BITS
    slope = 2 * (one << tables.BITS) // isqrt(tables.pi() << tables.BITS)
    terms = _terms(largest)
    points = int(largest * _STEPS) + 1
    shrink = (one << tables.BITS) // tables.exponential(one // _STEPS**2)
    twice_shrink = shrink * shrink >> tables.BITS
    value, density, rows, coefficients = 0, slope, [], []
    for j in range(points):
        rows.append((tables.as_pair(value), tables.as_pair(one - value), tables.as_pair(density)))
        hermite = _hermite(j, terms)
        coefficients.append([tables.as_pair(each, factorial(n + 1) * _STEPS**n) for n, each in enumerate(hermite)])
        value += density * _step_to_next(j) >> tables.BITS
        # e^-(a + 1/64)² from e^-a²
        density = density * shrink >> tables.BITS
        shrink = shrink * twice_shrink >> tables.BITS
    both = torch.tensor(rows, dtype=torch.float64, device=device)
    of_series = torch.tensor(coefficients, dtype=torch.float64, device=device)
    columns = [Pair(both[:, k, 0].contiguous(), both[:, k, 1].contiguous()) for k in range(3)]
    series = [Pair(of_series[:, n, 0].contiguous(), of_series[:, n, 1].contiguous()) for n in range(terms)]
    return columns[0], columns[1], columns[2], series


def _terms(largest: float) -> int:
    return 18 if largest <= _SMALL + 1 else 24


def _terms_in_pairs(largest: float) -> int:
    """The rest is below 2^-53 of the sum."""
    return 10 if largest <= _SMALL + 1 else 14


def _hermite(j: int, count: int) -> list[int]:
    """(−1)^n H_n(j/64) · 64^n, exactly."""
    values = [1, -2 * j]
    for n in range(1, count - 1):
        values.append(-2 * j * values[n] - 2 * n * _STEPS**2 * values[n - 1])
    return values[:count]


def _step_to_next(j: int) -> int:
    """The series at h = 1/64, in fixed point."""
    before, here, n = 0, (1 << tables.BITS) // _STEPS, 0
    total = here
    while here not in (0, -1) or before not in (0, -1):
        following = -2 * (j * here + n * before // (n + 1)) // ((n + 2) * _STEPS**2)
        before, here = here, following
        total += here
        n += 1
    return total


def _parts(x: Pair) -> tuple[Pair, Pair, Pair]:
    """erf and erfc at the point nearest to |x|, and what is between."""
    high = torch.nan_to_num(x.high.abs(), 0.0).clamp(max=_LARGEST - 1 / _STEPS)
    size = where(x.high.abs() < _LARGEST - 1 / _STEPS, abs(x), Pair(high, torch.zeros_like(high)))
    largest = _SMALL + 1 / _STEPS if not high.numel() or float(high.max()) < _SMALL else _LARGEST
    of_erf, of_erfc, density, series = _table(largest, high.device)
    index = torch.round(high * _STEPS).to(torch.int64)
    h = size - index.double() / _STEPS
    pairs = _terms_in_pairs(largest)
    tail = torch.zeros_like(high)
    for each in reversed(series[pairs:]):
        tail = tail * h.high + each.high[index]
    total = _at(series[pairs - 1], index) + tail * h.high
    for each in reversed(series[: pairs - 1]):
        total = total * h + _at(each, index)
    return _at(of_erf, index), _at(of_erfc, index), _at(density, index) * (total * h)


def _at(table: Pair, index: Tensor) -> Pair:
    return Pair(table.high[index], table.low[index])


@blocked
def erf(x: Pair) -> Pair:
    near, _, between = _parts(x)
    size = near + between
    result = where(torch.signbit(x.high), -size, size)
    result = Pair(torch.where(x.high == 0, x.high, result.high), result.low)
    return ieee_nonfinite(_beyond(x, result, torch.sign(x.high)), torch.erf(x.high))


@blocked
def erfc(x: Pair) -> Pair:
    near, complement, between = _parts(x)
    negative = torch.signbit(x.high)
    result = where(negative, near + between + 1.0, complement - between)
    return ieee_nonfinite(_beyond(x, result, torch.where(negative, 2.0, 0.0)), torch.erfc(x.high))


def _beyond(x: Pair, result: Pair, limit: Tensor) -> Pair:
    far = x.high.abs() >= _LARGEST - 1 / _STEPS
    return Pair(torch.where(far, limit, result.high), torch.where(far, 0.0, result.low))


@blocked
def normal_distribution(x: Pair) -> Pair:
    """Φ(x)."""
    return erfc(-(x * _root_of_half(x.high))).scaled(0.5)


def _root_of_half(like: Tensor) -> Pair:
    return square_root(constant((0.5, 0.0), like))
