"""Which formula is to blame: the operators that lose digits by themselves, and by which of four ways."""

from __future__ import annotations

import math
from collections.abc import Sequence

from wellposed.shadow.result import DIGITS_OF, Culprit, OperatorDigits, OutputDigits

LARGE_ERROR_BITS = 5.0
"""Bits of error of its own from which an operation counts as a cause: the limit of Herbgrind (PLDI 2018, section 5)."""
HARM_BITS = 4.0
"""Bits that an output must have lost for anybody to care: one fewer than a cause, whose error it has diluted."""
LARGE_SHARE = 0.25
"""Part of an output's error from which many small roundings of one line are a cause."""
LARGE_ROUNDING_BITS = 3.0
"""Bits of rounding beyond the unit roundoff that a sum may add: one pass in order loses about log2(n) / 2 of them
(Higham, "Accuracy and Stability of Numerical Algorithms", section 4.2), a pairwise sum fewer than 2."""
CONDITION_BITS = 3.0
"""Bits of an output's error beyond what rounding its inputs does to it, from which a formula is at fault and not the
question (Higham, section 1.6)."""
MOST_OF_IT = 0.5
"""Part of an output's error from which it is a cast to a coarser dtype that caused it."""
SPOILED_DIGITS = 0.7
"""Digits left of an output, from a relative error of 20 % on, that make a cast of the data a fault."""
MANY = 64
"""Terms or calls that make an accumulation long."""

CANCELLATION = "catastrophic-cancellation"
ACCUMULATION = "low-precision-accumulation"
ILL_CONDITIONED = "ill-conditioned-operation"
UNSTABLE = "unstable-function"

_DIFFERENCES = {"add", "sub", "rsub", "subtract", "negative", "diff", "lerp"}
_SUMS = {
    "sum", "mean", "cumsum", "nansum", "trace", "mm", "bmm", "addmm", "baddbmm", "dot", "vdot", "mv", "addmv", "matmul",
    "convolution", "linear", "inner", "tensordot", "einsum", "average", "nanmean",
}  # fmt: skip
_CASTS = {"to_copy", "astype", "copy", "float32", "float16", "asarray", "array"}
_ACCUMULATING = _SUMS | {
    "add", "var", "std", "var_mean", "std_mean", "logsumexp", "linalg_vector_norm", "norm", "index_add", "scatter_add",
    "index_put", "embedding_dense_backward", "logcumsumexp", "cumprod", "prod", "addcmul",
}  # fmt: skip
_SCATTERS = {"index_add", "scatter_add", "index_put", "embedding_dense_backward", "bincount"}
_LINEAR_ALGEBRA = {
    "inverse", "inv", "solve", "lstsq", "cholesky", "det", "slogdet", "eigh", "eig", "svd", "qr", "lu", "pinv",
    "lu_solve", "cholesky_solve", "triangular_solve", "solve_triangular", "matrix_power", "lu_factor", "ldl_factor",
}  # fmt: skip


def base_of(operator: str | None) -> str:
    """``sub`` for ``aten.sub_.Tensor`` and ``numpy.sub``; without the marks of families and variants."""
    parts = (operator or "").split(".")
    name = parts[1] if len(parts) > 1 else parts[0]
    for prefix in ("_foreach_", "_linalg_", "linalg_", "_"):
        name = name.removeprefix(prefix)
    return name.rstrip("_").removesuffix("_ex")


def bits_of(dtype: str) -> float:
    """Bits of the significand."""
    return DIGITS_OF.get(dtype, 15.95) / math.log10(2)


def lost_bits(error: float, dtype: str) -> float:
    """Bits of a relative error beyond the unit roundoff of the dtype; 0 where it is within."""
    if error <= 0:
        return 0.0
    if not error < math.inf:
        return math.inf
    return max(0.0, math.log2(error) + bits_of(dtype))


def kind_of(operator: OperatorDigits) -> str:
    """The way in which the operator loses digits; empty where it does not by itself."""
    base, dtype = base_of(operator.where.operator), operator.coarsest or operator.dtype
    if lost_bits(operator.formula, dtype) >= LARGE_ERROR_BITS:
        if base in _DIFFERENCES | _SUMS and operator.cancelled_bits >= LARGE_ERROR_BITS:
            return CANCELLATION
        if base in _SUMS | _SCATTERS or (base in _ACCUMULATING and operator.terms >= MANY):
            return ACCUMULATION
        if base in _LINEAR_ALGEBRA:
            return ILL_CONDITIONED
        return CANCELLATION if base in _DIFFERENCES else UNSTABLE
    if base not in _ACCUMULATING or operator.share < LARGE_SHARE:
        return ""
    # Each rounding is as small as it can be; what hurts is how many there are.
    in_one_call = operator.terms >= MANY and lost_bits(operator.rounding, dtype) >= LARGE_ROUNDING_BITS
    lost = lost_bits(10**-operator.digits.normwise, dtype)
    over_calls = operator.calls >= MANY and lost >= LARGE_ERROR_BITS
    return ACCUMULATION if in_one_call or over_calls else ""


def culprits_of(
    operators: Sequence[OperatorDigits], outputs: Sequence[OutputDigits] = (), most: int = 8
) -> tuple[Culprit, ...]:
    """The lines to change, worst first, one a line.

    An operator counts only where it moves an output, and where an output lost more than its dtypes cost anyhow.
    """
    caster = max(operators, key=lambda each: each.share, default=None)
    if caster is not None and caster.share >= MOST_OF_IT and base_of(caster.where.operator) in _CASTS:
        # What no formula can bring back: it is of interest only where it spoils the result.
        return (Culprit(caster, CANCELLATION, _message_of_cast(caster)),) if _is_spoiled(outputs, caster) else ()
    if caster is not None and caster.share >= MOST_OF_IT and _goes_on(caster) and _is_spoiled(outputs, caster):
        return (Culprit(caster, ACCUMULATION, message_of(caster, ACCUMULATION)),)
    found: dict[tuple[str | None, int | None], tuple[tuple[bool, float], OperatorDigits, str]] = {}
    for each in operators:
        kind = kind_of(each) if each.moves_output else ""
        if not kind or (outputs and not any(_is_harmed(output, each) for output in outputs)):
            continue
        own = max(lost_bits(each.formula, each.coarsest or each.dtype), LARGE_ERROR_BITS * each.share)
        # Of a line, what made the error before what only lays it bare.
        weight = (kind in (ILL_CONDITIONED, ACCUMULATION) and each.share >= MOST_OF_IT, own)
        place = (each.where.file, each.where.line)
        if place not in found or weight > found[place][0]:
            found[place] = (weight, each, kind)
    worst = sorted(found.values(), key=lambda each: -each[0][1])[:most]
    return tuple(Culprit(each, kind, message_of(each, kind)) for _, each, kind in worst)


def _is_spoiled(outputs: Sequence[OutputDigits], operator: OperatorDigits) -> bool:
    return any(each.digits.normwise < SPOILED_DIGITS and _is_harmed(each, operator) for each in outputs)


def _goes_on(operator: OperatorDigits) -> bool:
    """Whether it adds again and again: a sum that goes on over the program's loop."""
    return base_of(operator.where.operator) in ("add", "sub", "lerp") and operator.calls >= MANY


def _message_of_cast(operator: OperatorDigits) -> str:
    what = f"`{operator.text}`" if operator.text else f"{operator.where.operator}"
    bits = round(bits_of(operator.dtype))
    return (
        f"{what}: rounding to the {bits} bits of {operator.dtype} here causes {operator.share:.0%} of the error: what "
        f"is computed of these numbers later hangs on digits that {operator.dtype} does not hold"
    )


def message_of(operator: OperatorDigits, kind: str) -> str:
    """One sentence: what is lost where, how many digits are left, what the inputs were good to."""
    what = f"`{operator.text}`" if operator.text else f"{operator.where.operator}"
    remaining = operator.digits.normwise
    if operator.formula > 0:  # where few elements are hit, they are what counts
        remaining = max(0.0, min(remaining, -math.log10(operator.formula)))
    left = f"{_count(remaining)} left; the inputs were good to {round(operator.digits_in)}"
    if operator.limited:
        left += " (limited by the reference: the truth may be worse)"
    if operator.formula == math.inf and kind != CANCELLATION:
        return f"{what}: {base_of(operator.where.operator)} goes beyond what {operator.dtype} can hold"
    if kind == CANCELLATION:
        bits = round(bits_of(operator.dtype))
        cancelled = min(operator.cancelled_bits or lost_bits(operator.formula, operator.dtype), bits)
        return f"{what}: {round(cancelled)} of {bits} bits cancel, {left}"
    if kind == ACCUMULATION:
        many = operator.terms if operator.terms >= operator.calls else operator.calls
        return (
            f"{what}: adding up {many:,} numbers in {operator.dtype} causes "
            f"{operator.share:.0%} of the error, {_count(operator.digits.normwise)} left"
            if operator.share
            else f"{what}: adding up {many:,} numbers in {operator.dtype}, {left}"
        )
    name = base_of(operator.where.operator)
    lost = min(lost_bits(operator.formula, operator.dtype), bits_of(operator.dtype))
    if kind == ILL_CONDITIONED:
        return f"{what}: {name} is ill-conditioned here and loses {round(lost)} bits in {operator.dtype}, {left}"
    return f"{what}: {name} loses {round(lost)} of {round(bits_of(operator.dtype))} bits at these inputs, {left}"


def _is_harmed(output: OutputDigits, operator: OperatorDigits) -> bool:
    """Whether the output is worse than what can be expected of numbers as coarse as the operator's, and of the inputs
    whatever is computed of them."""
    found = output.attribution
    asked_for = base_of(operator.where.operator) in _LINEAR_ALGEBRA  # that is what an ill-conditioned system is
    if found is not None and not asked_for and abs(found.true_error) <= found.inherent * 2**CONDITION_BITS:
        return False
    held = min(DIGITS_OF.get(each, 15.95) for each in (output.dtype, operator.coarsest or operator.dtype))
    return output.digits.normwise <= held - HARM_BITS * math.log10(2)


def _count(digits: float) -> str:
    rounded = round(digits)
    return "1 digit" if rounded == 1 else f"{rounded} digits"
