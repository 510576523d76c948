"""Sums, products, extremes, moments, norms and softmaxes of double-double tensors.

A sum goes by pairs of halves: over n elements its error is at most ⌈log2 n⌉ · 3u² Σ|x| (Higham, "Accuracy and Stability
of Numerical Algorithms", 4.2, with 3u² for the unit roundoff); a product's at most 5u² n relative.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from wellposed.shadow.double_double import exponentials
from wellposed.shadow.double_double.arithmetic import (
    Pair,
    add,
    exactly,
    ieee_nonfinite,
    ldexp,
    less,
    multiply,
    square,
    square_root,
    where,
)

Dimensions = int | Sequence[int] | None


def both(operation: Callable[..., Tensor], x: Pair, *args: Any, **kwargs: Any) -> Pair:
    """An operation that only moves elements, on both halves."""
    return Pair(operation(x.high, *args, **kwargs), operation(x.low, *args, **kwargs))


def concatenated(pairs: Sequence[Pair], dim: int = 0) -> Pair:
    return Pair(torch.cat([each.high for each in pairs], dim), torch.cat([each.low for each in pairs], dim))


def normalised_dimensions(x: Pair, dim: Dimensions) -> list[int]:
    count = x.high.dim()
    if dim is None or (not isinstance(dim, int) and not len(dim)):
        return list(range(count))
    given = [dim] if isinstance(dim, int) else list(dim)
    return [each % count if count else 0 for each in given] if count else []


def reduced(x: Pair, dim: Dimensions, keepdim: bool, of_first: Callable[[Pair], Pair]) -> Pair:
    """`of_first` takes a pair whose first dimension is to go; here it is whichever dimensions are named."""
    if not x.high.dim():
        return both(torch.clone, of_first(both(torch.unsqueeze, x, 0)))
    dims = normalised_dimensions(x, dim)
    others = [each for each in range(x.high.dim()) if each not in dims]
    front = both(torch.permute, x, (*dims, *others))
    count = math.prod(x.shape[each] for each in dims)
    result = of_first(both(torch.reshape, front, (count, *(x.shape[each] for each in others))))
    if keepdim:
        shape = [1 if each in dims else size for each, size in enumerate(x.shape)]
        result = both(torch.reshape, result, shape)
    return result


def _by_halves(x: Pair, combine: Callable[[Pair, Pair], Pair], neutral: float) -> Pair:
    count = x.shape[0]
    if count == 0:
        full = x.high.new_full(x.shape[1:], neutral)
        return Pair(full, torch.zeros_like(full))
    while count > 1:
        half = count // 2
        head = combine(both(_from_to, x, 0, half), both(_from_to, x, half, 2 * half))
        x = head if count == 2 * half else concatenated((head, both(_from_to, x, 2 * half, count)))
        count -= half
    return both(torch.select, x, 0, 0)


def _from_to(x: Tensor, start: int, stop: int) -> Tensor:
    return x[start:stop]


def total(x: Pair, dim: Dimensions = None, keepdim: bool = False) -> Pair:
    return reduced(x, dim, keepdim, lambda front: _by_halves(front, add, 0.0))


def product(x: Pair, dim: Dimensions = None, keepdim: bool = False) -> Pair:
    return reduced(x, dim, keepdim, lambda front: _by_halves(front, multiply, 1.0))


def elements(x: Pair, dim: Dimensions) -> int:
    return math.prod(x.shape[each] for each in normalised_dimensions(x, dim)) if x.high.dim() else 1


def mean(x: Pair, dim: Dimensions = None, keepdim: bool = False) -> Pair:
    return total(x, dim, keepdim) / elements(x, dim)


def cumulated(x: Pair, dim: int, combine: Callable[[Pair, Pair], Pair]) -> Pair:
    """Every partial sum or product in log2 n steps (Hillis and Steele)."""
    if not x.high.dim():
        return both(torch.clone, x)
    x = both(torch.movedim, x, dim, 0)
    count, step = x.shape[0], 1
    while step < count:
        moved = combine(both(_from_to, x, step, count), both(_from_to, x, 0, count - step))
        x = concatenated((both(_from_to, x, 0, step), moved))
        step *= 2
    return both(torch.clone, both(torch.movedim, x, 0, dim))


def largest(x: Pair, dim: Dimensions = None, keepdim: bool = False) -> Pair:
    return reduced(x, dim, keepdim, _largest_of_first)


def _largest_of_first(x: Pair) -> Pair:
    high = x.high.amax(0)
    low = torch.where(x.high == high, x.low, -torch.inf).amax(0)
    return Pair(high, torch.nan_to_num(low, 0.0, 0.0, 0.0))


def smallest(x: Pair, dim: Dimensions = None, keepdim: bool = False) -> Pair:
    return -largest(-x, dim, keepdim)


def position_of_largest(x: Pair, dim: int | None, keepdim: bool = False) -> Tensor:
    """Index of the first of the largest; of the first NaN where there is one."""
    if dim is None:
        x, dim = both(torch.flatten, x), 0
    if not x.high.dim():
        return torch.zeros_like(x.high, dtype=torch.int64)
    top = largest(x, dim, True)
    there = ((x.high == top.high) & (x.low == top.low)) | torch.isnan(x.high)
    return there.to(torch.uint8).argmax(dim, keepdim)


def order(x: Pair, dim: int, descending: bool) -> Tensor:
    """Indices that sort, stable."""
    by_low = x.low.sort(dim=dim, stable=True, descending=descending).indices
    by_high = x.high.gather(dim, by_low).sort(dim=dim, stable=True, descending=descending).indices
    return by_low.gather(dim, by_high)


def maximum(x: Pair, y: Pair) -> Pair:
    chosen = where(less(x, y), y, x)
    return ieee_nonfinite(chosen, torch.maximum(x.high, y.high))


def minimum(x: Pair, y: Pair) -> Pair:
    chosen = where(less(y, x), y, x)
    return ieee_nonfinite(chosen, torch.minimum(x.high, y.high))


def variance(
    x: Pair, dim: Dimensions = None, correction: float | None = None, keepdim: bool = False
) -> tuple[Pair, Pair]:
    """Variance and mean by the two-pass formula; `correction` is 1 where it isn't given."""
    centre = mean(x, dim, True)
    squares = total(square(x - centre), dim, keepdim)
    degrees = max(elements(x, dim) - (1 if correction is None else correction), 0)
    kept = centre if keepdim else both(torch.reshape, centre, squares.shape)
    return squares / degrees, kept


def norm(x: Pair, order_of_norm: float = 2, dim: Dimensions = None, keepdim: bool = False) -> Pair:
    size = abs(x)
    if order_of_norm == math.inf:
        return largest(size, dim, keepdim)
    if order_of_norm == -math.inf:
        return smallest(size, dim, keepdim)
    if order_of_norm == 0:
        return total(exactly((x.high != 0).double(), x.high), dim, keepdim)
    if order_of_norm == 1:
        return total(size, dim, keepdim)
    if not x.high.numel():
        return total(size, dim, keepdim)
    # Scaled by a power of two near the largest, so that no square overflows or falls below the normal numbers.
    top = torch.nan_to_num(largest(size, dim, True).high, 0.0, 0.0)
    exponent = torch.frexp(top).exponent.to(torch.int64)
    scaled = ldexp(size, -exponent)
    if order_of_norm == 2:
        root = square_root(total(square(scaled), dim, True))
    else:
        powers = total(exponentials.scalar_power(scaled, order_of_norm), dim, True)
        root = exponentials.power(powers, 1.0 / exactly(torch.full_like(powers.high, order_of_norm), x.high))
    result = ldexp(root, exponent)
    if not keepdim:
        result = both(torch.reshape, result, total(both(torch.zeros_like, x), dim).shape)
    return result


def _shifted(x: Pair, dim: int) -> tuple[Pair, Pair, Pair]:
    """x − max, and Σ e^(x − max) without the 1 of one largest, and the exponentials."""
    moved = x - largest(x, dim, True)
    powers = exponentials.exp(moved)
    first = position_of_largest(x, dim, True) if x.high.dim() else torch.zeros_like(x.high, dtype=torch.int64)
    others = both(torch.scatter, powers, dim, first, 0.0) if x.high.dim() else both(torch.zeros_like, powers)
    return moved, total(others, dim, True), powers


def softmax(x: Pair, dim: int) -> Pair:
    if not x.high.numel():
        return both(torch.clone, x)
    _, others, powers = _shifted(x, dim)
    return powers / (others + 1.0 + _poison(x, dim))


def _poison(x: Pair, dim: int) -> Tensor:
    """NaN where a slice holds one, or +∞, or nothing but −∞; else 0."""
    top = largest(x, dim, True).high
    return top - top


def log_softmax(x: Pair, dim: int) -> Pair:
    """Accurate also where one probability is nearly 1: the rest is added to it within log1p."""
    if not x.high.numel():
        return both(torch.clone, x)
    moved, others, _ = _shifted(x, dim)
    return moved - exponentials.log1p(others + _poison(x, dim))


def logsumexp(x: Pair, dim: Dimensions, keepdim: bool = False) -> Pair:
    def of_first(front: Pair) -> Pair:
        if not front.shape[0]:
            return exponentials.log(total(front, 0))
        top = _largest_of_first(front)
        _, others, _ = _shifted(front, 0)
        result = exponentials.log1p(both(torch.select, others, 0, 0)) + top
        return ieee_nonfinite(result, torch.where(torch.isfinite(top.high), 0.0, top.high))

    return reduced(x, dim, keepdim, of_first)
