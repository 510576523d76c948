"""Products of matrices and sums that scatter, in double-double, by float64's own kernels.

The operands are cut into slices of so few bits that a float64 product of two slices makes no rounding error at all,
whatever the order of its sums (Ozaki, Ogita, Oishi, Rump, "Error-free transformations of matrix multiplication by using
fast routines of matrix multiplication", Numerical Algorithms 59, 2012). An element of A·B over k terms has an error of
at most 2^-101 · max|row of A| · max|column of B|, one of a scattered sum at most 2^-101 · max|x|.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from wellposed.shadow.double_double.arithmetic import Pair, add_float, common_shape, ldexp, settle, zeros
from wellposed.shadow.double_double.reductions import both

_BITS_OF_FLOAT64 = 53
_BITS_WANTED = 106


def matmul(a: Pair, b: Pair) -> Pair:
    """Product of matrices or vectors, with the broadcasting of torch.matmul."""
    left = both(torch.unsqueeze, a, 0) if a.high.dim() == 1 else a
    right = both(torch.unsqueeze, b, -1) if b.high.dim() == 1 else b
    result = _matrices(left, right)
    if a.high.dim() == 1:
        result = both(torch.squeeze, result, -2)
    return both(torch.squeeze, result, -1) if b.high.dim() == 1 else result


def _matrices(a: Pair, b: Pair) -> Pair:
    terms = a.shape[-1]
    if not terms or not a.high.numel() or not b.high.numel():
        batch = common_shape(a.shape[:-2], b.shape[:-2])
        return zeros(a.high, (*batch, a.shape[-2], b.shape[-1]))
    guard = math.ceil(math.log2(terms)) if terms > 1 else 0
    bits = (_BITS_OF_FLOAT64 - guard) // 2
    count = math.ceil((_BITS_WANTED + guard) / bits)
    a_slices, a_exponent = _slices(a, -1, bits, count)
    b_slices, b_exponent = _slices(b, -2, bits, count)
    total: Pair | None = None
    for order in range(min(count, len(a_slices) + len(b_slices) - 1) - 1, -1, -1):
        for i in range(max(0, order - len(b_slices) + 1), min(order, len(a_slices) - 1) + 1):
            part = torch.matmul(a_slices[i], b_slices[order - i])
            total = Pair(part, torch.zeros_like(part)) if total is None else add_float(total, part)
    assert total is not None
    result = ldexp(total, a_exponent + b_exponent)
    if not (_finite(a.high) and _finite(b.high)):
        plain = torch.matmul(a.high, b.high)
        strange = ~torch.isfinite(a.high).all(-1, keepdim=True) | ~torch.isfinite(b.high).all(-2, keepdim=True)
        result = Pair(torch.where(strange, plain, result.high), torch.where(strange, 0.0, result.low))
    return result


def _finite(x: Tensor) -> bool:
    return bool(torch.isfinite(x).all())


def _slices(x: Pair, dim: int | None, bits: int, count: int) -> tuple[list[Tensor], Tensor]:
    """Slices of the sum, scaled along `dim` (or as a whole) to below 1, and the exponent that scales back.

    Slice i is a multiple of 2^-bits(i+1), below 2^-bits·i in size. What is not finite counts as 0.
    """
    high = torch.nan_to_num(x.high, 0.0, 0.0, 0.0)
    size = high.abs()
    exponent = torch.frexp(size.amax(dim, keepdim=True) if dim is not None else size.max()).exponent.to(torch.int64)
    left = ldexp(Pair(high, torch.where(torch.isfinite(x.high), x.low, 0.0)), -exponent)
    slices = []
    for place in range(count):
        anchor = 1.5 * 2.0 ** (52 - bits * (place + 1))
        part = (left.high + anchor) - anchor
        slices.append(part)
        left = settle(left.high - part, left.low)
        if not bool(left.high.any()):
            break
    return slices, exponent


def accumulated(operation: Callable[[Tensor], Tensor], x: Pair, terms: int) -> Pair:
    """A linear operation each of whose results is a sum of at most `terms` of the elements of x, times 0, 1 or −1."""
    if not x.high.numel():
        return both(operation, x)
    if not _finite(x.high):
        plain = operation(x.high)
        kept = torch.isfinite(x.high)
        rest = accumulated(operation, Pair(torch.where(kept, x.high, 0.0), x.low), terms)
        return Pair(
            torch.where(torch.isfinite(plain), rest.high, plain), torch.where(torch.isfinite(plain), rest.low, 0)
        )
    bits = _BITS_OF_FLOAT64 - 1 - math.ceil(math.log2(max(terms, 2)))
    slices, exponent = _slices(x, None, bits, math.ceil(_BITS_WANTED / bits) + 1)
    total: Pair | None = None
    for each in reversed(slices):
        part = operation(each)
        total = Pair(part, torch.zeros_like(part)) if total is None else add_float(total, part)
    assert total is not None
    return ldexp(total, exponent)
