"""Recognising formulas: how an operator's argument was computed, and what its result is used for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from wellposed.record import Operand, Operation, Record, Statistics
from wellposed.rules.numerics.births import Birth
from wellposed.rules.tracing import SAME_VALUES, origin, producer

SHIFTED = SAME_VALUES | {"add", "sub", "rsub", "neg", "mul", "div", "reciprocal", "clamp", "clamp_min", "clamp_max"}
"""Operators between a function and the argument of the next in a formula such as ``log(1 - sigmoid(x) + eps)``."""
SUMMED = SAME_VALUES | {"sum", "mean", "cumsum", "add", "sub", "mul", "div", "index", "diagonal", "gather"}
"""Operators between an exponential and the sum over exponentials, or what is done with that sum."""
ELEMENTWISE = SHIFTED | {"pow", "sqrt", "rsqrt", "exp", "log", "atan", "tanh", "sigmoid", "sin", "cos", "acos", "atanh"}
EXPONENTIALS = frozenset({"exp", "exp2", "expm1", "sinh", "cosh"})
LOGARITHMS = frozenset({"log", "log2", "log10", "log1p"})
DIVISIONS = frozenset({"div", "true_divide", "divide", "reciprocal", "rsqrt", "pow", "remainder", "fmod", "addcdiv"})
_FURTHEST = 40


def subject(record: Record, birth: Birth) -> Operation:
    """The operation of the forward pass that the birth is about: itself, or the one that it differentiates."""
    operation = birth.operation
    forward = record.operation(operation.forward) if operation.phase == "backward" and operation.forward else None
    return forward or operation


def before(
    record: Record, operand: Operand | None, through: frozenset[str], limit: int = _FURTHEST
) -> Iterator[Operation]:
    """What the operand was computed from, nearest first, looking back through the operators of `through` alone; the
    operations that those stop at are yielded too."""
    first = producer(record, operand)
    waiting = deque([first] if first is not None else [])
    seen = {first.id} if first is not None else set()
    while waiting and len(seen) < limit:
        operation = waiting.popleft()
        yield operation
        if operation.base not in through:
            continue
        for each in operation.inputs:
            made = producer(record, each)
            if made is not None and made.id not in seen:
                seen.add(made.id)
                waiting.append(made)


def after(record: Record, operation: Operation, through: frozenset[str], limit: int = _FURTHEST) -> Iterator[Operation]:
    """What the operation's results are used for in the same phase, nearest first, through the operators of `through`;
    the operations that those stop at are yielded too."""
    seen = {operation.id}
    waiting = deque([operation])
    while waiting and len(seen) < limit:
        for consumer in record.consumers(waiting.popleft().id):
            if consumer.id in seen or consumer.is_view or consumer.phase != operation.phase:
                continue
            seen.add(consumer.id)
            yield consumer
            if consumer.base in through:
                waiting.append(consumer)


def statistics_of(operation: Operation, index: int = 0) -> Statistics | None:
    """Of the operation's tensor argument of this index, where they are known."""
    return operation.inputs[index].statistics if len(operation.inputs) > index else None


def scalar(operation: Operation, *names: str) -> float | None:
    """The first of the named arguments that is a number."""
    for name in names:
        value = operation.arguments.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    return None


def is_square(record: Record, operand: Operand | None) -> bool:
    """Whether the operand is something times itself."""
    made = origin(record, operand)
    if made is None:
        return False
    if made.base == "mul" and len(made.inputs) == 2:
        return made.inputs[0].producer == made.inputs[1].producer and made.inputs[0].shape == made.inputs[1].shape
    return made.base == "square" or (made.base == "pow" and scalar(made, "exponent") == 2.0)


def is_sum_of_squares(record: Record, operation: Operation | None) -> bool:
    return (
        operation is not None
        and operation.base in ("sum", "mean")
        and bool(operation.inputs)
        and is_square(record, operation.inputs[0])
    )


def is_mask(operand: Operand) -> bool:
    """Whether the operand holds zeros and ones alone, as far as its statistics tell."""
    s = operand.statistics
    if s is None or not s.zero or s.minimum != 0.0 or s.maximum != 1.0:
        return False
    return s.smallest_nonzero == 1.0


def divisor(operation: Operation) -> Operand | None:
    """What the operation divides by, where that is a tensor."""
    if operation.base not in DIVISIONS:
        return None
    if operation.base == "pow":
        exponent = scalar(operation, "exponent")
        return operation.inputs[0] if exponent is not None and exponent < 0 and operation.inputs else None
    if operation.base in ("reciprocal", "rsqrt"):
        return operation.inputs[0] if operation.inputs else None
    return operation.input("tensor2" if operation.base == "addcdiv" else "other")
