"""Pairs rounded to the dtypes of programs, each once and to nearest."""

from __future__ import annotations

import torch
from torch import Tensor

from wellposed.shadow.double_double.arithmetic import Pair


def rounded(x: Pair, dtype: torch.dtype) -> Tensor:
    """The nearest tensor of a floating-point dtype, ties to even.

    On the way to a narrow dtype each wider one is rounded to odd, which cannot change the last rounding (Boldo,
    Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to odd", IEEE
    Transactions on Computers 57(4), 2008).
    """
    if dtype == torch.float64:
        return x.high.clone()
    odd = _to_odd(x.high, torch.where(torch.isfinite(x.high), x.low, 0.0), torch.int64)
    if dtype == torch.float32:
        return odd.to(torch.float32)
    single = odd.to(torch.float32)
    left = odd - single.to(torch.float64)
    # Beyond the largest float32 there is no number to round to odd: the infinity stands.
    left = torch.where(torch.isfinite(single), left, 0.0)
    return _to_odd(single, left, torch.int32).to(dtype)


def _to_odd(nearest: Tensor, left: Tensor, bits: torch.dtype) -> Tensor:
    """nearest + left in the dtype of nearest, which is its rounding: the last bit set where it isn't exact."""
    whole = nearest.view(bits)
    inexact = left != 0
    toward_zero = inexact & (torch.signbit(left) != torch.signbit(nearest)) & (nearest != 0)
    truncated = whole - toward_zero.to(bits)
    # Below the smallest number the sign is that of what is left.
    of_left = torch.where(torch.signbit(left), torch.iinfo(bits).min, 0).to(bits)
    truncated = torch.where(inexact & (nearest == 0), of_left, truncated)
    return (truncated | inexact.to(bits)).view(nearest.dtype)
