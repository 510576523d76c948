"""ATen's elementwise operators in double-double."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from wellposed.shadow.double_double import error_function, exponentials, reductions, trigonometry
from wellposed.shadow.double_double.arithmetic import (
    Pair,
    add,
    add_float,
    equal,
    ieee_nonfinite,
    less,
    settle,
    square,
    square_root,
    where,
)
from wellposed.shadow.double_double.registry import FORMS, form, like, operands, pairs

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


@form("add")
def added(x: Any, y: Any, *, alpha: Any = 1) -> Pair:
    x, y = operands(x, y)
    if alpha != 1:
        y = y * alpha
    return x + y if isinstance(x, Pair) else y + x


@form("sub", "subtract")
def subtracted(x: Any, y: Any, *, alpha: Any = 1) -> Pair:
    return added(x, -y, alpha=alpha) if not isinstance(y, Tensor) else added(x, -pairs(y)[0], alpha=alpha)


@form("rsub")
def subtracted_from(x: Any, y: Any, alpha: Any = 1) -> Pair:
    return subtracted(y, x, alpha=alpha)


@form("mul", "multiply")
def multiplied(x: Any, y: Any) -> Pair:
    x, y = operands(x, y)
    return x * y if isinstance(x, Pair) else y * x


@form("div", "divide", "true_divide")
def divided(x: Any, y: Any, *, rounding_mode: str | None = None) -> Pair:
    x, y = pairs(x, y)
    quotient = x / y
    if rounding_mode is None:
        return quotient
    # A quotient within double-double's error of an integer is that integer where the product says so.
    nearest = rounded(quotient)
    exact = (nearest * y - x).high == 0
    return where(exact, nearest, (floor if rounding_mode == "floor" else truncated)(quotient))


@form("floor_divide")
def floor_divided(x: Any, y: Any) -> Pair:
    return divided(x, y, rounding_mode="floor")


@form("remainder")
def remainder(x: Any, y: Any) -> Pair:
    x, y = pairs(x, y)
    return ieee_nonfinite(x - floor_divided(x, y) * y, torch.remainder(x.high, y.high))


@form("fmod")
def floating_modulus(x: Any, y: Any) -> Pair:
    x, y = pairs(x, y)
    return ieee_nonfinite(x - divided(x, y, rounding_mode="trunc") * y, torch.fmod(x.high, y.high))


@form("reciprocal")
def reciprocal(x: Pair) -> Pair:
    return 1.0 / x


@form("rsqrt")
def inverse_root(x: Pair) -> Pair:
    return 1.0 / square_root(x)


@form("pow", "float_power")
def power(x: Any, y: Any) -> Pair:
    if isinstance(x, Pair) and isinstance(y, int | float):
        return exponentials.scalar_power(x, y)
    x, y = pairs(x, y)
    return exponentials.power(*_broadcast(x, y))


def _broadcast(*values: Pair) -> list[Pair]:
    highs = torch.broadcast_tensors(*[each.high for each in values])
    lows = torch.broadcast_tensors(*[each.low for each in values])
    return [Pair(high, low) for high, low in zip(highs, lows, strict=True)]


@form("atan2", "arctan2")
def angle(y: Any, x: Any) -> Pair:
    return trigonometry.atan2(*pairs(y, x))


@form("asinh")
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


@form("acosh")
def inverse_hyperbolic_cosine(x: Pair) -> Pair:
    """log1p(t + √(t(t + 2))), t = x − 1, and log 2x for large ones."""
    large = x.high > 2.0**60
    t = where(large, like(x, 1.0), x) - 1.0
    near = exponentials.log1p(t + square_root(t * (t + 2.0)))
    return where(large, exponentials.log(x) + exponentials.log(like(x, 2.0)), near)


@form("atanh")
def inverse_hyperbolic_tangent(x: Pair) -> Pair:
    size = abs(x)
    result = ieee_nonfinite(exponentials.log1p(size.scaled(2) / (1.0 - size)).scaled(0.5), torch.atanh(size.high))
    return where(torch.signbit(x.high), -result, result)


@form("logaddexp")
def log_of_sum(x: Any, y: Any) -> Pair:
    x, y = _broadcast(*pairs(x, y))
    top = reductions.maximum(x, y)
    result = top + exponentials.log1p(exponentials.exp(reductions.minimum(x, y) - top))
    return ieee_nonfinite(result, torch.where(torch.isfinite(top.high), 0.0, top.high))


@form("softplus")
def softplus(x: Pair, beta: float = 1, threshold: float = 20) -> Pair:
    """As PyTorch defines it: x itself where beta·x is above the threshold."""
    scaled = x * beta
    shrunk = exponentials.log1p(exponentials.exp(-abs(scaled)))
    smooth = (where(scaled.high > 0, scaled, like(x, 0.0)) + shrunk) / beta
    return where(scaled.high > threshold, x, ieee_nonfinite(smooth, x.high.clamp(min=0)))


@form("log_sigmoid_forward")
def log_of_sigmoid(x: Pair) -> tuple[Pair, Pair]:
    result = where(x.high < 0, x, like(x, 0.0)) - exponentials.log1p(exponentials.exp(-abs(x)))
    return ieee_nonfinite(result, x.high.clamp(max=0)), like(x, 0.0)


@form("gelu")
def gelu(x: Pair, *, approximate: str = "none") -> Pair:
    if approximate == "none":
        result = x * error_function.normal_distribution(x)
    else:
        inner = (square(x) * x * 0.044715 + x) * square_root(2.0 / _pi(x))
        result = x * exponentials.sigmoid(inner.scaled(2))
    return ieee_nonfinite(result, torch.nn.functional.gelu(x.high, approximate=approximate))


def _pi(x: Pair) -> Pair:
    return trigonometry.atan2(like(x, 0.0), like(x, -1.0))


@form("silu")
def silu(x: Pair) -> Pair:
    return ieee_nonfinite(x * exponentials.sigmoid(x), torch.nn.functional.silu(x.high))


@form("relu")
def rectified(x: Pair) -> Pair:
    return where(x.high <= 0, like(x, 0.0), x)


@form("threshold_backward")
def slope_of_threshold(gradient: Pair, x: Any, threshold: float) -> Pair:
    x = pairs(x)[0]
    return where(less(pairs(threshold, x)[0], x), *_broadcast(gradient, like(gradient, 0.0)))


@form("clamp", "clip")
def clamped(x: Pair, lower: Any = None, upper: Any = None, *, min: Any = None, max: Any = None) -> Pair:
    lower, upper = (min if lower is None else lower), (max if upper is None else upper)
    if lower is not None:
        x = maximum(x, lower)
    return x if upper is None else minimum(x, upper)


@form("clamp_min")
def clamped_from_below(x: Pair, lower: Any) -> Pair:
    return maximum(x, lower)


@form("clamp_max")
def clamped_from_above(x: Pair, upper: Any) -> Pair:
    return minimum(x, upper)


@form("maximum", "fmax")
def maximum(x: Any, y: Any) -> Pair:
    return reductions.maximum(*_broadcast(*pairs(x, y)))


@form("minimum", "fmin")
def minimum(x: Any, y: Any) -> Pair:
    return reductions.minimum(*_broadcast(*pairs(x, y)))


@form("where")
def chosen(condition: Tensor, x: Any, y: Any) -> Pair:
    x, y = pairs(x, y)
    return where(condition, x, y)


@form("lerp")
def interpolated(x: Any, y: Any, weight: Any) -> Pair:
    x, y, weight = pairs(x, y, weight)
    return add(x, weight * (y - x))


@form("addcmul")
def added_product(x: Any, y: Any, z: Any, *, value: Any = 1) -> Pair:
    x, y, z = pairs(x, y, z)
    return x + y * z * value if value != 1 else x + y * z


@form("addcdiv")
def added_quotient(x: Any, y: Any, z: Any, *, value: Any = 1) -> Pair:
    x, y, z = pairs(x, y, z)
    return x + (y * value if value != 1 else y) / z


@form("hypot")
def hypotenuse(x: Any, y: Any) -> Pair:
    x, y = _broadcast(*pairs(x, y))
    both = Pair(torch.stack((x.high, y.high)), torch.stack((x.low, y.low)))
    return reductions.norm(both, 2, 0)


@form("sign", "sgn")
def sign(x: Pair) -> Pair:
    return Pair(torch.sign(x.high), torch.zeros_like(x.low))


@form("floor")
def floor(x: Pair) -> Pair:
    high = torch.floor(x.high)
    return settle(high, torch.where(high == x.high, torch.floor(x.low), 0.0))


@form("ceil")
def ceiling(x: Pair) -> Pair:
    return -floor(-x)


@form("trunc", "fix")
def truncated(x: Pair) -> Pair:
    return where(torch.signbit(x.high), ceiling(x), floor(x))


@form("frac")
def fraction(x: Pair) -> Pair:
    return x - truncated(x)


@form("round")
def rounded(x: Pair, *, decimals: int = 0) -> Pair:
    if decimals:
        tens = 10 ** abs(decimals)
        return rounded(x * tens) / tens if decimals > 0 else rounded(x / tens) * tens
    high = torch.round(x.high)
    # Where high is an integer the low part rounds; where high is a half, the low part decides the side.
    of_low = torch.where(high == x.high, torch.round(x.low), 0.0)
    tie = (x.high - torch.floor(x.high) == 0.5) & (x.low != 0)
    high = torch.where(tie, torch.floor(x.high) + (x.low > 0), high)
    return settle(high, of_low)


@form("gt", "greater")
def greater(x: Any, y: Any) -> Tensor:
    x, y = pairs(x, y)
    return less(y, x)


@form("lt", "less")
def smaller(x: Any, y: Any) -> Tensor:
    return less(*pairs(x, y))


@form("ge", "greater_equal")
def greater_or_equal(x: Any, y: Any) -> Tensor:
    x, y = pairs(x, y)
    return less(y, x) | equal(x, y)


@form("le", "less_equal")
def less_or_equal(x: Any, y: Any) -> Tensor:
    x, y = pairs(x, y)
    return less(x, y) | equal(x, y)


@form("eq")
def same(x: Any, y: Any) -> Tensor:
    return equal(*pairs(x, y))


@form("ne", "not_equal")
def different(x: Any, y: Any) -> Tensor:
    return ~equal(*pairs(x, y))


@form("nan_to_num")
def without_nan(x: Pair, nan: float | None = None, posinf: float | None = None, neginf: float | None = None) -> Pair:
    return Pair(torch.nan_to_num(x.high, nan or 0.0, posinf, neginf), x.low)


@form("tanh_backward")
def slope_of_tanh(gradient: Any, y: Any) -> Pair:
    gradient, y = pairs(gradient, y)
    return gradient * ((1.0 - y) * add_float(y, 1.0))


@form("sigmoid_backward")
def slope_of_sigmoid(gradient: Any, y: Any) -> Pair:
    gradient, y = pairs(gradient, y)
    return gradient * (y * (1.0 - y))
