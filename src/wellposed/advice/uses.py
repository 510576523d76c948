"""Which operation an epsilon serves: the division, root or logarithm that its result goes into."""

from __future__ import annotations

from dataclasses import dataclass

from wellposed.advice.epsilon import Use
from wellposed.record import Operand, Operation, Record
from wellposed.rules.numerics.formulas import LOGARITHMS, after, divisor, is_sum_of_squares, scalar
from wellposed.rules.tracing import SAME_VALUES, origin

THROUGH = SAME_VALUES | {"neg", "mul", "sub", "rsub", "sqrt", "pow", "sum", "mean", "maximum", "clamp", "clamp_min"}
"""Operators between a guard and the operation that it serves."""
NORMS = frozenset({"norm", "linalg_vector_norm"})
_SUBTRACTIONS = frozenset({"sub", "rsub"})
_INVERSES = frozenset({"acos", "asin"})
_PROBABILITIES = LOGARITHMS | {"binary_cross_entropy", "atanh"}
_ORDER: tuple[Use, ...] = ("root quotient", "quotient", "logarithm", "inverse function", "root", "norm")
"""Of several uses the most dangerous counts."""


@dataclass(frozen=True, slots=True)
class Served:
    """The use that a guard's result is put to."""

    use: Use
    operation: Operation
    """The division, logarithm, root or norm itself."""
    path: frozenset[int]
    """Ids of the operations from the guard to there."""
    subtracted: bool
    """Whether something is subtracted on the way: 1 - (p + ε)."""


def served_by(record: Record, guard: Operation) -> Served | None:
    """None where the result goes into nothing that needs a guard."""
    path = {guard.id: (False, False)}
    found: list[tuple[Use, Operation, bool]] = []
    for operation in after(record, guard, THROUGH):
        came = [path[each.producer] for each in operation.inputs if each.producer in path]
        if not came:
            continue
        rooted, subtracted = any(each[0] for each in came), any(each[1] for each in came)
        use = _use(operation, path, guard.id, rooted)
        if use is not None:
            found.append((use, operation, subtracted))
        if operation.base in THROUGH:
            path[operation.id] = (rooted or is_root(operation), subtracted or operation.base in _SUBTRACTIONS)
    if not found:
        return None
    use, operation, subtracted = min(found, key=lambda each: _ORDER.index(each[0]))
    return Served(use, operation, frozenset(path), subtracted)


def is_root(operation: Operation) -> bool:
    """Whether it takes a square root, or another one."""
    exponent = scalar(operation, "exponent") if operation.base == "pow" else None
    return operation.base == "sqrt" or (exponent is not None and 0 < exponent < 1)


def endangered(operation: Operation) -> tuple[Use, Operand] | None:
    """The operand that must not be zero, and why; None where the operation divides by none and takes no logarithm."""
    divided = divisor(operation)
    if divided is not None:
        return ("root quotient" if _takes_root(operation) else "quotient"), divided
    if not operation.inputs:
        return None
    if operation.base in LOGARITHMS:
        return "logarithm", operation.inputs[0]
    return ("root", operation.inputs[0]) if is_root(operation) else None


def quantity_of(record: Record, operand: Operand | None, use: Use) -> str:
    """What the operand is, in a word or two."""
    source = origin(record, operand)
    if source is not None:
        if source.base in ("var", "var_mean"):
            return "variance"
        if source.base in ("std", "std_mean"):
            return "standard deviation"
        if source.base in NORMS:
            return "norm"
        if is_sum_of_squares(record, source):
            return "mean of squares" if source.base == "mean" else "sum of squares"
        if source.base in ("_softmax", "sigmoid"):
            return "probability"
        if is_root(source):
            return _root_of(record, source)
    named: dict[Use, str] = {"logarithm": "argument", "root": "argument of the root", "norm": "difference"}
    return named.get(use, "denominator" if use == "quotient" else "argument")


def _root_of(record: Record, root: Operation) -> str:
    squared = origin(record, root.inputs[0]) if root.inputs else None
    if squared is not None and squared.base in ("var", "var_mean"):
        return "standard deviation"
    if squared is not None and is_sum_of_squares(record, squared):
        return "root mean square" if squared.base == "mean" else "norm"
    return "root"


def _use(operation: Operation, path: dict[int, tuple[bool, bool]], guard: int, rooted: bool) -> Use | None:
    divided = divisor(operation)
    if divided is not None and divided.producer in path:
        return "root quotient" if rooted or _takes_root(operation) else "quotient"
    if operation.base in _PROBABILITIES:
        return "logarithm"
    if operation.base in _INVERSES:
        return "inverse function"
    # Further away, a small number that was added is no guard of the norm.
    if operation.base in NORMS and any(each.producer == guard for each in operation.inputs):
        return "norm"
    return "root" if is_root(operation) else None


def _takes_root(operation: Operation) -> bool:
    exponent = scalar(operation, "exponent") if operation.base == "pow" else None
    return operation.base == "rsqrt" or (exponent is not None and -1 < exponent < 0)
