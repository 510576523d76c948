"""Convolutions of any number of dimensions in double-double, and their gradients: windows unfolded into matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from wellposed.shadow.double_double.arithmetic import Pair, add
from wellposed.shadow.double_double.products import matmul
from wellposed.shadow.double_double.reductions import both, total
from wellposed.shadow.double_double.registry import form, pairs

_LARGEST_UNFOLDED = 1 << 27
"""Elements of an unfolded image: a gibibyte, and as much for its slices."""


@form("convolution", "_convolution", "convolution_overrideable")
def convolution(
    x: Pair,
    weight: Pair,
    bias: Pair | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    *_: bool,
) -> Pair:
    """Images (N, C, ...); a batch of one where the first dimension is missing."""
    x, weight = pairs(x, weight)
    if x.high.dim() < weight.high.dim():
        image = convolution(
            both(torch.unsqueeze, x, 0), weight, bias, stride, padding, dilation, transposed, output_padding, groups
        )
        return both(torch.squeeze, image, 0)
    dims = x.high.dim() - 2
    stride, padding, dilation = (_of_length(each, dims) for each in (stride, padding, dilation))
    if transposed:
        image, kernel, around = _as_plain(
            x, weight, stride, padding, dilation, _of_length(output_padding, dims), groups
        )
        result = _plain(image, kernel, [1] * dims, around, dilation, groups)
    else:
        result = _plain(x, weight, stride, [(each, each) for each in padding], dilation, groups)
    if bias is None:
        return result
    return add(result, both(torch.reshape, bias, (1, -1, *[1] * dims)))


def _of_length(values: Sequence[int], dims: int) -> list[int]:
    return list(values) if len(values) == dims else [values[0]] * dims


def _plain(
    x: Pair,
    weight: Pair,
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
) -> Pair:
    columns, sizes = _unfolded(x, weight.shape[2:], stride, padding, dilation, groups)
    outputs = weight.shape[0]
    matrix = both(torch.reshape, weight, (1, groups, outputs // groups, -1))
    return both(torch.reshape, matmul(matrix, columns), (x.shape[0], outputs, *sizes))


def _unfolded(
    x: Pair,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
) -> tuple[Pair, list[int]]:
    """The windows as columns, (batch, groups, channels of a group · kernel, places), and how many there are."""
    x = both(torch.nn.functional.pad, x, [side for pair in reversed(padding) for side in pair])
    sizes = [
        (size - each_dilation * (width - 1) - 1) // each_stride + 1
        for size, width, each_stride, each_dilation in zip(x.shape[2:], kernel, stride, dilation, strict=True)
    ]
    batch, channels = x.shape[:2]
    if batch * channels * math.prod(kernel) * math.prod(sizes) > _LARGEST_UNFOLDED:
        raise NotImplementedError("a convolution whose unfolded images take more than a gibibyte")

    def windows(image: Tensor) -> Tensor:
        image = image.contiguous()
        steps = image.stride()
        places = image.as_strided(
            (batch, channels, *kernel, *sizes),
            (
                *steps[:2],
                *(step * each for step, each in zip(steps[2:], dilation, strict=True)),
                *(step * each for step, each in zip(steps[2:], stride, strict=True)),
            ),
        )
        return places.reshape(batch, groups, channels // groups * math.prod(kernel), math.prod(sizes))

    return both(windows, x), sizes


def _as_plain(
    x: Pair,
    weight: Pair,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    output_padding: Sequence[int],
    groups: int,
) -> tuple[Pair, Pair, list[tuple[int, int]]]:
    """The plain convolution that a transposed one is: zeros between the pixels, the kernel turned around."""
    dims = len(stride)

    def spread(image: Tensor) -> Tensor:
        sizes = [(size - 1) * step + 1 for size, step in zip(image.shape[2:], stride, strict=True)]
        wide = image.new_zeros((*image.shape[:2], *sizes))
        places = (slice(None), slice(None), *(slice(None, None, step) for step in stride))
        wide[places] = image
        return wide

    def turned(kernel: Tensor) -> Tensor:
        inputs, outputs = kernel.shape[:2]
        grouped = kernel.reshape(groups, inputs // groups, outputs, *kernel.shape[2:]).transpose(1, 2)
        return grouped.reshape(groups * outputs, inputs // groups, *kernel.shape[2:]).flip(tuple(range(2, 2 + dims)))

    around = [
        (each_dilation * (width - 1) - each, each_dilation * (width - 1) - each + extra)
        for each_dilation, width, each, extra in zip(dilation, weight.shape[2:], padding, output_padding, strict=True)
    ]
    return both(spread, x), both(turned, weight), around


@form("convolution_backward")
def gradients_of_convolution(
    gradient: Pair,
    x: Pair,
    weight: Pair,
    bias_sizes: Sequence[int] | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    output_mask: Sequence[bool],
) -> tuple[Pair | None, Pair | None, Pair | None]:
    """Gradients by the images, the weights and the bias; None for those not asked for."""
    gradient, x, weight = pairs(gradient, x, weight)
    dims = x.high.dim() - 2
    stride, padding, dilation = (_of_length(each, dims) for each in (stride, padding, dilation))
    none = [0] * dims
    of_x = of_weight = of_bias = None
    if output_mask[0] and transposed:
        of_x = convolution(gradient, weight, None, stride, padding, dilation, False, none, groups)
    elif output_mask[0]:
        left_over = [
            size - ((out - 1) * step - 2 * pad + each_dilation * (width - 1) + 1)
            for size, out, step, pad, each_dilation, width in zip(
                x.shape[2:], gradient.shape[2:], stride, padding, dilation, weight.shape[2:], strict=True
            )
        ]
        of_x = convolution(gradient, weight, None, stride, padding, dilation, True, left_over, groups)
    if output_mask[1]:
        image, seen = (gradient, x) if transposed else (x, gradient)
        of_weight = _gradient_of_weight(image, seen, weight, stride, padding, dilation, groups)
    if output_mask[2]:
        of_bias = total(gradient, [0, *range(2, dims + 2)])
    return of_x, of_weight, of_bias


def _gradient_of_weight(
    image: Pair,
    gradient: Pair,
    weight: Pair,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Pair:
    around = [(each, each) for each in padding]
    columns, sizes = _unfolded(image, weight.shape[2:], stride, around, dilation, groups)
    used = (slice(None), slice(None), *(slice(0, size) for size in sizes))
    batch, outputs = gradient.shape[:2]

    def rows(part: Tensor) -> Tensor:
        part = part[used].reshape(batch, groups, outputs // groups, -1)
        return part.permute(1, 2, 0, 3).reshape(groups, outputs // groups, -1)

    def stacked(part: Tensor) -> Tensor:
        return part.permute(1, 0, 3, 2).reshape(groups, -1, part.shape[2])

    return both(torch.reshape, matmul(both(rows, gradient), both(stacked, columns)), weight.shape)
