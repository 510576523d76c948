"""Arrays that follow the Python array API standard (data-apis.org/array-api), and CuPy's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from operator import matmul
from typing import Any

from wellposed.chain.half_precision import WIDER, guarded
from wellposed.chain.ordering import (
    Order,
    Shape,
    as_matrices,
    has_batch,
    multiply_in_order,
    order_of,
    without_added_axes,
)

SMALLEST_BLOCK = 64
"""Triangular systems of at most this size go to the general solver: above it, most of the work is in products."""


def multiply(arrays: Sequence[Any]) -> Any:
    """The product of `arrays`. Raises ValueError for shapes that do not fit, what the library raises for dtypes."""
    space = namespace_of(arrays[0])
    shapes = tuple(tuple(array.shape) for array in arrays)
    order = order_of(shapes)
    arrays, name = promoted(space, arrays)
    return multiply_promoted(arrays, shapes, order, name, lambda array, dtype: space.astype(array, dtype), space)


def multiply_into(arrays: Sequence[Any], out: Any) -> Any:
    """Writes the product to `out`, which may be one of `arrays`. Raises ValueError for another shape or dtype."""
    result = multiply(arrays)
    if out.shape != result.shape or out.dtype != result.dtype:
        raise ValueError(f"out is {out.dtype} {out.shape}, but the product is {result.dtype} {result.shape}")
    out[...] = result
    return out


def namespace_of(array: Any) -> Any:
    """The module with the functions for `array`."""
    if hasattr(array, "__array_namespace__"):
        return array.__array_namespace__()
    return sys.modules[type(array).__module__.partition(".")[0]]


def promoted(space: Any, arrays: Sequence[Any]) -> tuple[list[Any], str]:
    """`arrays` in the dtype that is common to them, and its name."""
    dtype = arrays[0].dtype
    if any(array.dtype != dtype for array in arrays):
        dtype = space.result_type(*(array.dtype for array in arrays))
        arrays = [space.astype(array, dtype) for array in arrays]
    return list(arrays), str(dtype).rpartition(".")[2]


def multiply_promoted(
    arrays: Sequence[Any],
    shapes: tuple[Shape, ...],
    order: Order,
    dtype: str,
    astype: Callable[[Any, Any], Any],
    space: Any,
    readable: bool = True,
    product: Callable[[Any, Any], Any] = matmul,
) -> Any:
    """The product of arrays of one dtype; widened where another order than the written leaves its range.

    Where values are not `readable`, float16 is multiplied in float32.
    """
    if order.as_written or dtype not in WIDER or (not readable and dtype == "bfloat16"):
        return evaluate(arrays, shapes, order, product)

    def widened() -> Any:
        wide = [astype(array, getattr(space, WIDER[dtype])) for array in arrays]
        return astype(evaluate(wide, shapes, order, product), arrays[0].dtype)

    if not readable:
        return widened()
    return guarded(lambda: evaluate(arrays, shapes, order, product), widened, _finiteness(space), dtype, shapes)


def evaluate(
    arrays: Sequence[Any], shapes: Sequence[Shape], order: Order, product: Callable[[Any, Any], Any] = matmul
) -> Any:
    """The products of `order`, vectors beside stacks as matrices."""
    if not has_batch(shapes):
        return multiply_in_order(arrays, order, product)
    return without_added_axes(multiply_in_order(as_matrices(arrays), order, product), shapes[0], shapes[-1])


def _finiteness(space: Any) -> Callable[[Any], Any]:
    """Booleans with the methods `all` and `any`, which the standard has as functions alone."""
    return lambda array: _Booleans(space, space.isfinite(array))


class _Booleans:
    def __init__(self, space: Any, array: Any) -> None:
        self._space, self._array = space, array

    def all(self) -> Any:
        return self._space.all(self._array)

    def any(self) -> Any:
        return self._space.any(self._array)

    def __ne__(self, other: object) -> Any:
        assert isinstance(other, _Booleans)
        return _Booleans(self._space, self._array != other._array)


class Toolbox:
    """What products of operands with a structure need beyond ``@``, ``*`` and ``/``; matrices of two dimensions."""

    def __init__(self, arrays: Sequence[Any]) -> None:
        self.space = namespace_of(arrays[0])

    def promote(self, arrays: Sequence[Any]) -> list[Any]:
        """All in one dtype."""
        return promoted(self.space, arrays)[0]

    def eye(self, size: int, like: Any) -> Any:
        """The identity, of the dtype and on the device of `like`."""
        return self.space.eye(size, dtype=like.dtype)

    def diagonal(self, matrix: Any) -> Any:
        """The diagonal as a vector."""
        return self.space.linalg.diagonal(matrix)

    def transpose(self, matrix: Any) -> Any:
        """The transpose, not conjugated."""
        return matrix.T

    def is_complex(self, matrix: Any) -> bool:
        """Whether elements are complex numbers."""
        return "complex" in str(matrix.dtype)

    def solve(self, matrix: Any, right: Any) -> Any:
        """The solution of ``matrix @ x = right``."""
        return self.space.linalg.solve(matrix, right)

    def solve_positive(self, matrix: Any, right: Any) -> Any:
        """The same for a positive definite matrix, by Cholesky's factorization."""
        lower = self.space.linalg.cholesky(matrix)
        upper = self.space.conj(lower.T) if self.is_complex(lower) else lower.T
        return self.solve_triangular(upper, self.solve_triangular(lower, right, lower=True), lower=False)

    def solve_triangular(self, matrix: Any, right: Any, *, lower: bool) -> Any:
        """The same for a triangular matrix: halves are solved, and the one is put into the other by a product."""
        size = matrix.shape[0]
        if size <= SMALLEST_BLOCK:
            return self.solve(matrix, right)
        half = size // 2
        if lower:
            first = self.solve_triangular(matrix[:half, :half], right[:half, :], lower=True)
            rest = right[half:, :] - matrix[half:, :half] @ first
            second = self.solve_triangular(matrix[half:, half:], rest, lower=True)
        else:
            second = self.solve_triangular(matrix[half:, half:], right[half:, :], lower=False)
            rest = right[:half, :] - matrix[:half, half:] @ second
            first = self.solve_triangular(matrix[:half, :half], rest, lower=False)
        return self.space.concat([first, second], axis=0)
