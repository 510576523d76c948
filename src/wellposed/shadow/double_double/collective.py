"""ATen's reductions, softmaxes, normalisations and scattered sums in double-double."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from wellposed.shadow.double_double import exponentials, reductions
from wellposed.shadow.double_double.arithmetic import Pair, add, equal, multiply, square, square_root
from wellposed.shadow.double_double.products import accumulated
from wellposed.shadow.double_double.reductions import Dimensions, both
from wellposed.shadow.double_double.registry import Operand, form, pairs

Values = tuple[Pair, Tensor]


@form("sum")
def total(x: Operand, dim: Dimensions = None, keepdim: bool = False, *, dtype: Any = None) -> Pair:
    return reductions.total(pairs(x)[0], dim, keepdim)


@form("mean")
def mean(x: Operand, dim: Dimensions = None, keepdim: bool = False, *, dtype: Any = None) -> Pair:
    return reductions.mean(pairs(x)[0], dim, keepdim)


@form("nansum")
def total_of_numbers(x: Pair, dim: Dimensions = None, keepdim: bool = False, *, dtype: Any = None) -> Pair:
    return reductions.total(Pair(torch.where(torch.isnan(x.high), 0.0, x.high), x.low), dim, keepdim)


@form("prod")
def product(x: Operand, dim: Dimensions = None, keepdim: bool = False, *, dtype: Any = None) -> Pair:
    return reductions.product(pairs(x)[0], dim, keepdim)


@form("cumsum")
def partial_sums(x: Operand, dim: int, *, dtype: Any = None) -> Pair:
    return reductions.cumulated(pairs(x)[0], dim, add)


@form("cumprod")
def partial_products(x: Operand, dim: int, *, dtype: Any = None) -> Pair:
    return reductions.cumulated(pairs(x)[0], dim, multiply)


def _correction(dim: Any, unbiased: bool | None, correction: float | None) -> tuple[Dimensions, float | None]:
    """std(self, unbiased) and std(self, dim, unbiased, keepdim) as dimensions and correction."""
    if isinstance(dim, bool):
        return None, float(dim)
    return dim, correction if unbiased is None else float(unbiased)


@form("var")
def variance(
    x: Pair, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None
) -> Pair:
    dims, correction = _correction(dim, unbiased, correction)
    return reductions.variance(x, dims, correction, keepdim)[0]


@form("std")
def deviation(
    x: Pair, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None
) -> Pair:
    return square_root(variance(x, dim, unbiased, keepdim, correction=correction))


@form("var_mean")
def variance_and_mean(
    x: Pair, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None
) -> tuple[Pair, Pair]:
    dims, correction = _correction(dim, unbiased, correction)
    return reductions.variance(x, dims, correction, keepdim)


@form("std_mean")
def deviation_and_mean(
    x: Pair, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None
) -> tuple[Pair, Pair]:
    squared, middle = variance_and_mean(x, dim, unbiased, keepdim, correction=correction)
    return square_root(squared), middle


@form("linalg_vector_norm", "norm")
def norm(x: Pair, order: Any = 2, dim: Dimensions = None, keepdim: bool = False, *, dtype: Any = None) -> Pair:
    return reductions.norm(x, 2 if order is None else float(order), dim, keepdim)


@form("_cdist_forward")
def distances(x: Operand, y: Operand, order: float, mode: int | None = None) -> Pair:
    x, y = pairs(x, y)
    return reductions.norm(both(torch.unsqueeze, x, -2) - both(torch.unsqueeze, y, -3), order, -1)


@form("amax")
def largest(x: Pair, dim: Dimensions = None, keepdim: bool = False) -> Pair:
    return reductions.largest(x, dim, keepdim)


@form("amin")
def smallest(x: Pair, dim: Dimensions = None, keepdim: bool = False) -> Pair:
    return reductions.smallest(x, dim, keepdim)


@form("max")
def largest_with_index(x: Pair, dim: Any = None, keepdim: bool = False) -> Any:
    if isinstance(dim, Pair):
        return reductions.maximum(x, dim)
    if dim is None:
        return reductions.largest(x)
    return reductions.largest(x, dim, keepdim), reductions.position_of_largest(x, dim, keepdim)


@form("min")
def smallest_with_index(x: Pair, dim: Any = None, keepdim: bool = False) -> Any:
    if isinstance(dim, Pair):
        return reductions.minimum(x, dim)
    if dim is None:
        return reductions.smallest(x)
    return reductions.smallest(x, dim, keepdim), reductions.position_of_largest(-x, dim, keepdim)


@form("argmax")
def position_of_largest(x: Pair, dim: int | None = None, keepdim: bool = False) -> Tensor:
    return reductions.position_of_largest(x, dim, keepdim)


@form("argmin")
def position_of_smallest(x: Pair, dim: int | None = None, keepdim: bool = False) -> Tensor:
    return reductions.position_of_largest(-x, dim, keepdim)


@form("sort")
def ordered(x: Pair, dim: int = -1, descending: bool = False, *, stable: bool | None = None) -> Values:
    index = reductions.order(x, dim, descending)
    return both(torch.gather, x, dim, index), index


@form("argsort")
def order(x: Pair, dim: int = -1, descending: bool = False, *, stable: bool | None = None) -> Tensor:
    return reductions.order(x, dim, descending)


@form("topk")
def several_largest(x: Pair, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Values:
    values, index = ordered(x, dim, largest)
    return both(torch.narrow, values, dim, 0, k), index.narrow(dim, 0, k)


@form("median")
def middle(x: Pair, dim: int | None = None, keepdim: bool = False) -> Any:
    """The lower of the two in the middle, as PyTorch's; NaN, which sorts last, where there is one."""
    if dim is None:
        return middle(both(torch.flatten, x), 0)[0]
    if not x.high.dim():
        return x, torch.zeros_like(x.high, dtype=torch.int64)
    index = reductions.order(x, dim, False).narrow(dim, (x.shape[dim] - 1) // 2, 1)
    missing = torch.isnan(x.high)
    first = missing.to(torch.uint8).argmax(dim, True)
    index = torch.where(missing.any(dim, True), first, index)
    values = both(torch.gather, x, dim, index)
    return (values, index) if keepdim else (both(torch.squeeze, values, dim), index.squeeze(dim))


@form("equal")
def all_equal(x: Operand, y: Operand) -> bool:
    x, y = pairs(x, y)
    return x.shape == y.shape and bool(equal(x, y).all())


@form("_softmax", "softmax")
def softmax(x: Pair, dim: int, *_: Any, **__: Any) -> Pair:
    return reductions.softmax(x, dim)


@form("_log_softmax", "log_softmax")
def log_softmax(x: Pair, dim: int, *_: Any, **__: Any) -> Pair:
    return reductions.log_softmax(x, dim)


@form("logsumexp")
def log_of_sum(x: Pair, dim: Dimensions, keepdim: bool = False) -> Pair:
    return reductions.logsumexp(x, dim, keepdim)


@form("_softmax_backward_data")
def slope_of_softmax(gradient: Operand, y: Operand, dim: int, _: Any = None) -> Pair:
    gradient, y = pairs(gradient, y)
    return y * (gradient - reductions.total(gradient * y, dim, True))


@form("_log_softmax_backward_data")
def slope_of_log_softmax(gradient: Operand, y: Operand, dim: int, _: Any = None) -> Pair:
    gradient, y = pairs(gradient, y)
    return gradient - exponentials.exp(y) * reductions.total(gradient, dim, True)


@form("native_layer_norm")
def layer_norm(
    x: Pair, shape: Sequence[int], weight: Pair | None, bias: Pair | None, epsilon: float
) -> tuple[Pair, Pair, Pair]:
    dims = list(range(x.high.dim() - len(shape), x.high.dim()))
    centre = reductions.mean(x, dims, True)
    moved = x - centre
    inverse = 1.0 / square_root(reductions.mean(square(moved), dims, True) + epsilon)
    result = moved * inverse
    if weight is not None:
        result = result * weight
    return (result if bias is None else result + bias), centre, inverse


@form("scatter_add")
def scattered(x: Operand, dim: int, index: Tensor, source: Operand) -> Pair:
    x, source = pairs(x, source)

    def operation(part: Tensor) -> Tensor:
        return torch.zeros_like(x.high).scatter_add(dim, index, part)

    return x + accumulated(operation, source, index.numel())


@form("index_add")
def added_at(x: Operand, dim: int, index: Tensor, source: Operand, *, alpha: float = 1) -> Pair:
    x, source = pairs(x, source)

    def operation(part: Tensor) -> Tensor:
        return torch.zeros_like(x.high).index_add(dim, index, part)

    return x + accumulated(operation, source, index.numel()) * alpha


@form("index_put", "_index_put_impl", "_unsafe_index_put")
def put_at(
    x: Operand, index: Sequence[Tensor | None], values: Operand, accumulate: bool = False, unsafe: bool = False
) -> Pair:
    x, values = pairs(x, values)
    if not accumulate:
        return Pair(
            torch.ops.aten.index_put(x.high, index, values.high), torch.ops.aten.index_put(x.low, index, values.low)
        )
    where_to = torch.ops.aten.index(x.high, index)
    spread = both(torch.broadcast_to, values, where_to.shape)

    def operation(part: Tensor) -> Tensor:
        result: Tensor = torch.ops.aten.index_put(torch.zeros_like(x.high), index, part, True)
        return result

    return x + accumulated(operation, spread, where_to.numel())


@form("embedding_dense_backward")
def gradient_of_embedding(
    gradient: Pair, index: Tensor, rows: int, padding: int, scale_by_frequency: bool = False
) -> Pair:
    if scale_by_frequency:
        raise NotImplementedError("an embedding whose gradient is scaled by frequency")

    def operation(part: Tensor) -> Tensor:
        result: Tensor = torch.ops.aten.embedding_dense_backward(part, index, rows, padding, False)
        return result

    return accumulated(operation, gradient, index.numel())
