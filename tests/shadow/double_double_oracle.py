"""Double-double tensors as hypothesis draws them, and mpmath at 60 digits to judge them by."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import mpmath
import torch
from hypothesis import strategies
from torch import Tensor

from wellposed.shadow.double_double import DoubleDouble
from wellposed.shadow.double_double.arithmetic import Pair, settle

aten = torch.ops.aten
REFERENCE = DoubleDouble()
EXACT = mpmath.MPContext()
EXACT.dps = 60
BOUND = 2.0**-98
SMALLEST = 2.0**-1070
"""Absolute error where the result is below the normal numbers."""


def pair_of(values: Iterable[float], parts: Iterable[float] | None = None) -> Pair:
    """Numbers with low parts that are `parts`, within ±1, of half a unit in the last place."""
    high = torch.tensor(list(values), dtype=torch.float64)
    share = torch.zeros_like(high) if parts is None else torch.tensor(list(parts), dtype=torch.float64)
    return settle(high, torch.nan_to_num(high * share, 0.0, 0.0, 0.0) * 2.0**-54)


def parts() -> strategies.SearchStrategy[float]:
    """Multiples of 2^-20: mpmath's 60 digits hold both halves of every pair."""
    return strategies.integers(-(2**20), 2**20).map(lambda whole: whole * 2.0**-20)


def floats(smallest: float, largest: float) -> strategies.SearchStrategy[Pair]:
    number = strategies.floats(smallest, largest, allow_nan=False, allow_subnormal=False)
    if smallest <= 0 <= largest:
        number |= strategies.builds(_by_exponent, number, strategies.integers(-60, 0))
    element = strategies.tuples(number, parts())
    return strategies.lists(element, min_size=1, max_size=12).map(
        lambda drawn: pair_of(
            [each for each, _ in drawn], [part if smallest < each < largest else 0.0 for each, part in drawn]
        )
    )


def _by_exponent(number: float, exponent: int) -> float:
    return number * 2.0**exponent


def exact(x: Pair | Tensor) -> list[Any]:
    """Every element as an mpf, flattened."""
    if isinstance(x, Tensor):
        return [EXACT.mpf(each) for each in x.double().flatten().tolist()]
    pairs = zip(x.high.flatten().tolist(), x.low.flatten().tolist(), strict=True)
    return [EXACT.mpf(high) + EXACT.mpf(low) for high, low in pairs]


def apply(operator: Any, *args: Any, **kwargs: Any) -> Any:
    return REFERENCE.apply(operator, args, kwargs)


def assert_close(result: Pair, expected: Iterable[Any], bound: float = BOUND, scale: Any = None) -> None:
    """Each element within `bound`, relative to itself or to `scale`; and the pair normalised."""
    expected = list(expected)
    computed = exact(result)
    assert len(computed) == len(expected)
    assert bool((result.high + result.low == result.high).all())
    for got, wanted in zip(computed, expected, strict=True):
        allowed = bound * abs(wanted if scale is None else scale) + SMALLEST
        error = abs(got - wanted)
        assert error <= allowed, f"{got} for {wanted}: 2^{float(EXACT.log(error / (abs(wanted) + SMALLEST), 2)):.1f}"


def elementwise(function: Callable[..., Any], *args: Pair) -> list[Any]:
    return [function(*each) for each in zip(*map(exact, args), strict=True)]


def random_pair(*shape: int, seed: int = 0, spread: float = 0.0) -> Pair:
    """Normal numbers with low parts; with a spread, over that many powers of ten."""
    generator = torch.Generator().manual_seed(seed)
    high = torch.randn(shape, generator=generator, dtype=torch.float64)
    high = high * 10 ** (spread * torch.rand(shape, generator=generator, dtype=torch.float64))
    return settle(high, high * torch.randn(shape, generator=generator, dtype=torch.float64) * 2.0**-56)


def part(x: Pair, index: Any) -> Pair:
    return Pair(x.high[index], x.low[index])


def matrix(x: Pair) -> Any:
    return EXACT.matrix([exact(part(x, row)) for row in range(x.shape[0])])
