"""The order in which a product is evaluated: what is kept of a plan, for every chain of shapes that was met lately."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from wellposed.chain import tree
from wellposed.chain.operand import Operand
from wellposed.chain.plan import matrix_chain_multiplication

Shape: TypeAlias = "tuple[int, ...]"

REMEMBERED = 4096
"""Chains of shapes whose order is kept; the one that was asked for least lately is forgotten first."""


@dataclass(frozen=True, slots=True)
class Order:
    """Which products are made, one after another."""

    steps: tuple[tuple[int, int], ...]
    """A step (i, k) multiplies what stands at i by what stands at k and puts the product at i."""
    as_written: bool
    """Whether that is from left to right, so that no product is another than the user wrote."""


@lru_cache(maxsize=REMEMBERED)
def order_of(shapes: tuple[Shape, ...], requires_grad: tuple[bool, ...] = ()) -> Order:
    """The order with the fewest multiplications, those of the backward pass included where a gradient is required.

    Safe to call from several threads. Raises ValueError for shapes that do not fit together.
    """
    if 0 in map(min, filter(None, shapes)):
        # Orders of empty matrices have no multiplications to tell them apart: left to right, once the shapes fit.
        matrix_chain_multiplication(shapes)
        return left_to_right(len(shapes))
    plan = matrix_chain_multiplication(shapes, requires_grad=requires_grad or None)
    if plan.cost == plan.cost_as_written:
        return left_to_right(plan.operands)
    return _ordered(plan.sequence, plan.operands)


def left_to_right(operands: int) -> Order:
    """The order as written."""
    return _ordered(range(1, operands), operands)


def _ordered(sequence: Sequence[int], operands: int) -> Order:
    steps = tuple((i, k) for i, k, _ in tree.products(sequence, operands))
    return Order(steps, all(i == 0 for i, _ in steps))


def multiply_in_order(operands: Sequence[Any], order: Order, product: Callable[[Any, Any], Any]) -> Any:
    """All products of `order`; an intermediate is let go as soon as it has been multiplied."""
    parts = list(operands)
    for i, k in order.steps:
        parts[i] = product(parts[i], parts[k])
        parts[k] = None
    return parts[0]


def has_batch(shapes: Sequence[Shape]) -> bool:
    """Whether any operand is a stack of matrices."""
    return max(map(len, shapes)) > 2


def as_matrices(operands: Sequence[Any]) -> list[Any]:
    """Vectors at the ends as matrices of one row or column: beside stacks, a product of a vector and a stack would be
    taken for a matrix."""
    matrices = list(operands)
    if len(matrices[0].shape) == 1:
        matrices[0] = matrices[0][None, :]
    if len(matrices) > 1 and len(matrices[-1].shape) == 1:
        matrices[-1] = matrices[-1][:, None]
    return matrices


def without_added_axes(result: Any, first: Shape, last: Shape) -> Any:
    """Takes away what `as_matrices` added."""
    if len(last) == 1:
        result = result[..., 0]
    if len(first) == 1:
        result = result[..., 0, :] if len(last) != 1 else result[..., 0]
    return result


@lru_cache(maxsize=REMEMBERED)
def structured_order(operands: tuple[Operand, ...]) -> Order:
    """The same for operands that are declared to be more than their shape; vectors are matrices here.

    Raises ValueError for shapes that do not fit together.
    """
    if len(operands) == 1:
        return left_to_right(1)
    plan = matrix_chain_multiplication(operands)
    return _ordered(plan.sequence, plan.operands)


def with_mapped_axes(
    mapped: Sequence[dict[int, int]], axes: Sequence[int], shapes: tuple[Shape, ...]
) -> tuple[Shape, ...]:
    """Shapes with an axis in front for each of `axes` that a vmap maps over: its size where it is mapped, else 1."""
    if not axes:
        return shapes
    last = len(shapes) - 1
    matrices = [
        shape if len(shape) != 1 else (1, *shape) if at == 0 else (*shape, 1) if at == last else shape
        for at, shape in enumerate(shapes)
    ]
    longest = max(map(len, matrices))
    return tuple(
        (*(sizes.get(axis, 1) for axis in axes), *(1,) * (longest - len(shape)), *shape) if len(shape) > 1 else shape
        for sizes, shape in zip(mapped, matrices, strict=True)
    )
