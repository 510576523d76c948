"""Guards: the small numbers that programs add, or clamp to, so that a denominator or an argument stays off zero."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wellposed.record import Operand, Operation, Record
from wellposed.rules.numerics.formulas import SHIFTED, before, scalar
from wellposed.rules.numerics.limits import format_of, rounded

SMALL = 1e-2
"""A guard is smaller than this; what is larger (a Laplace smoothing, a margin) is part of the formula."""

BETWEEN = SHIFTED | {"sqrt", "pow", "maximum", "where"}
"""Operators between a guard and what it guards."""


@dataclass(frozen=True, slots=True)
class Guard:
    """An operation that adds a small number or bounds its argument by one."""

    operation: Operation
    epsilon: float
    """The number as the program wrote it: 1e-8, or 1 - 1e-8 for an upper bound."""
    upper: bool
    """Whether it bounds from above."""


def guards_before(record: Record, operand: Operand | None) -> Iterator[Guard]:
    """The guards that the operand passed on its way, nearest first."""
    for operation in before(record, operand, BETWEEN):
        yield from guards_of(operation)


def guards_of(operation: Operation) -> Iterator[Guard]:
    if operation.base in ("add", "sub", "rsub"):
        value = scalar(operation, "other")
        value = _tensor_scalar(operation, 1) if value is None else value
        if value is not None and _is_small(value):
            yield Guard(operation, abs(value), upper=False)
        elif value is not None and 1 <= abs(value) != rounded(value, _dtype(operation)) and _nearly_whole(value):
            yield Guard(operation, value, upper=False)
    elif operation.base in ("clamp", "clamp_min", "clamp_max", "maximum"):
        low = scalar(operation, "min")
        if low is None and operation.base in ("clamp_min", "maximum"):
            low = _tensor_scalar(operation, 1)
        if low is not None and _is_small(low):
            yield Guard(operation, low, upper=False)
        high = scalar(operation, "max")
        if high is not None and high != 1 and _nearly_whole(high):
            yield Guard(operation, high, upper=True)


def fault_of(guard: Guard) -> str | None:
    """Why the guard guards nothing, in words; None where it does."""
    operation, epsilon, dtype = guard.operation, guard.epsilon, _dtype(guard.operation)
    output = operation.output.statistics if operation.output else None
    before_it = operation.inputs[0].statistics if operation.inputs else None
    if output is None:
        return None
    if guard.upper:
        held = rounded(epsilon, dtype)
        return f"{epsilon!r} is {held:g} in {dtype}" if held == 1.0 and output.maximum >= 1.0 else None
    if epsilon >= 1:
        return f"{epsilon!r} is {rounded(epsilon, dtype):g} in {dtype}"
    if rounded(epsilon, dtype) == 0.0:
        return f"{epsilon:g} is 0 in {dtype}" if output.zero else None
    if operation.base in ("add", "sub") and before_it is not None and not output.zero:
        largest = before_it.largest_magnitude
        if epsilon < largest * format_of(dtype).epsilon / 4 and output.largest_magnitude == largest:
            return f"{largest:g} + {epsilon:g} is {largest:g} in {dtype}"
    return None


def _dtype(operation: Operation) -> str:
    return operation.output.dtype if operation.output is not None else "float32"


def _is_small(value: float) -> bool:
    return 0 < abs(value) < SMALL


def _nearly_whole(value: float) -> bool:
    return abs(value) <= 2 and value != round(value) and abs(value - round(value)) < 1e-3


def _tensor_scalar(operation: Operation, index: int) -> float | None:
    """The value of a tensor argument that holds one number."""
    if len(operation.inputs) <= index or operation.inputs[index].shape:
        return None
    known = operation.inputs[index].statistics
    return known.maximum if known is not None and known.count == 1 else None
