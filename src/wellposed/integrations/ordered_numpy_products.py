"""How NumPy multiplies, and what of its functions are products, transposes and factors."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from wellposed.chain.lazy import Node, Scaling, is_factor, leaf, product, product_shape
from wellposed.integrations.ordered_session import here

Array = np.ndarray[Any, Any]

DOTS = {np.dot}
PRODUCTS: set[Any] = {np.matmul, np.linalg.matmul, *DOTS}
NEGATIONS = {np.negative}
QUOTIENTS = {np.divide}
SCALINGS: set[Any] = {np.multiply, *QUOTIENTS, *NEGATIONS}
TRANSPOSES: set[Any] = {np.transpose, np.permute_dims, np.swapaxes, np.matrix_transpose, np.linalg.matrix_transpose}

CHANGING: set[Any] = {np.copyto, np.put, np.place, np.putmask, np.fill_diagonal, np.put_along_axis}
"""Functions that write to their first argument."""


class _NumPy:
    """A `wellposed.chain.lazy.Library`."""

    def within(self, node: Node) -> AbstractContextManager[object]:
        return nullcontext()

    def operand(self, node: Node) -> Any:
        return node.value

    def matmul(self, left: Array, right: Array) -> Any:
        return np.matmul(left, right)

    def transpose(self, value: Array) -> Array:
        return np.swapaxes(value, -1, -2)

    def scale(self, value: Array, scaling: Scaling) -> Any:
        return value / scaling.number if scaling.divide else value * scaling.number

    def with_axis(self, value: Array, axis: int) -> Array:
        return np.expand_dims(value, axis)

    def without_axis(self, value: Array, axis: int) -> Array:
        return np.squeeze(value, axis)

    def keep(self, node: Node, value: Any) -> Any:
        return value


LIBRARY = _NumPy()


def is_ordered(dtype: np.dtype[Any]) -> bool:
    """Whether products of this dtype may be done in another order: float16 leaves its range too easily, and what
    objects do when multiplied is not known."""
    return dtype.kind in "biufc" and dtype != np.float16


def leaf_of(array: Array) -> Node:
    """The node of an array that is there."""
    return leaf(array, array.shape, array.dtype)


def multiplied(func: Callable[..., Any], left: Node, right: Node) -> Node | None:
    """The product, for shapes that fit; None for what is no product of matrices. Raises as NumPy does for others."""
    if func in DOTS and max(len(left.shape), len(right.shape)) > 2:
        return None
    shape = product_shape(left.shape, right.shape)
    if shape is None:
        # NumPy says what is wrong, here and in its own words, from arrays of these shapes without memory.
        func(*(np.broadcast_to(np.empty((), node.group), node.shape) for node in (left, right)))
        return None
    dtype = np.result_type(left.group, right.group)
    return product(left, right, shape, dtype, gradient=False, site=here()) if is_ordered(dtype) else None


def scaling_of(func: Any, node: Node, number: Any) -> Scaling | None:
    """The factor, where a chain may be scaled by it anywhere: a number that keeps the dtype, and makes no NaN on its
    way."""
    dtype: np.dtype[Any] = node.group  # type: ignore[assignment]
    divide = func in QUOTIENTS
    if func in NEGATIONS:
        number = -1
    if isinstance(number, (bool, np.bool_)) or not isinstance(number, (int, float, complex, np.number)):
        return None
    if dtype.kind in "iu":
        if divide or not isinstance(number, int) or not np.iinfo(dtype).min <= number <= np.iinfo(dtype).max:
            return None
    elif dtype.kind not in "fc" or np.result_type(dtype, number) != dtype or not is_factor(number):
        return None
    return Scaling(divide, number)


def turns_matrices(func: Any, dimensions: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether this call turns the last two dimensions, and does nothing else."""
    n = dimensions
    if n < 2 or kwargs:
        return False
    if func in (np.matrix_transpose, np.linalg.matrix_transpose):
        return not args
    axes = args[0] if len(args) == 1 and isinstance(args[0], (tuple, list)) else args
    if not axes or axes == (None,):
        return n == 2 and func is not np.swapaxes
    if not all(isinstance(axis, int) and -n <= axis < n for axis in axes):
        return False
    at = [axis % n for axis in axes]
    if func is np.swapaxes:
        return sorted(at) == [n - 2, n - 1]
    return at == [*range(n - 2), n - 1, n - 2]
