"""The products of matrices in a recording, and the chains that they form.

A chain is a tree of products each of whose inner results is used once, by the next product. What stands between them
and changes no value (views, transposes, copies) is seen through, as the record's producers are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wellposed.record import Operand, Operation, Record

FACTORS: Final[dict[str, tuple[int, int]]] = {
    "mm": (0, 1), "bmm": (0, 1), "mv": (0, 1), "dot": (0, 1), "addmm": (1, 2), "baddbmm": (1, 2), "addmv": (1, 2),
}  # fmt: skip
"""Operators that multiply matrices, with the positions of their factors among the tensors they read."""
ADDING: Final = frozenset({"addmm", "baddbmm", "addmv"})
"""Those that add something to the product: the last of a chain may, the others may not."""
SCALING: Final = frozenset({"mul", "div", "neg"})
"""Operators that keep a product a product, where their other argument is a number."""
COPYING: Final = frozenset({"clone", "detach", "contiguous", "alias", "lift_fresh"})
_DEEPEST = 40


@dataclass(frozen=True, slots=True)
class Product:
    """One product as it ran."""

    operation: Operation
    left: Operand
    right: Operand

    @property
    def batch(self) -> int:
        return self.left.shape[0] if len(self.left.shape) == 3 else 1

    @property
    def rows(self) -> int:
        return self.left.shape[-2] if len(self.left.shape) >= 2 else 1

    @property
    def inner(self) -> int:
        return self.left.shape[-1]

    @property
    def columns(self) -> int:
        return self.right.shape[-1] if len(self.right.shape) >= 2 else 1

    @property
    def shapes(self) -> str:
        """Of the factors: ``8x1800 · 1800x8``."""
        return f"{written_shape(self.left.shape)} · {written_shape(self.right.shape)}"

    @property
    def multiplications(self) -> int:
        """Scalar multiplications of the forward product."""
        return self.batch * self.rows * self.inner * self.columns


@dataclass(frozen=True, slots=True)
class Leaf:
    """A factor that is no product of the chain."""

    operand: Operand
    transposed: bool = False
    """Whether the chain, as it is told here, takes the transpose of what the operand holds."""

    @property
    def shape(self) -> tuple[int, ...]:
        return self.operand.shape[::-1] if self.transposed else self.operand.shape


@dataclass(frozen=True, slots=True)
class Chain:
    """Three factors or more, and how the program multiplied them."""

    products: tuple[Product, ...]
    """The last one first."""
    leaves: tuple[Leaf, ...]
    order: object
    """Nested pairs of positions in `leaves`."""
    turned: bool
    """Whether an inner product was used transposed."""
    scaled: bool
    """Whether a number was multiplied in between."""

    @property
    def last(self) -> Product:
        return self.products[0]


def written_shape(shape: tuple[int, ...]) -> str:
    """``8x1800``; empty for a scalar."""
    return "x".join(map(str, shape))


def product_of(operation: Operation) -> Product | None:
    """None for an operation that multiplies no matrices."""
    positions = FACTORS.get(operation.base)
    if positions is None or len(operation.inputs) <= positions[1]:
        return None
    left, right = (operation.inputs[each] for each in positions)
    if not left.shape or not right.shape or math.prod(left.shape) == 0 or math.prod(right.shape) == 0:
        return None
    return Product(operation, left, right)


def products(record: Record, step: int) -> list[Product]:
    """The products of a step's forward pass, in order."""
    found = (product_of(each) for each in record.operations(*FACTORS, step=step, phase="forward"))
    return [each for each in found if each is not None]


def chains(record: Record, step: int) -> Iterator[Chain]:
    """The largest chains of a step's forward pass."""
    every = {each.operation.id: each for each in products(record, step)}
    inner: set[int] = set()
    for product in sorted(every.values(), key=lambda each: -each.operation.id):
        if product.operation.id in inner:
            continue
        chain = _gather(record, product, every)
        if len(chain.products) > 1:
            inner |= {each.operation.id for each in chain.products}
            yield chain


@dataclass(slots=True)
class _Gathered:
    products: list[Product]
    leaves: list[Leaf]
    turned: bool = False
    scaled: bool = False


def _gather(record: Record, last: Product, every: dict[int, Product]) -> Chain:
    found = _Gathered([last], [])
    left = _factor(record, last.left, every, found, _DEEPEST)
    right = _factor(record, last.right, every, found, _DEEPEST)
    return Chain(tuple(found.products), tuple(found.leaves), (left, right), found.turned, found.scaled)


def _factor(
    record: Record, operand: Operand, every: dict[int, Product], found: _Gathered, depth: int, turned: bool = False
) -> object:
    """The order of a factor: a pair where it is a product of the chain, else the position of the leaf it is."""
    product, scaled = _used_once(record, operand, every)
    output = product.operation.output if product is not None else None
    if product is None or output is None or not depth:
        found.leaves.append(Leaf(operand, turned))
        return len(found.leaves) - 1
    shape = operand.shape
    transposed = shape != output.shape or _taken_transposed(record, product.operation)
    if transposed and (len(shape) != 2 or shape != output.shape[::-1]):
        found.leaves.append(Leaf(operand, turned))
        return len(found.leaves) - 1
    if product.operation.base in ADDING or len(product.left.shape) != len(product.right.shape):
        found.leaves.append(Leaf(operand, turned))
        return len(found.leaves) - 1
    found.products.append(product)
    found.scaled |= scaled
    found.turned |= transposed
    # (AB)ᵀ = BᵀAᵀ: the factors change places.
    flipped = turned != transposed
    one, other = (product.right, product.left) if flipped else (product.left, product.right)
    return (
        _factor(record, one, every, found, depth - 1, flipped),
        _factor(record, other, every, found, depth - 1, flipped),
    )


def _used_once(record: Record, operand: Operand, every: dict[int, Product]) -> tuple[Product | None, bool]:
    """The product that made the operand, seen through copies and scaling, where nothing else uses it; and whether a
    number was multiplied in."""
    number, scaled = operand.producer, False
    for _ in range(4):
        if number is None or not _single_use(record, number):
            return None, scaled
        if number in every:
            return every[number], scaled
        made = record.operation(number)
        if made is None or not made.inputs or made.operator.split(".")[1].endswith("_"):
            return None, scaled
        if made.base in SCALING and len(made.inputs) == 1:
            scaled = True
        elif made.base not in COPYING:
            return None, scaled
        number = made.inputs[0].producer
    return None, scaled


def _single_use(record: Record, operation: int) -> bool:
    """Whether one operation of the forward pass reads the result; the backward pass would read that of any order."""
    uses = {
        each.id
        for each in record.consumers(operation)
        if not each.is_view and each.phase == "forward" and each.base != "detach"
    }
    return len(uses) == 1


def _taken_transposed(record: Record, operation: Operation) -> bool:
    """Whether the forward pass takes the transpose of a square result, whose shape does not tell."""
    return any(
        each.base in ("t", "transpose", "permute", "numpy_T") and each.phase == "forward"
        for each in record.consumers(operation.id)
    )
