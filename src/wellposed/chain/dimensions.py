"""What the user says of a chain: its n + 1 dimensions or the shapes of its operands, checked, in one form."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import SupportsIndex, TypeAlias, TypeGuard

from wellposed.chain.operand import Operand, effective_shape

Dims: TypeAlias = "Iterable[SupportsIndex] | Iterable[Sequence[SupportsIndex] | Operand]"
"""The n + 1 dimensions of n matrices, or the n shapes; an `Operand` in place of a shape declares what else is known."""

LIMIT = 2**63
"""Dimensions are below this, as the sizes of arrays are."""


@dataclass(frozen=True)
class Chain:
    """n matrices; matrix i is ``dimensions[i]`` by ``dimensions[i + 1]``, with a batch of shape ``batches[i]``."""

    dimensions: tuple[int, ...]
    batches: tuple[tuple[int, ...], ...] = ()
    """One batch shape an operand; empty where no operand has a batch."""
    starts_with_vector: bool = False
    ends_with_vector: bool = False
    structures: tuple[Operand, ...] = ()
    """One entry an operand where any was declared."""

    @property
    def operands(self) -> int:
        return len(self.dimensions) - 1


def parse(dims: Dims) -> Chain:
    """The chain that `dims` describes.

    Raises ValueError, naming the position, for what is no dimension and for shapes that do not fit together.
    """
    given = _as_tuple(dims)
    if not given:
        raise ValueError("a chain has at least one matrix: give its dimensions, [rows, columns], or its shape")
    if _all_integers(given):
        return _from_dimensions(given)
    if any(isinstance(entry, Operand) for entry in given):
        return _from_operands(given)
    if isinstance(given[0], Sequence) and not isinstance(given[0], (str, bytes)):
        return _from_shapes(given)
    return _from_dimensions(tuple(_dimension(entry, f"dimension {at}") for at, entry in enumerate(given)))


def _all_integers(given: tuple[object, ...]) -> TypeGuard[tuple[int, ...]]:
    return all(type(entry) is int for entry in given)


def _as_tuple(dims: object) -> tuple[object, ...]:
    if isinstance(dims, (str, bytes)) or not isinstance(dims, Iterable):
        raise ValueError(f"dims are the dimensions or the shapes of a chain, not {dims!r}")
    return tuple(dims)


def _from_dimensions(dimensions: tuple[int, ...]) -> Chain:
    if len(dimensions) < 2:
        raise ValueError("a chain of n matrices has n + 1 dimensions, so at least two; there is one")
    if min(dimensions) < 0 or max(dimensions) >= LIMIT:
        for at, dimension in enumerate(dimensions):
            _dimension(dimension, f"dimension {at}")
    return Chain(dimensions)


def _dimension(value: object, where: str) -> int:
    if isinstance(value, (bool, str, bytes)) or type(value).__name__ == "bool_" or not hasattr(value, "__index__"):
        raise ValueError(f"{where} is {value!r}, which is no whole number")
    try:
        dimension = operator.index(value)
    except TypeError:
        raise ValueError(f"{where} is {value!r}, which is no whole number") from None
    if dimension < 0:
        raise ValueError(f"{where} is {dimension}, but no dimension is negative")
    if dimension >= LIMIT:
        raise ValueError(f"{where} is {dimension}, but dimensions are below 2**63")
    return dimension


# --- shapes ---------------------------------------------------------------------------------------------------


def _from_shapes(given: Sequence[object]) -> Chain:
    shapes = [_shape(entry, at) for at, entry in enumerate(given)]
    last = len(shapes) - 1
    starts, ends = len(shapes[0]) == 1, last > 0 and len(shapes[last]) == 1
    for at, shape in enumerate(shapes[1:-1], start=1):
        if len(shape) == 1:
            raise ValueError(f"operand {at} is a vector, of shape {shape}; only the first and the last may be one")
    if starts:
        shapes[0] = (1, *shapes[0])
    if ends:
        shapes[last] = (*shapes[last], 1)
    for at, (left, right) in enumerate(pairwise(shapes)):
        if left[-1] != right[-2]:
            raise ValueError(
                f"operand {at} has {left[-1]} columns, but operand {at + 1} has {right[-2]} rows: "
                f"{_written(given[at])} times {_written(given[at + 1])}"
            )
    dimensions = (*(shape[-2] for shape in shapes), shapes[-1][-1])
    batches = tuple(shape[:-2] for shape in shapes)
    if not any(batches):
        batches = ()
    _check_broadcast(batches)
    return Chain(dimensions, batches, starts, ends)


def _from_operands(given: Sequence[object]) -> Chain:
    chain = _from_shapes([effective_shape(entry) if isinstance(entry, Operand) else entry for entry in given])
    if chain.batches:
        raise ValueError("operands with a structure have no batch dimensions")
    structures = tuple(
        entry if isinstance(entry, Operand) else Operand(shape)
        for entry, shape in zip(given, pairwise(chain.dimensions), strict=True)
    )
    return replace(chain, structures=structures)


def _shape(entry: object, at: int) -> tuple[int, ...]:
    if not isinstance(entry, Sequence) or isinstance(entry, (str, bytes)):
        raise ValueError(f"operand {at} is {entry!r}, where a shape is expected as for the others")
    if not entry:
        raise ValueError(f"operand {at} has the shape (), but a number is no matrix")
    return tuple(_dimension(value, f"dimension {axis} of operand {at}") for axis, value in enumerate(entry))


def _written(shape: object) -> str:
    return "×".join(str(value) for value in shape) if isinstance(shape, Sequence) else repr(shape)


# --- batches --------------------------------------------------------------------------------------------------


def _check_broadcast(batches: Sequence[tuple[int, ...]]) -> None:
    seen: dict[int, tuple[int, int]] = {}
    for at, batch in enumerate(batches):
        for axis, size in enumerate(reversed(batch)):
            if size == 1:
                continue
            first, other = seen.setdefault(axis, (size, at))
            if first != size:
                raise ValueError(
                    f"the batches of operands {other} and {at} do not broadcast: {batches[other]} and {batch}"
                )


def same_batch_everywhere(chain: Chain) -> bool:
    """Whether every product has the same batch, so that it does not matter for the order."""
    return len(set(chain.batches)) <= 1


def batch_sizes(chain: Chain) -> list[int]:
    """The batch size of the product of operands i … j-1 at ``i * (n + 1) + j``; empty where there is no batch.

    Raises ValueError where one is 2**64 or more.
    """
    if not chain.batches:
        return []
    vertices = len(chain.dimensions)
    axes = max(map(len, chain.batches))
    padded = [(1,) * (axes - len(batch)) + batch for batch in chain.batches]
    table = [1] * (vertices * vertices)
    for i in range(chain.operands):
        together = [1] * axes
        for j in range(i + 1, vertices):
            together = [size if size != 1 else have for have, size in zip(together, padded[j - 1], strict=True)]
            table[i * vertices + j] = size = _product(together)
            if size >= 2**64:
                raise ValueError(f"the batch of operands {i} to {j - 1} has {size} matrices, too many to plan with")
    return table


def _product(sizes: Iterable[int]) -> int:
    out = 1
    for size in sizes:
        out *= size
    return out
