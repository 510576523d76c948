"""Float64 for the second run, in which every operator must have a derivative: where PyTorch lacks one, its formula."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from wellposed.shadow.counterparts import attention_gradients
from wellposed.shadow.float64 import Float64

_aten = torch.ops.aten

_STATISTICS = {"mean", "rstd", "save_mean", "save_invstd", "running_mean", "running_var", "total_weight"}
"""Arguments of backward operators that are functions of another argument, by which PyTorch differentiates instead."""
_KEYWORD_VALUE = {"addcmul", "addcdiv"}


class Differentiable(Float64):
    """The same numbers as `Float64`, by operators that autograd can follow."""

    def apply(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        formula = _FORMULAS.get(operator)
        if formula is not None:
            return formula(*args, **kwargs)
        schema = getattr(operator, "_schema", None)
        if schema is None:
            return super().apply(operator, args, kwargs)
        if schema.name.startswith("aten::_foreach_"):
            return _one_by_one(operator, schema.name.removeprefix("aten::_foreach_"), args, kwargs)
        if "_backward" in schema.name:
            args = tuple(
                each.detach() if isinstance(each, torch.Tensor) and about.name in _STATISTICS else each
                for each, about in zip(args, schema.arguments, strict=False)
            )
        return super().apply(operator, args, kwargs)


def _one_by_one(operator: Any, base: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[torch.Tensor]:
    """An operator on lists as one on each tensor; derivatives of some of them go wrong in PyTorch itself."""
    count = len(args[0])
    if base == "zero":
        return [torch.zeros_like(each) for each in args[0]]
    if base == "copy":
        return [source.expand(written.shape).clone() for written, source in zip(args[0], args[1], strict=True)]
    if base == "norm":
        return [torch.linalg.vector_norm(each, *args[1:2]) for each in args[0]]
    single = getattr(_aten, base)
    found = []
    for index in range(count):
        own = [each[index] if isinstance(each, (list, tuple)) else each for each in args]
        if base in _KEYWORD_VALUE and len(own) == 4:
            value = own.pop()
            if isinstance(value, torch.Tensor):
                value = float(value if value.dim() == 0 else value[index])
            found.append(single(*own, value=value))
        else:
            found.append(single(*own, **kwargs))
    return found


def _adam(decoupled: bool) -> Callable[..., tuple[list[torch.Tensor], ...]]:
    """Adam as in Kingma and Ba (2015), AdamW as in Loshchilov and Hutter (2019), in the order of PyTorch's kernels."""

    def step(
        parameters: list[torch.Tensor],
        gradients: list[torch.Tensor],
        means: list[torch.Tensor],
        squares: list[torch.Tensor],
        largest: list[torch.Tensor],
        steps: list[torch.Tensor],
        *,
        lr: Any,
        beta1: float,
        beta2: float,
        weight_decay: float,
        eps: float,
        amsgrad: bool,
        maximize: bool,
        grad_scale: torch.Tensor | None = None,
        found_inf: torch.Tensor | None = None,
    ) -> tuple[list[torch.Tensor], ...]:
        rate = float(lr)
        if found_inf is not None and bool(found_inf):
            return parameters, gradients, means, squares, largest
        new: tuple[list[torch.Tensor], ...] = ([], [], [], [], [])
        for index, parameter in enumerate(parameters):
            gradient = gradients[index] if grad_scale is None else gradients[index] / grad_scale.detach()
            slope = -gradient if maximize else gradient
            if weight_decay:
                if decoupled:
                    parameter = parameter * (1 - rate * weight_decay)
                else:
                    slope = slope + weight_decay * parameter
            count = float(steps[index].detach())
            mean = beta1 * means[index] + (1 - beta1) * slope
            square = beta2 * squares[index] + (1 - beta2) * slope * slope
            top = torch.maximum(largest[index], square) if amsgrad else square
            deviation = top.clamp(min=1e-300).sqrt() / (1 - beta2**count) ** 0.5 + eps
            parameter = parameter - rate / (1 - beta1**count) * mean / deviation
            for place, value in zip(new, (parameter, gradient, mean, square, top), strict=True):
                place.append(value)
        return (*new[:4], new[4] if amsgrad else [])

    return step


def _flash_attention_for_cpu_backward(
    gradient: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    out: torch.Tensor,
    logsumexp: torch.Tensor,
    dropout: float,
    is_causal: bool,
    *,
    attn_mask: torch.Tensor | None = None,
    scale: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return attention_gradients(gradient, query, key, value, attn_mask, is_causal, scale)


def _silu_backward(gradient: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    sigmoid = torch.sigmoid(x)
    return gradient * sigmoid * (1 + x * (1 - sigmoid))


def _group_norm_backward(
    gradient: torch.Tensor,
    x: torch.Tensor,
    mean: torch.Tensor,
    rstd: torch.Tensor,
    weight: torch.Tensor | None,
    batch: int,
    channels: int,
    pixels: int,
    groups: int,
    wanted: list[bool],
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The gradients of Wu and He (2018); the statistics are taken from the input again, so that they are followed."""
    rows = x.reshape(batch, groups, -1)
    # What was added to the variance is what is missing in it.
    epsilon = (1 / rstd.detach().square()).reshape(batch, groups, 1) - rows.detach().var(-1, correction=0, keepdim=True)
    deviation = (rows.var(-1, correction=0, keepdim=True) + epsilon).sqrt()
    normal = (rows - rows.mean(-1, keepdim=True)) / deviation
    by_channel = gradient.reshape(batch, channels, -1)
    scaled = by_channel if weight is None else by_channel * weight.reshape(1, channels, 1)
    scaled = scaled.reshape(batch, groups, -1)
    inner = scaled - scaled.mean(-1, keepdim=True) - normal * (scaled * normal).mean(-1, keepdim=True)
    products = (by_channel * normal.reshape(batch, channels, -1)).sum((0, 2))
    return (inner / deviation).reshape(x.shape), products, by_channel.sum((0, 2))


_FORMULAS: dict[Any, Callable[..., Any]] = {
    _aten._fused_adam.default: _adam(decoupled=False),
    _aten._fused_adamw.default: _adam(decoupled=True),
    _aten._scaled_dot_product_flash_attention_for_cpu_backward.default: _flash_attention_for_cpu_backward,
    _aten.silu_backward.default: _silu_backward,
    _aten.native_group_norm_backward.default: _group_norm_backward,
}
