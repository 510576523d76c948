"""Constants and tables to twice the precision of float64, made once from integers of fixed point."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import torch

from wellposed.shadow.double_double.arithmetic import Pair

BITS = 1500
"""Of the fixed point: the smallest float64 is 2^-1074, and its table entries need 110 bits and a few guard bits."""
_ONE = 1 << BITS


def as_pair(numerator: int, denominator: int = _ONE) -> tuple[float, float]:
    """The two float64 nearest to a fraction and to what is left; Python's division of integers rounds correctly."""
    high = numerator / denominator
    above, below = high.as_integer_ratio()
    return high, (numerator * below - above * denominator) / (denominator * below)


def as_parts(fixed: int, count: int) -> tuple[float, ...]:
    """Float64 numbers whose sum is the fixed-point number, to `count` · 53 bits."""
    parts, left = [], Fraction(fixed, _ONE)
    for _ in range(count):
        part = left.numerator / left.denominator
        parts.append(part)
        left -= Fraction(part)
    return tuple(parts)


@cache
def pi() -> int:
    """π by Machin's formula."""
    return 4 * (4 * _arctangent_of_inverse(5) - _arctangent_of_inverse(239))


@cache
def ln2() -> int:
    """ln 2 = 2 · artanh(1/3)."""
    return 2 * _arctangent_of_inverse(3, alternating=False)


@cache
def ln10() -> int:
    """ln 10 = 3 ln 2 + 2 · artanh(1/9)."""
    return 3 * ln2() + 2 * _arctangent_of_inverse(9, alternating=False)


def _arctangent_of_inverse(n: int, alternating: bool = True) -> int:
    power, total, k = _ONE // n, 0, 0
    while power:
        total += (-1 if alternating and k % 2 else 1) * (power // (2 * k + 1))
        power //= n * n
        k += 1
    return total


def exponential(fixed: int) -> int:
    """exp of a fixed-point number that isn't negative: of a small part of it, squared again and again."""
    halvings = 16 + max(0, fixed.bit_length() - BITS)
    guard = 64 + halvings
    one = _ONE << guard
    part = (fixed << guard) >> halvings
    total, term, k = one, one, 1
    while term:
        term = term * part // (one * k)
        total += term
        k += 1
    for _ in range(halvings):
        total = total * total // one
    return total >> guard


def sine_and_cosine(fixed: int) -> tuple[int, int]:
    sine = cosine = 0
    term, k = _ONE, 0
    while abs(term) > 1:
        sign = -1 if k % 4 >= 2 else 1
        if k % 2:
            sine += sign * term
        else:
            cosine += sign * term
        k += 1
        term = term * fixed // (_ONE * k)
    return sine, cosine


EXPONENTIAL_STEPS = 64
"""Entries between powers of two in the table of 2^(j/64)."""
CIRCLE_STEPS = 512
"""Entries in the table of sines and cosines: a full turn by π/256."""


@cache
def powers_of_two(device: torch.device) -> Pair:
    return _table([as_pair(exponential(ln2() * j // EXPONENTIAL_STEPS)) for j in range(EXPONENTIAL_STEPS)], device)


@cache
def circle(device: torch.device) -> tuple[Pair, Pair]:
    """Sines and cosines of j·π/256; those that are 0 or ±1 are so exactly."""
    quarter = CIRCLE_STEPS // 4
    first = [sine_and_cosine(pi() * j // (2 * quarter))[0] for j in range(quarter)]
    sines = [*first, _ONE, *reversed(first[1:])]
    sines += [-each for each in sines]
    rows = [as_pair(each) for each in sines]
    return _table(rows, device), _table(rows[quarter:] + rows[:quarter], device)


def _table(rows: list[tuple[float, float]], device: torch.device) -> Pair:
    both = torch.tensor(rows, dtype=torch.float64, device=device)
    return Pair(both[:, 0].contiguous(), both[:, 1].contiguous())
