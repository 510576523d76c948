"""PyTorch: autograd, functorch's transforms and torch.compile see the library's own products, in our order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import attrgetter, index
from typing import Any

import torch

from wellposed.chain import symbolic
from wellposed.chain.half_precision import WIDER, guarded
from wellposed.chain.libraries import standard
from wellposed.chain.ordering import (
    Order,
    Shape,
    as_matrices,
    has_batch,
    multiply_in_order,
    order_of,
    with_mapped_axes,
    without_added_axes,
)

CLASSES = (torch.Tensor, torch.nn.Parameter)
"""What `multiply` takes without asking further."""

_LONGEST_BY_TORCH = 16
"""PyTorch's own dynamic programme takes time with the cube of the length."""

_HALF = {torch.float16: "float16", torch.bfloat16: "bfloat16"}

_multi_dot = torch.linalg.multi_dot
_grad_mode = torch.is_grad_enabled
_compiling = torch.compiler.is_compiling
_needs_gradient = attrgetter("requires_grad")
_any_needs_gradient = torch._C._any_requires_grad
_level = torch._C._functorch.maybe_current_level


def multiply(tensors: Sequence[Any]) -> Any:
    """The product of `tensors`. Raises RuntimeError for shapes that do not fit, TypeError for what is no tensor."""
    if _compiling():
        return _traced(tensors)
    # Without a batch, PyTorch's own function finds an order as good, and calls each product from C++.
    if len(tensors) <= _LONGEST_BY_TORCH and _level() is None:
        try:
            if _grad_mode() and _any_needs_gradient(*tensors) and not all(map(_needs_gradient, tensors)):
                return _multiply(tensors)
            out = _multi_dot(tensors)
        except (RuntimeError, TypeError, AttributeError):
            # Batches, dtypes that differ, or an error that is told better below.
            return _multiply(tensors)
        return out if out.dtype not in _HALF else _checked(tensors, out)
    return _multiply(tensors)


def multiply_into(tensors: Sequence[Any], out: Any) -> Any:
    """Writes the product to `out` and returns it; `out` may be one of `tensors`, and is resized as PyTorch does.

    Raises RuntimeError where `out` has another dtype, or a gradient would have to be recorded.
    """
    if not isinstance(out, torch.Tensor):
        raise TypeError(f"out must be a Tensor, not {type(out).__name__}")
    tensors = _tensors(tensors)
    if _grad_mode() and any(tensor.requires_grad for tensor in (*tensors, out)):
        raise RuntimeError("multi_dot(): out= does not support automatic differentiation, but an operand requires grad")
    dtype = reduce(torch.promote_types, (tensor.dtype for tensor in tensors))
    if out.dtype != dtype:
        raise RuntimeError(f"multi_dot(): out has the dtype {out.dtype}, but the product has {dtype}")
    result = multiply(tensors)
    # PyTorch's own out= gives zeros where it is an operand; the result is complete here before `out` is written.
    return torch.ops.aten.clone.out(result, out=out)


# --- in our order ---------------------------------------------------------------------------------------------


def _multiply(tensors: Sequence[Any]) -> Any:
    tensors = _tensors(tensors)
    shapes = tuple(tuple(tensor.shape) for tensor in tensors)
    gradients = _gradients(tensors)
    if all(type(size) is int for shape in shapes for size in shape):
        order = _order(_planned_shapes(tensors, shapes) if _level() is not None else shapes, gradients)
    else:
        order = _order_of_symbols(shapes, gradients or (False,) * len(tensors))
    tensors = _promoted(tensors)
    half = _HALF.get(_product_dtype(tensors[0]))
    if half is None or order.as_written:
        return _evaluate(tensors, order, shapes)
    return _guarded(tensors, order, shapes, half)


def _evaluate(tensors: Sequence[Any], order: Order, shapes: Sequence[Shape]) -> Any:
    if not has_batch(shapes):
        return multiply_in_order(tensors, order, torch.matmul)
    result = multiply_in_order(as_matrices(tensors), order, torch.matmul)
    return without_added_axes(result, shapes[0], shapes[-1])


def _tensors(tensors: Sequence[Any]) -> list[Any]:
    for at, tensor in enumerate(tensors):
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(f"multi_dot(): expected Tensor as element {at}, but got {type(tensor).__name__}")
    return list(tensors)


def _order(shapes: tuple[Shape, ...], requires_grad: tuple[bool, ...]) -> Order:
    try:
        return order_of(shapes, requires_grad)
    except ValueError as wrong:
        raise RuntimeError(f"multi_dot(): {wrong}") from None


def _gradients(tensors: Sequence[Any]) -> tuple[bool, ...]:
    needs = tuple(map(_needs_gradient, tensors)) if _grad_mode() else ()
    return needs if True in needs else ()


def _promoted(tensors: list[Any]) -> list[Any]:
    dtype = tensors[0].dtype
    if all(tensor.dtype == dtype for tensor in tensors):
        return tensors
    dtype = reduce(torch.promote_types, (tensor.dtype for tensor in tensors))
    return [tensor.to(dtype) for tensor in tensors]


def _planned_shapes(tensors: Sequence[Any], shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
    mapped = [_mapped_sizes(tensor) for tensor in tensors]
    return with_mapped_axes(mapped, sorted(set().union(*mapped)), shapes)


def _mapped_sizes(tensor: Any) -> dict[int, int]:
    """Sizes that vmap maps over, by its level."""
    functorch = torch._C._functorch
    sizes: dict[int, int] = {}
    while functorch.is_functorch_wrapped_tensor(tensor):
        inner = functorch.get_unwrapped(tensor)
        if functorch.is_batchedtensor(tensor):
            sizes[functorch.maybe_get_level(tensor)] = inner.shape[functorch.maybe_get_bdim(tensor)]
        tensor = inner
    return sizes


# --- float16 and bfloat16 -------------------------------------------------------------------------------------


def _checked(tensors: Sequence[Any], out: Any) -> Any:
    """`out` of PyTorch's own order, of dtype float16 or bfloat16 (that of an autocast, perhaps), if it holds."""
    shapes = tuple(tuple(tensor.shape) for tensor in tensors)
    order = _order(shapes, _gradients(tensors))
    if order.as_written:
        return out
    return _guarded(tensors, order, shapes, _HALF[out.dtype], out)


def _guarded(tensors: Sequence[Any], order: Order, shapes: tuple[Shape, ...], half: str, out: Any = None) -> Any:
    device = tensors[0].device.type
    wide, narrow = getattr(torch, WIDER[half]), getattr(torch, half)

    def attempt() -> Any:
        return _evaluate(tensors, order, shapes) if out is None else out

    def widened() -> Any:
        with torch.autocast(device, enabled=False):
            return _evaluate([tensor.to(wide) for tensor in tensors], order, shapes).to(narrow)

    # Without values, or float64, bfloat16 is as safe as float32.
    if device == "meta" or (half == "bfloat16" and (device == "mps" or not _readable(tensors[0]))):
        return attempt()
    if not _readable(tensors[0]):
        return widened()
    return guarded(attempt, widened, lambda result: torch.isfinite(result.detach()), half, shapes)


def _product_dtype(tensor: Any) -> Any:
    """The dtype in which products of tensors like this are made: that of an autocast, where there is one."""
    autocast = tensor.dtype == torch.float32 or tensor.dtype in _HALF
    device = tensor.device.type
    return torch.get_autocast_dtype(device) if autocast and _autocasting(device) else tensor.dtype


def _autocasting(device: str) -> bool:
    return device != "meta" and torch.is_autocast_enabled(device)


def _readable(tensor: Any) -> bool:
    """Whether values can be looked at: not inside of a transform, nor while a CUDA graph is captured."""
    return _level() is None and not (tensor.is_cuda and torch.cuda.is_current_stream_capturing())


# --- torch.compile --------------------------------------------------------------------------------------------


def _traced(tensors: Sequence[Any]) -> Any:
    """Under torch.compile and torch.export, where sizes may be symbols.

    Comparing costs guards on the comparison alone, so that a program is compiled again where another order is better,
    and not for every size. Sizes of long chains are fixed.
    """
    tensors = _promoted(list(tensors))
    shapes = [tensor.shape for tensor in tensors]
    order = _order_of_symbols(shapes, [_grad_mode() and tensor.requires_grad for tensor in tensors])
    device, dtype = tensors[0].device.type, _product_dtype(tensors[0])
    if dtype != torch.float16 or order.as_written:
        return _evaluate(tensors, order, shapes)
    with torch.autocast(device, enabled=False):
        return _evaluate([tensor.to(torch.float32) for tensor in tensors], order, shapes).to(torch.float16)


def _order_of_symbols(shapes: Sequence[Sequence[Any]], requires_grad: Sequence[bool]) -> Order:
    if len(shapes) <= symbolic.LONGEST:
        return symbolic.order_of_symbols(shapes, requires_grad)
    sizes = tuple(tuple(index(size) for size in shape) for shape in shapes)
    return Order(*_fixed_order(sizes, tuple(requires_grad)))


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator, unused-ignore]
def _fixed_order(
    shapes: tuple[Shape, ...], requires_grad: tuple[bool, ...]
) -> tuple[tuple[tuple[int, int], ...], bool]:
    order = _order(shapes, requires_grad if True in requires_grad else ())
    return order.steps, order.as_written


class Toolbox(standard.Toolbox):
    """PyTorch's own solvers, which have derivatives."""

    def __init__(self, arrays: Sequence[Any]) -> None:
        self.space = torch

    def promote(self, arrays: Sequence[Any]) -> list[Any]:
        return _promoted(_tensors(arrays))

    def eye(self, size: int, like: Any) -> Any:
        return torch.eye(size, dtype=like.dtype, device=like.device)

    def solve_positive(self, matrix: Any, right: Any) -> Any:
        return torch.cholesky_solve(right, torch.linalg.cholesky(matrix))

    def solve_triangular(self, matrix: Any, right: Any, *, lower: bool) -> Any:
        return torch.linalg.solve_triangular(matrix, right, upper=not lower)
