"""The table from ATen's names to their double-double forms, and what those forms do with arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from wellposed.shadow.double_double.arithmetic import Pair, exactly
from wellposed.shadow.double_double.blocks import blocked

Form = TypeVar("Form", bound=Callable[..., Any])

Operand = Pair | Tensor | float
"""An argument of an elementwise operator: a shadow, a tensor of integers, a number."""

FORMS: dict[str, Callable[..., Any]] = {}
"""By the operator's name without overload. Takes the operator's arguments as its schema lists them."""


def form(*names: str) -> Callable[[Form], Form]:
    """Registers a function as the double-double form of operators."""

    def register(function: Form) -> Form:
        for name in names:
            FORMS[name] = function
        return function

    return register


def elementwise(*names: str) -> Callable[[Form], Form]:
    """`form` for a function that is elementwise in its positional arguments: in blocks where they are large."""

    def register(function: Form) -> Form:
        return form(*names)(blocked(function))

    return register


def pairs(*values: Any) -> list[Pair]:
    """Shadows, tensors and numbers as pairs, on the device of the first shadow or tensor."""
    like = next((each.high for each in values if isinstance(each, Pair)), None)
    if like is None:
        like = next((each for each in values if isinstance(each, Tensor)), None)
    return [exactly(each, torch.zeros(()) if like is None else like) for each in values]


def operands(*values: Any) -> list[Any]:
    """As `pairs`, but a Python number of at most 53 bits stays one, for it costs less."""
    return [each if isinstance(each, float) or _short(each) else pairs(each, *values)[0] for each in values]


def _short(value: Any) -> bool:
    return isinstance(value, int) and abs(value) <= 2**53


def like(x: Pair, value: float) -> Pair:
    """A pair of x's shape that holds one float64 everywhere."""
    return Pair(torch.full_like(x.high, value), torch.zeros_like(x.high))


_torch_broadcast: Callable[..., Any] = torch.broadcast_tensors


def broadcast(*values: Pair) -> list[Pair]:
    highs = _torch_broadcast(*[each.high for each in values])
    lows = _torch_broadcast(*[each.low for each in values])
    return [Pair(high, low) for high, low in zip(highs, lows, strict=True)]
