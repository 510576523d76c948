"""NumPy: what runs for a chain of shapes and dtypes is put together once, and found by them afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, reduce
from operator import attrgetter, matmul
from typing import Any, TypeAlias

import numpy

from wellposed.chain.half_precision import WIDER, guarded
from wellposed.chain.libraries import library_of, standard
from wellposed.chain.ordering import (
    REMEMBERED,
    Order,
    Shape,
    as_matrices,
    has_batch,
    multiply_in_order,
    order_of,
    without_added_axes,
)

Evaluator: TypeAlias = Callable[[Sequence[Any]], Any]
Traits: TypeAlias = "tuple[Shape, numpy.dtype[Any], type]"

CLASSES = (numpy.ndarray,)
"""What `multiply` takes without asking further."""

_traits = attrgetter("shape", "dtype", "__class__")
_dot = numpy.ndarray.dot
"""Twice as fast to call as ``@`` for small matrices, and the same for large ones."""


def multiply(arrays: Sequence[Any]) -> Any:
    """The product of `arrays`. Raises `numpy.linalg.LinAlgError`, a ValueError, for shapes that do not fit together."""
    try:
        evaluate = _evaluator(tuple(map(_traits, arrays)))
    except AttributeError:
        library = library_of(arrays)
        if library.__name__ != __name__:
            return library.multiply(arrays)
        return multiply([numpy.asanyarray(array) for array in arrays])
    return evaluate(arrays)


def multiply_into(arrays: Sequence[Any], out: Any) -> Any:
    """Writes the product to `out` and returns it; `out` may be one of `arrays`, or share memory with them.

    Raises ValueError where `out` has not the shape and the dtype of the product, or is not C-contiguous.
    """
    arrays = [numpy.asanyarray(array) for array in arrays]
    shapes, dtypes = tuple(array.shape for array in arrays), [array.dtype for array in arrays]
    order = _order(shapes)
    out = _shaped_as_result(out, shapes)
    dtype = common_dtype(dtypes)
    if not isinstance(out, numpy.ndarray) or out.dtype != dtype or not out.flags.c_contiguous:
        raise ValueError(f"out must be a C-contiguous numpy.ndarray of {dtype}, the dtype of the product")
    if len(arrays) < 3 or has_batch(shapes) or dtype.name in WIDER or out.ndim == 0:
        # The product is complete before the first element is written, so out may be an operand.
        out[...] = multiply(arrays)
        return out
    *first, (i, k) = order.steps
    parts = [array.astype(dtype, copy=False) for array in arrays]
    for at, other in first:
        parts[at] = _dot(parts[at], parts[other])
    return numpy.dot(parts[i], parts[k], out=out)


def common_dtype(dtypes: Sequence[numpy.dtype[Any]]) -> numpy.dtype[Any]:
    """The dtype that multiplication from left to right ends in."""
    return reduce(numpy.promote_types, dtypes)


# --- putting together -----------------------------------------------------------------------------------------


@lru_cache(maxsize=REMEMBERED)
def _evaluator(traits: tuple[Traits, ...]) -> Evaluator:
    shapes, dtypes, classes = zip(*traits, strict=True)
    if any(kind is not numpy.ndarray for kind in classes):
        if not all(issubclass(kind, (numpy.ndarray, numpy.generic)) for kind in classes):
            raise AttributeError("not all are NumPy's")
        return _with_order(_order(shapes), matmul, shapes)
    order = _order(shapes)
    dtype = common_dtype(dtypes)
    if dtype.name in WIDER and not order.as_written:
        return _widening(order, shapes, dtype)
    plain = _same_dtype(order, shapes)
    if all(given == dtype for given in dtypes):
        return plain
    return lambda arrays: plain([array.astype(dtype, copy=False) for array in arrays])


def _order(shapes: tuple[Shape, ...]) -> Order:
    try:
        return order_of(shapes)
    except ValueError as wrong:
        raise numpy.linalg.LinAlgError(str(wrong)) from None


def _same_dtype(order: Order, shapes: tuple[Shape, ...]) -> Evaluator:
    if has_batch(shapes):
        return _with_order(order, matmul, shapes)
    steps = order.steps
    # Spelled out, because the loop takes as long as a small product.
    if len(steps) == 1:
        return _two
    if len(steps) == 2:
        return _from_the_left if steps[0] == (0, 1) else _from_the_right
    return lambda arrays: multiply_in_order(arrays, order, _dot)


def _two(arrays: Sequence[Any]) -> Any:
    a, b = arrays
    return a.dot(b)


def _from_the_left(arrays: Sequence[Any]) -> Any:
    a, b, c = arrays
    return a.dot(b).dot(c)


def _from_the_right(arrays: Sequence[Any]) -> Any:
    a, b, c = arrays
    return a.dot(b.dot(c))


def _with_order(order: Order, product: Callable[[Any, Any], Any], shapes: tuple[Shape, ...]) -> Evaluator:
    if not has_batch(shapes):
        return lambda arrays: multiply_in_order(arrays, order, product)

    def evaluate(arrays: Sequence[Any]) -> Any:
        result = multiply_in_order(as_matrices(arrays), order, product)
        return without_added_axes(result, shapes[0], shapes[-1])

    return evaluate


def _widening(order: Order, shapes: tuple[Shape, ...], dtype: numpy.dtype[Any]) -> Evaluator:
    plain, wide = _same_dtype(order, shapes), numpy.dtype(WIDER[dtype.name])

    def rounded(arrays: Sequence[Any]) -> Any:
        with numpy.errstate(over="ignore"):
            return plain([array.astype(wide) for array in arrays]).astype(dtype)

    def narrow(arrays: Sequence[Any]) -> Any:
        with numpy.errstate(over="ignore", invalid="ignore"):
            return plain([array.astype(dtype, copy=False) for array in arrays])

    return lambda arrays: guarded(lambda: narrow(arrays), lambda: rounded(arrays), numpy.isfinite, dtype.name, shapes)


def _shaped_as_result(out: Any, shapes: tuple[Shape, ...]) -> Any:
    """`out` as the result is shaped. `numpy.linalg.multi_dot` wants a matrix also where vectors are at the ends."""
    first, last = shapes[0], shapes[-1]
    batch = numpy.broadcast_shapes(*(shape[:-2] for shape in shapes))
    matrix = (*batch, 1 if len(first) == 1 else first[-2], 1 if len(last) == 1 and len(shapes) > 1 else last[-1])
    result = (*batch, *(() if len(first) == 1 else first[-2:-1]), *(() if len(last) == 1 else last[-1:]))
    if len(shapes) == 1:
        matrix = result = first
    given = getattr(out, "shape", None)
    if given == result:
        return out
    if given == matrix:
        return out.reshape(result) if out.flags.c_contiguous else out
    raise ValueError(f"out has the shape {given}, but the product has {result}")


class Toolbox(standard.Toolbox):
    """As the array API has it: without SciPy, triangular systems are solved by halves."""

    def __init__(self, arrays: Sequence[Any]) -> None:
        self.space = numpy

    def promote(self, arrays: Sequence[Any]) -> list[Any]:
        arrays = [numpy.asanyarray(array) for array in arrays]
        dtype = common_dtype([array.dtype for array in arrays])
        return [array.astype(dtype, copy=False) for array in arrays]
