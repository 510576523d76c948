"""ATen's activations in double-double, and their slopes."""

from __future__ import annotations

import torch

from wellposed.shadow.double_double import error_function, exponentials, trigonometry
from wellposed.shadow.double_double.arithmetic import Pair, ieee_nonfinite, less, square, square_root, where
from wellposed.shadow.double_double.registry import Operand, broadcast, elementwise, like, pairs


@elementwise("softplus")
def softplus(x: Pair, beta: float = 1, threshold: float = 20) -> Pair:
    """As PyTorch defines it: x itself where beta·x is above the threshold."""
    scaled = x * beta
    shrunk = exponentials.log1p(exponentials.exp(-abs(scaled)))
    smooth = (where(scaled.high > 0, scaled, like(x, 0.0)) + shrunk) / beta
    return where(scaled.high > threshold, x, ieee_nonfinite(smooth, x.high.clamp(min=0)))


@elementwise("log_sigmoid_forward")
def log_of_sigmoid(x: Pair) -> tuple[Pair, Pair]:
    """The result, and what PyTorch keeps on a CPU: e^−|x|."""
    kept = exponentials.exp(-abs(x))
    result = where(x.high < 0, x, like(x, 0.0)) - exponentials.log1p(kept)
    return ieee_nonfinite(result, x.high.clamp(max=0)), kept


@elementwise("gelu")
def gelu(x: Pair, *, approximate: str = "none") -> Pair:
    if approximate == "none":
        result = x * error_function.normal_distribution(x)
    else:
        inner = (square(x) * x * 0.044715 + x) * square_root(2.0 / _pi(x))
        result = x * exponentials.sigmoid(inner.scaled(2))
    return ieee_nonfinite(result, torch.nn.functional.gelu(x.high, approximate=approximate))


@elementwise("gelu_backward")
def slope_of_gelu(gradient: Operand, x: Operand, *, approximate: str = "none") -> Pair:
    """Φ + x·φ, or the derivative of the form with tanh."""
    gradient, x = pairs(gradient, x)
    if approximate == "none":
        density = exponentials.exp(square(x).scaled(-0.5)) / square_root(_pi(x) * 2)
        return gradient * (error_function.normal_distribution(x) + x * density)
    factor = square_root(2.0 / _pi(x)) * 2
    share = exponentials.sigmoid((square(x) * x * 0.044715 + x) * factor)
    inner = (square(x) * 0.044715 * 3 + 1.0) * factor
    return gradient * (share + x * share * (1.0 - share) * inner)


def _pi(x: Pair) -> Pair:
    return trigonometry.atan2(like(x, 0.0), like(x, -1.0))


@elementwise("silu")
def silu(x: Pair) -> Pair:
    return ieee_nonfinite(x * exponentials.sigmoid(x), torch.nn.functional.silu(x.high))


@elementwise("relu")
def rectified(x: Pair) -> Pair:
    return where(x.high < 0, like(x, 0.0), x)


@elementwise("threshold_backward")
def slope_of_threshold(gradient: Pair, x: Operand, threshold: float) -> Pair:
    x = pairs(x)[0]
    return where(less(pairs(threshold, x)[0], x), *broadcast(gradient, like(gradient, 0.0)))


@elementwise("tanh_backward")
def slope_of_tanh(gradient: Operand, y: Operand) -> Pair:
    gradient, y = pairs(gradient, y)
    return gradient * ((1.0 - y) * (y + 1.0))


@elementwise("sigmoid_backward")
def slope_of_sigmoid(gradient: Operand, y: Operand) -> Pair:
    gradient, y = pairs(gradient, y)
    return gradient * (y * (1.0 - y))
