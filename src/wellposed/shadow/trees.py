"""Tensors among an operator's arguments, which may lie in lists; quicker than a general walk of trees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def tensors_in(value: Any) -> list[torch.Tensor]:
    """The tensors of a result or of arguments, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    found: list[torch.Tensor] = []
    if isinstance(value, (tuple, list)):
        for each in value:
            if isinstance(each, torch.Tensor):
                found.append(each)
            elif isinstance(each, (tuple, list)):
                found.extend(tensors_in(each))
    return found


def mapped(value: Any, change: Callable[[torch.Tensor], Any]) -> Any:
    """`value` with each tensor replaced by what `change` makes of it; lists and tuples are copied."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, list):
        return [mapped(each, change) for each in value]
    if isinstance(value, tuple):
        return tuple(mapped(each, change) for each in value)
    return value


def mapped_keywords(kwargs: dict[str, Any], change: Callable[[torch.Tensor], Any]) -> dict[str, Any]:
    return {name: mapped(each, change) for name, each in kwargs.items()} if kwargs else kwargs


def flat(value: Any) -> list[Any]:
    """The leaves of nested lists and tuples, whatever they are; a reference's own tuples must not be among them."""
    if isinstance(value, (list, tuple)):
        return [leaf for each in value for leaf in flat(each)]
    return [value]


def is_real(tensor: torch.Tensor) -> bool:
    """Whether it holds numbers that are rounded: floating-point or complex."""
    return tensor.is_floating_point() or tensor.is_complex()
