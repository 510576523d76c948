"""ATen's comparisons and roundings to integers in double-double."""

from __future__ import annotations

import torch
from torch import Tensor

from wellposed.shadow.double_double.arithmetic import Pair, equal, less, settle, where
from wellposed.shadow.double_double.registry import Operand, elementwise, pairs


@elementwise("sign", "sgn")
def sign(x: Pair) -> Pair:
    return Pair(torch.sign(x.high), torch.zeros_like(x.low))


@elementwise("floor")
def floor(x: Pair) -> Pair:
    high = torch.floor(x.high)
    return settle(high, torch.where(high == x.high, torch.floor(x.low), 0.0))


@elementwise("ceil")
def ceiling(x: Pair) -> Pair:
    return -floor(-x)


@elementwise("trunc", "fix")
def truncated(x: Pair) -> Pair:
    return where(torch.signbit(x.high), ceiling(x), floor(x))


@elementwise("frac")
def fraction(x: Pair) -> Pair:
    return x - truncated(x)


@elementwise("round")
def rounded(x: Pair, *, decimals: int = 0) -> Pair:
    if decimals:
        tens: int = 10 ** abs(decimals)
        return rounded(x * tens) / tens if decimals > 0 else rounded(x / tens) * tens
    high = torch.round(x.high)
    # Where high is an integer the low part rounds; where high is a half, the low part decides the side.
    of_low = torch.where(high == x.high, torch.round(x.low), 0.0)
    tie = (x.high - torch.floor(x.high) == 0.5) & (x.low != 0)
    high = torch.where(tie, torch.floor(x.high) + (x.low > 0), high)
    return settle(high, of_low)


@elementwise("gt", "greater")
def greater(x: Operand, y: Operand) -> Tensor:
    x, y = pairs(x, y)
    return less(y, x)


@elementwise("lt", "less")
def smaller(x: Operand, y: Operand) -> Tensor:
    return less(*pairs(x, y))


@elementwise("ge", "greater_equal")
def greater_or_equal(x: Operand, y: Operand) -> Tensor:
    x, y = pairs(x, y)
    return less(y, x) | equal(x, y)


@elementwise("le", "less_equal")
def less_or_equal(x: Operand, y: Operand) -> Tensor:
    x, y = pairs(x, y)
    return less(x, y) | equal(x, y)


@elementwise("eq")
def same(x: Operand, y: Operand) -> Tensor:
    return equal(*pairs(x, y))


@elementwise("ne", "not_equal")
def different(x: Operand, y: Operand) -> Tensor:
    return ~equal(*pairs(x, y))


@elementwise("nan_to_num")
def without_nan(x: Pair, nan: float | None = None, posinf: float | None = None, neginf: float | None = None) -> Pair:
    return Pair(torch.nan_to_num(x.high, nan or 0.0, posinf, neginf), x.low)
