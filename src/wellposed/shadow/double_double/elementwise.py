"""ATen's elementwise operators in double-double."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from wellposed.shadow.double_double import error_function, exponentials, reductions, trigonometry
from wellposed.shadow.double_double.arithmetic import (
    Pair,
    add,
    ieee_nonfinite,
    square,
    square_root,
    where,
)
from wellposed.shadow.double_double.comparisons import floor, rounded, truncated
from wellposed.shadow.double_double.registry import FORMS, Operand, broadcast, elementwise, like, operands, pairs

FORMS.update(
    {
        "neg": lambda x: -x,
        "negative": lambda x: -x,
        "positive": lambda x: x,
        "abs": abs,
        "sqrt": square_root,
        "square": square,
        "exp": exponentials.exp,
        "exp2": exponentials.exp2,
        "expm1": exponentials.expm1,
        "log": exponentials.log,
        "log2": exponentials.log2,
        "log10": exponentials.log10,
        "log1p": exponentials.log1p,
        "sinh": exponentials.sinh,
        "cosh": exponentials.cosh,
        "tanh": exponentials.tanh,
        "sigmoid": exponentials.sigmoid,
        "special_expit": exponentials.sigmoid,
        "sin": trigonometry.sin,
        "cos": trigonometry.cos,
        "tan": trigonometry.tan,
        "asin": trigonometry.asin,
        "acos": trigonometry.acos,
        "atan": trigonometry.atan,
        "erf": error_function.erf,
        "erfc": error_function.erfc,
        "special_ndtr": error_function.normal_distribution,
    }
)


@elementwise("add")
def added(x: Any, y: Any, *, alpha: Any = 1) -> Pair:
    x, y = operands(x, y)
    if alpha != 1:
        y = y * alpha
    result: Pair = x + y
    return result


@elementwise("sub", "subtract")
def subtracted(x: Operand, y: Operand, *, alpha: Any = 1) -> Pair:
    return added(x, -y, alpha=alpha) if not isinstance(y, Tensor) else added(x, -pairs(y)[0], alpha=alpha)


@elementwise("rsub")
def subtracted_from(x: Operand, y: Operand, alpha: Any = 1) -> Pair:
    return subtracted(y, x, alpha=alpha)


@elementwise("mul", "multiply")
def multiplied(x: Any, y: Any) -> Pair:
    x, y = operands(x, y)
    result: Pair = x * y
    return result


@elementwise("div", "divide", "true_divide")
def divided(x: Operand, y: Operand, *, rounding_mode: str | None = None) -> Pair:
    x, y = pairs(x, y)
    quotient = x / y
    if rounding_mode is None:
        return quotient
    # A quotient within double-double's error of an integer is that integer where the product says so.
    nearest = rounded(quotient)
    exact = (nearest * y - x).high == 0
    return where(exact, nearest, (floor if rounding_mode == "floor" else truncated)(quotient))


@elementwise("floor_divide")
def floor_divided(x: Operand, y: Operand) -> Pair:
    return divided(x, y, rounding_mode="floor")


@elementwise("remainder")
def remainder(x: Operand, y: Operand) -> Pair:
    x, y = pairs(x, y)
    return ieee_nonfinite(x - floor_divided(x, y) * y, torch.remainder(x.high, y.high))


@elementwise("fmod")
def floating_modulus(x: Operand, y: Operand) -> Pair:
    x, y = pairs(x, y)
    return ieee_nonfinite(x - divided(x, y, rounding_mode="trunc") * y, torch.fmod(x.high, y.high))


@elementwise("reciprocal")
def reciprocal(x: Pair) -> Pair:
    return 1.0 / x


@elementwise("rsqrt")
def inverse_root(x: Pair) -> Pair:
    return 1.0 / square_root(x)


@elementwise("pow", "float_power")
def power(x: Operand, y: Operand) -> Pair:
    if isinstance(x, Pair) and isinstance(y, int | float):
        return exponentials.scalar_power(x, y)
    x, y = pairs(x, y)
    return exponentials.power(*broadcast(x, y))


@elementwise("atan2", "arctan2")
def angle(y: Operand, x: Operand) -> Pair:
    return trigonometry.atan2(*pairs(y, x))


@elementwise("asinh")
def inverse_hyperbolic_sine(x: Pair) -> Pair:
    """log1p(|x| + x² / (1 + √(x² + 1))), and log 2|x| for large ones."""
    size = abs(x)
    large = size.high > 2.0**60
    usable = where(large, like(x, 1.0), size)
    squared = square(usable)
    near = exponentials.log1p(usable + squared / (square_root(squared + 1.0) + 1.0))
    result = where(large, exponentials.log(size) + exponentials.log(like(x, 2.0)), near)
    signed = where(torch.signbit(x.high), -result, result)
    return Pair(torch.where(x.high == 0, x.high, signed.high), signed.low)


@elementwise("acosh")
def inverse_hyperbolic_cosine(x: Pair) -> Pair:
    """log1p(t + √(t(t + 2))), t = x − 1, and log 2x for large ones."""
    large = x.high > 2.0**60
    t = where(large, like(x, 1.0), x) - 1.0
    near = exponentials.log1p(t + square_root(t * (t + 2.0)))
    return where(large, exponentials.log(x) + exponentials.log(like(x, 2.0)), near)


@elementwise("atanh")
def inverse_hyperbolic_tangent(x: Pair) -> Pair:
    size = abs(x)
    result = ieee_nonfinite(exponentials.log1p(size.scaled(2) / (1.0 - size)).scaled(0.5), torch.atanh(size.high))
    return where(torch.signbit(x.high), -result, result)


@elementwise("logaddexp")
def log_of_sum(x: Operand, y: Operand) -> Pair:
    x, y = broadcast(*pairs(x, y))
    top = reductions.maximum(x, y)
    result = top + exponentials.log1p(exponentials.exp(reductions.minimum(x, y) - top))
    return ieee_nonfinite(result, torch.where(torch.isfinite(top.high), 0.0, top.high))


@elementwise("clamp", "clip")
def clamped(
    x: Pair,
    lower: Operand | None = None,
    upper: Operand | None = None,
    *,
    min: Operand | None = None,
    max: Operand | None = None,
) -> Pair:
    lower, upper = (min if lower is None else lower), (max if upper is None else upper)
    if lower is not None:
        x = maximum(x, lower)
    return x if upper is None else minimum(x, upper)


@elementwise("clamp_min")
def clamped_from_below(x: Pair, lower: Operand) -> Pair:
    return maximum(x, lower)


@elementwise("clamp_max")
def clamped_from_above(x: Pair, upper: Any) -> Pair:
    return minimum(x, upper)


@elementwise("maximum", "fmax")
def maximum(x: Operand, y: Operand) -> Pair:
    return reductions.maximum(*broadcast(*pairs(x, y)))


@elementwise("minimum", "fmin")
def minimum(x: Operand, y: Operand) -> Pair:
    return reductions.minimum(*broadcast(*pairs(x, y)))


@elementwise("where")
def chosen(condition: Tensor, x: Operand, y: Operand) -> Pair:
    x, y = pairs(x, y)
    return where(condition, x, y)


@elementwise("lerp")
def interpolated(x: Operand, y: Operand, weight: Operand) -> Pair:
    x, y, weight = pairs(x, y, weight)
    return add(x, weight * (y - x))


@elementwise("addcmul")
def added_product(x: Operand, y: Operand, z: Operand, *, value: Any = 1) -> Pair:
    x, y, z = pairs(x, y, z)
    return x + y * z * value if value != 1 else x + y * z


@elementwise("addcdiv")
def added_quotient(x: Operand, y: Operand, z: Operand, *, value: Any = 1) -> Pair:
    x, y, z = pairs(x, y, z)
    return x + (y * value if value != 1 else y) / z


@elementwise("hypot")
def hypotenuse(x: Operand, y: Operand) -> Pair:
    x, y = broadcast(*pairs(x, y))
    both = Pair(torch.stack((x.high, y.high)), torch.stack((x.low, y.low)))
    return reductions.norm(both, 2, 0)
