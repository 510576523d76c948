"""The indices of a product of tensors, as in einsum: every axis of a tensor is a run of indices.

An axis of size 1 is the empty run. An axis that a reshape has merged is a run of several indices, and where a reshape
cuts through an index, the index is split in two, everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import sympy  # type: ignore[import-untyped]
import torch

Axis: TypeAlias = "tuple[int, ...]"
Axes: TypeAlias = "tuple[Axis, ...]"
Size: TypeAlias = "int | sympy.Expr"


def size_of(dimension: int | torch.SymInt) -> Size:
    """A dimension as a number, or as an expression in the symbols of dynamic shapes."""
    if isinstance(dimension, torch.SymInt):
        known = dimension.node.maybe_as_int()
        return dimension.node.expr if known is None else known
    return int(dimension)


def hint_of(dimension: int | torch.SymInt) -> int | None:
    """The size that was seen when the graph was traced; None where the size depends on data."""
    if isinstance(dimension, torch.SymInt):
        if not dimension.node.has_hint():
            return None
        return int(dimension.node.hint)
    return int(dimension)


class Indices:
    """The indices of one expression: their sizes, what they measured when traced, and how they were split."""

    def __init__(self) -> None:
        self.sizes: list[Size] = []
        self.hints: list[int] = []
        self._halves: dict[int, tuple[int, int]] = {}

    def new(self, size: Size, hint: int) -> Axis:
        """An axis with an index of its own; without one where the size is 1."""
        if size == 1:
            return ()
        self.sizes.append(size)
        self.hints.append(hint)
        return (len(self.sizes) - 1,)

    def of_shape(self, shape: Sequence[int | torch.SymInt]) -> Axes | None:
        """A new index for every dimension; None where a size depends on data."""
        axes = []
        for dimension in shape:
            hint = hint_of(dimension)
            if hint is None:
                return None
            axes.append(self.new(size_of(dimension), hint))
        return tuple(axes)

    def resolve(self, axis: Axis) -> Axis:
        """The axis with every index that was split replaced by its parts."""
        if not any(index in self._halves for index in axis):
            return axis
        return tuple(
            part
            for index in axis
            for part in (self.resolve(self._halves[index]) if index in self._halves else (index,))
        )

    def resolve_all(self, axes: Axes) -> Axes:
        return tuple(map(self.resolve, axes))

    def size(self, indices: Iterable[int]) -> Size:
        """The number of elements under `indices`."""
        product: Size = 1
        for index in indices:
            product = product * self.sizes[index]
        return product

    def hint(self, indices: Iterable[int]) -> int:
        return math.prod(self.hints[index] for index in indices)

    def reshaped(self, axes: Axes, shape: Sequence[int | torch.SymInt]) -> Axes | None:
        """The axes of a tensor of `shape` that was reshaped into one with `axes`.

        Indices are split where the dimensions cut through them. None where sizes that are not numbers leave it open how
        the dimensions fall.
        """
        waiting = [index for axis in axes for index in self.resolve(axis)]
        waiting.reverse()
        found = []
        for dimension in shape:
            remaining, seen = size_of(dimension), hint_of(dimension)
            if seen is None:
                return None
            run = []
            while remaining != 1:
                if not waiting:
                    return None
                index = waiting.pop()
                size = self.sizes[index]
                if (rest := quotient(remaining, size)) is not None:
                    run.append(index)
                    remaining, seen = rest, seen // self.hints[index]
                elif (rest := quotient(size, remaining)) is not None:
                    first, second = self._split(index, remaining, seen, rest)
                    run.append(first)
                    waiting.append(second)
                    remaining = 1
                else:
                    return None
            found.append(tuple(run))
        return None if waiting else tuple(found)

    def _split(self, index: int, first: Size, first_hint: int, second: Size) -> tuple[int, int]:
        halves = (self.new(first, first_hint)[0], self.new(second, self.hints[index] // first_hint)[0])
        self._halves[index] = halves
        return halves


def quotient(size: Size, divisor: Size) -> Size | None:
    """`size` over `divisor` where that is a whole number whatever the symbols are, else None."""
    if isinstance(size, int) and isinstance(divisor, int):
        return size // divisor if divisor and size % divisor == 0 else None
    if size == divisor:
        return 1
    over: Any = sympy.cancel(sympy.sympify(size) / sympy.sympify(divisor))
    if over.is_Integer:
        return int(over)
    if not over.free_symbols:
        return None
    # A polynomial with whole coefficients is whole; s0/2, or s0//2 under other functions, may be not.
    if over.is_polynomial(*over.free_symbols) and all(
        coefficient.is_Integer for coefficient in sympy.Poly(over, *over.free_symbols).coeffs()
    ):
        return over
    return None
