"""Dask: the order is ours, the work is Dask's. Nothing is computed here, only the graph of tasks is built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dask.array

from wellposed.chain.libraries import standard
from wellposed.chain.ordering import left_to_right, order_of


def multiply(arrays: Sequence[Any]) -> Any:
    """The product of `arrays`, not yet computed. Raises ValueError for shapes that do not fit together.

    Where a size is unknown before it is computed, the order is that from left to right.
    """
    arrays = [dask.array.asanyarray(array) for array in arrays]
    shapes = tuple(tuple(array.shape) for array in arrays)
    known = all(size == size for shape in shapes for size in shape)
    order = order_of(shapes) if known else left_to_right(len(shapes))
    dtype = dask.array.result_type(*(array.dtype for array in arrays))
    same = [array if array.dtype == dtype else array.astype(dtype) for array in arrays]
    return standard.multiply_promoted(
        same, shapes, order, dtype.name, lambda array, wide: array.astype(wide), dask.array, readable=False
    )


class Toolbox(standard.Toolbox):
    """Dask's own solvers by blocks, which want square chunks on the diagonal; SciPy must be installed."""

    def __init__(self, arrays: Sequence[Any]) -> None:
        self.space = dask.array

    def promote(self, arrays: Sequence[Any]) -> list[Any]:
        arrays = [dask.array.asanyarray(array) for array in arrays]
        dtype = dask.array.result_type(*(array.dtype for array in arrays))
        return [array.astype(dtype) for array in arrays]

    def eye(self, size: int, like: Any) -> Any:
        return dask.array.eye(size, chunks=like.chunks[-1][0], dtype=like.dtype)

    def diagonal(self, matrix: Any) -> Any:
        return dask.array.diagonal(matrix)

    def solve(self, matrix: Any, right: Any) -> Any:
        return dask.array.linalg.solve(*_aligned(matrix, right))

    def solve_positive(self, matrix: Any, right: Any) -> Any:
        return dask.array.linalg.solve(*_aligned(matrix, right), assume_a="pos")

    def solve_triangular(self, matrix: Any, right: Any, *, lower: bool) -> Any:
        return dask.array.linalg.solve_triangular(*_aligned(matrix, right), lower=lower)


def _aligned(matrix: Any, right: Any) -> tuple[Any, Any]:
    rows = matrix.chunks[0]
    return matrix.rechunk((rows, rows)), right.rechunk({0: rows})
