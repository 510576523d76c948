"""scipy.sparse: matrices and arrays, planned by how many of their elements are stored, multiplied by their own ``@``.

A product of sparse operands is sparse, and one with a dense vector or matrix is dense, as SciPy has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import matmul
from typing import Any

import numpy

from wellposed.chain.operand import Operand
from wellposed.chain.ordering import multiply_in_order, structured_order

_DIGITS = 2
"""Of densities, so that matrices that differ by a few elements share their plan."""


def multiply(arrays: Sequence[Any]) -> Any:
    """The product of `arrays`. Raises ValueError for shapes that do not fit together, and for batches."""
    arrays = [array if hasattr(array, "nnz") else numpy.asanyarray(array) for array in arrays]
    last = len(arrays) - 1
    order = structured_order(tuple(_declared(array, at, last) for at, array in enumerate(arrays)))
    return multiply_in_order(arrays, order, matmul)


def _declared(array: Any, at: int, last: int) -> Operand:
    shape = array.shape
    if len(shape) == 1 and at in (0, last):
        shape = (1, *shape) if at == 0 else (*shape, 1)
    if len(shape) != 2:
        raise ValueError(f"operand {at} has the shape {array.shape}, but beside sparse operands there are no batches")
    elements = shape[0] * shape[1]
    stored = getattr(array, "nnz", elements)
    density = float(f"{stored / elements:.{_DIGITS}g}") if 0 < stored < elements else 1.0
    if elements and not stored:
        density = 1 / elements
    return Operand(shape, density=density)
