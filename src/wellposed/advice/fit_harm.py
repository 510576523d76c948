"""Which lost values do harm: an infinity in a softmax's mask is what the mask is for, one in a sum is the end."""

from __future__ import annotations

import math
from collections import deque

from wellposed.advice.fit_model import Harm
from wellposed.advice.formats import Fate, Target
from wellposed.record import Operand, Operation, Record, Spread
from wellposed.rules.numerics.limits import rounded

_BEAR_MINUS_INFINITY = frozenset({
    "_softmax", "_log_softmax", "_safe_softmax", "exp", "sigmoid", "tanh", "relu", "clamp", "clamp_min", "hardtanh",
    "_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_attention_math", "amax", "max", "logsumexp",
    "nll_loss_forward", "nll_loss2d_forward", "isinf", "isnan", "isneginf", "eq", "ne", "lt", "le", "gt", "ge",
    "argmax", "topk",
})  # fmt: skip
"""Operators that make finite numbers of −∞, provided that each softmax row holds something finite; `nll_loss` reads
only the logarithms of the targets' probabilities."""
_BEAR_INFINITY = frozenset({
    "sigmoid", "tanh", "clamp", "clamp_max", "hardtanh", "erf", "isinf", "eq", "ne", "lt", "le", "gt", "ge", "argmax",
})  # fmt: skip
_PASS_ON = frozenset({"add", "sub", "masked_fill", "where", "_to_copy", "clone", "cat", "copy", "contiguous"})
"""Operators through which an infinity travels as itself."""
_ADDING = frozenset({"add", "sub", "rsub", "cat", "sum", "mean"})
"""Operators in which a small operand is one among larger ones."""
_DIVISORS = {"div": "other", "reciprocal": "self", "rsqrt": "self", "log": "self", "log2": "self", "log10": "self"}
"""Operators that make an infinity of a zero, and the name of the operand that must not be zero."""
_FURTHEST = 200
_MOST_LOST = 0.5
"""Of a forward result whose elements mostly become zero nothing is left; below that, the large ones carry it."""

Spreads = dict[tuple[int, int], Spread]


def harm_of(
    record: Record, operation: Operation, fates: list[tuple[Operand, Fate]], target: Target
) -> tuple[Harm | None, str]:
    """What a conversion would break at this operation, and why; `fates` are those of its results."""
    over = [(operand, fate) for operand, fate in fates if fate.overflow]
    if operation.phase == "forward":
        raised = _scalar_beyond(operation, target)
        if raised is not None:
            return "raises", f"the scalar {raised:g} is beyond {target.name}'s {target.limits.largest:g}"
        beyond = _operand_beyond(operation, target)
        if beyond is not None:
            largest = beyond.statistics.largest_magnitude if beyond.statistics else math.nan
            return "overflow", f"its operand reaches {largest:.3g}, beyond {target.name}'s {target.limits.largest:g}"
        if over and not _borne_by_all(record, operation, over[0][0], target):
            return "overflow", _overflow(over[0][1], target, "result")
        divisor = _vanishing_divisor(operation, target)
        if divisor is not None:
            return "zero-divisor", (
                f"its operand falls to {divisor:.3g}, which {target.name} rounds to 0 "
                f"(half of its smallest number is {target.vanish:.3g})"
            )
        for operand, fate in fates:
            # What is left of a sum may be the rounding of its terms; a zero is as good.
            if operation.base in _ADDING or math.prod(operand.shape) == 1:
                continue
            if all(each.base in _ADDING for each in record.consumers(operation.id) if not each.is_view):
                continue
            alive = operand.statistics is not None and operand.statistics.zero < operand.statistics.count
            if alive and fate.vanish > _MOST_LOST * _nonzero(operand) and fate.largest < target.limits.smallest_normal:
                return "lost", f"most of its result is below {target.name}'s smallest number and becomes 0"
    elif operation.phase == "backward" and over:
        return "overflow", _overflow(over[0][1], target, "gradient")
    return None, _overflow(over[0][1], target, "result") + ", which what follows bears" if over else ""


def _overflow(fate: Fate, target: Target, what: str) -> str:
    becomes = "infinite" if target.has_infinity else f"clipped to {target.limits.largest:g}"
    return f"its {what} reaches {fate.largest:.3g}, beyond {target.name}'s {target.limits.largest:g}, and is {becomes}"


def _nonzero(operand: Operand) -> float:
    held = operand.statistics
    return 1.0 if held is None or not held.count else (held.count - held.zero) / held.count


def _scalar_beyond(operation: Operation, target: Target) -> float | None:
    """A fill value that PyTorch refuses to convert; −1e9 as a mask in float16."""
    value = operation.arguments.get("value")
    if operation.base != "masked_fill" or not isinstance(value, (int, float)) or not target.has_infinity:
        return None
    return float(value) if math.isfinite(value) and abs(value) > target.limits.largest else None


def _signs(operand: Operand, target: Target) -> frozenset[str]:
    """To which infinities the operand's values overflow."""
    held = operand.statistics
    if held is None:
        return frozenset()
    found = {"+"} if held.maximum >= target.overflow else set()
    return frozenset(found | {"-"} if held.minimum <= -target.overflow else found)


def _bears(operation: Operation, signs: frozenset[str]) -> bool:
    # A clipped value travels on as a number; what bears an infinity bears that too.
    wanted = [{"+": _BEAR_INFINITY, "-": _BEAR_MINUS_INFINITY}[sign] for sign in signs]
    return all(operation.base in bearing for bearing in wanted)


def _operand_beyond(operation: Operation, target: Target) -> Operand | None:
    """A floating-point operand that does not fit, where this operator cannot bear what becomes of it."""
    if operation.is_view or operation.base in _PASS_ON:
        return None
    for operand in operation.inputs:
        signs = _signs(operand, target)
        if signs and operand.dtype.startswith(("float", "bfloat")) and not _bears(operation, signs):
            return operand
    return None


def _borne_by_all(record: Record, operation: Operation, operand: Operand, target: Target) -> bool:
    """Whether all that reads an overflowing result, near or far, makes finite numbers of it."""
    signs = _signs(operand, target)
    seen, waiting, bearing = {operation.id}, deque([operation]), 0
    while waiting and len(seen) < _FURTHEST:
        for consumer in record.consumers(waiting.popleft().id):
            if consumer.id in seen or consumer.phase != "forward":
                continue
            seen.add(consumer.id)
            if consumer.is_view or consumer.base in _PASS_ON:
                waiting.append(consumer)
            elif _bears(consumer, signs):
                bearing += 1
            else:
                return False
    return bearing > 0


def _vanishing_divisor(operation: Operation, target: Target) -> float | None:
    """The smallest value that must not become zero and does."""
    name = _DIVISORS.get(operation.base)
    exponent = operation.arguments.get("exponent")
    if operation.base == "pow" and isinstance(exponent, (int, float)) and exponent < 0:
        name = "self"
    if name is None:
        return None
    operand = operation.input(name)
    if operand is None:
        other = operation.arguments.get("other")
        scalar = float(other) if name == "other" and isinstance(other, (int, float)) else 0.0
        return scalar if scalar and rounded(scalar, target.name) == 0 else None
    held = operand.statistics
    if held is None or held.zero or operand.dtype in ("int64", "int32", "bool"):
        return None
    return held.smallest_nonzero if held.smallest_nonzero <= target.vanish else None
