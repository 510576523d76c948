"""JAX: plans when a function is traced, and looks through the tracers of vmap and grad for what they hide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.linalg

from wellposed.chain.libraries import standard
from wellposed.chain.ordering import Order, Shape, left_to_right, order_of, with_mapped_axes


def multiply(arrays: Sequence[Any]) -> Any:
    """The product of `arrays`. Raises ValueError for shapes that do not fit together.

    Symbolic dimensions, as of ``jax.export``, are not compared: such a chain is multiplied from left to right.
    """
    arrays = [array if isinstance(array, jax.Array) else jnp.asarray(array) for array in arrays]
    shapes = tuple(tuple(array.shape) for array in arrays)
    order = _order(arrays, shapes)
    dtype = jnp.result_type(*arrays)
    same = [array if array.dtype == dtype else array.astype(dtype) for array in arrays]
    readable = not any(isinstance(array, jax.core.Tracer) for array in arrays)
    return standard.multiply_promoted(
        same, shapes, order, dtype.name, lambda array, wide: array.astype(wide), jnp, readable, jnp.matmul
    )


def _order(arrays: Sequence[Any], shapes: tuple[Shape, ...]) -> Order:
    if not all(isinstance(size, int) for shape in shapes for size in shape):
        return left_to_right(len(shapes))
    seen = [_seen_through(array) for array in arrays]
    axes = list(dict.fromkeys(axis for sizes, _ in seen for axis in sizes))
    needs = tuple(needs for _, needs in seen)
    planned = with_mapped_axes([sizes for sizes, _ in seen], axes, shapes)
    return order_of(planned, needs if any(needs) else ())


def _seen_through(array: Any) -> tuple[dict[int, int], bool]:
    """Sizes that vmap maps over, by the identity of its trace, and whether a derivative is taken.

    What tracers hold is no public interface: where it is not there, nothing is seen, and the plan is that of one
    element. A derivative, forward or backward, takes one more product for each factor that varies.
    """
    sizes: dict[int, int] = {}
    varies = False
    while isinstance(array, jax.core.Tracer):
        inner = getattr(array, "val", None) if hasattr(array, "batch_dim") else getattr(array, "primal", None)
        if inner is None:
            break
        if not hasattr(array, "batch_dim"):
            varies = True
        elif isinstance(array.batch_dim, int):
            trace = getattr(array, "_trace", None)
            sizes[id(getattr(trace, "tag", trace))] = inner.shape[array.batch_dim]
        array = inner
    return sizes, varies


class Toolbox(standard.Toolbox):
    """JAX's own solvers."""

    def __init__(self, arrays: Sequence[Any]) -> None:
        self.space = jnp

    def promote(self, arrays: Sequence[Any]) -> list[Any]:
        dtype = jnp.result_type(*arrays)
        return [jnp.asarray(array, dtype) for array in arrays]

    def diagonal(self, matrix: Any) -> Any:
        return jnp.diagonal(matrix)

    def solve_positive(self, matrix: Any, right: Any) -> Any:
        return jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(matrix, lower=True), right)

    def solve_triangular(self, matrix: Any, right: Any, *, lower: bool) -> Any:
        return jax.scipy.linalg.solve_triangular(matrix, right, lower=lower)
