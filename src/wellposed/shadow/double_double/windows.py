"""ATen's pooling in double-double: means and maxima over windows, and their gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from wellposed.shadow.double_double.arithmetic import Pair
from wellposed.shadow.double_double.products import accumulated
from wellposed.shadow.double_double.reductions import both
from wellposed.shadow.double_double.registry import form


@form("max_pool2d_with_indices", "max_pool3d_with_indices")
def largest_of_windows(x: Pair, kernel: Sequence[int], *args: Any) -> tuple[Pair, Tensor]:
    """Where float64 sees two equal, the first of them counts."""
    of_plain = torch.ops.aten.max_pool2d_with_indices if len(kernel) == 2 else torch.ops.aten.max_pool3d_with_indices
    _, index = of_plain(x.high, kernel, *args)
    flat = both(torch.flatten, x, -len(kernel))
    chosen = both(torch.gather, flat, -1, index.flatten(-len(kernel)))
    return both(torch.reshape, chosen, index.shape), index


@form("max_pool2d_with_indices_backward")
def gradient_of_largest(gradient: Pair, x: Pair, kernel: Sequence[int], *args: Any) -> Pair:
    def operation(part: Tensor) -> Tensor:
        result: Tensor = torch.ops.aten.max_pool2d_with_indices_backward(part, x.high, kernel, *args)
        return result

    return accumulated(operation, gradient, math.prod(kernel))


@form("avg_pool2d")
def mean_of_windows(
    x: Pair,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    ceiling: bool = False,
    include_padding: bool = True,
    divisor: int | None = None,
) -> Pair:
    size = _divisor(kernel, padding, ceiling, include_padding, divisor)

    def operation(part: Tensor) -> Tensor:
        result: Tensor = torch.ops.aten.avg_pool2d(part, kernel, stride, padding, ceiling, include_padding, 1)
        return result

    return accumulated(operation, x, math.prod(_pair(kernel))) / size


@form("avg_pool2d_backward")
def gradient_of_mean(
    gradient: Pair,
    x: Pair,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceiling: bool,
    include_padding: bool,
    divisor: int | None,
) -> Pair:
    size = _divisor(kernel, padding, ceiling, include_padding, divisor)

    def operation(part: Tensor) -> Tensor:
        result: Tensor = torch.ops.aten.avg_pool2d_backward(
            part, x.high, kernel, stride, padding, ceiling, include_padding, 1
        )
        return result

    return accumulated(operation, gradient, math.prod(_pair(kernel))) / size


def _pair(kernel: Sequence[int]) -> Sequence[int]:
    return kernel if len(kernel) == 2 else [kernel[0]] * 2


def _divisor(
    kernel: Sequence[int], padding: Sequence[int], ceiling: bool, include_padding: bool, divisor: int | None
) -> int:
    if divisor is not None:
        return divisor
    if ceiling or (any(padding) and not include_padding):
        raise NotImplementedError("means over windows of different sizes")
    return math.prod(_pair(kernel))


@form("_adaptive_avg_pool2d_backward")
def gradient_of_adaptive_mean(gradient: Pair, x: Pair) -> Pair:
    """Where every window is of one size, which is where they don't overlap."""
    sizes = [of_x // of_result for of_x, of_result in zip(x.shape[-2:], gradient.shape[-2:], strict=True)]
    if any(of_x % of_result for of_x, of_result in zip(x.shape[-2:], gradient.shape[-2:], strict=True)):
        raise NotImplementedError("means over windows of different sizes")
    spread = both(torch.repeat_interleave, both(torch.repeat_interleave, gradient, sizes[0], -2), sizes[1], -1)
    return spread / math.prod(sizes)
