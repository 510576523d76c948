"""Elementwise functions of large tensors, a block at a time.

A function in double-double has dozens of intermediate results, which stay in the processor's cache where they are
small.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

BLOCK = 8192
"""Elements: 64 KiB. Some ten of them fit a second-level cache, and a kernel's start costs less than its work."""

Function = TypeVar("Function", bound=Callable[..., Any])


def blocked(function: Function) -> Function:
    """The same elementwise function of pairs, tensors and numbers, computed in blocks where the result is large.

    The result has the memory layout of the first argument of its shape. Functions on tensors given by keyword are not
    cut up.
    """

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        shapes = [each.shape for each in args if hasattr(each, "shape")]
        if not any(shape.numel() > BLOCK for shape in shapes) and _product(shapes) <= BLOCK:
            return function(*args, **kwargs)
        shape = torch.broadcast_shapes(*shapes)  # type: ignore[no-untyped-call]
        if math.prod(shape) <= 2 * BLOCK or any(hasattr(each, "shape") for each in kwargs.values()):
            return function(*args, **kwargs)
        return _in_blocks(function, args, kwargs, shape)

    return run  # type: ignore[return-value]


def _product(shapes: list[torch.Size]) -> int:
    return math.prod(shape.numel() for shape in shapes)


def _in_blocks(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], shape: torch.Size) -> Any:
    order = _order(args, shape)
    flat = [_each(each, lambda part: _flattened(part, shape, order)) for each in args]
    results = []
    for start in range(0, math.prod(shape), BLOCK):
        part = [_each(each, functools.partial(_cut, start=start)) for each in flat]
        results.append(function(*part, **kwargs))
    permuted = [shape[each] for each in order]
    back = sorted(range(len(order)), key=order.__getitem__)
    return _joined(results, lambda parts: torch.cat(parts).view(permuted).permute(back))


def _order(args: tuple[Any, ...], shape: torch.Size) -> list[int]:
    """Dimensions, the outermost in memory first."""
    halves = [each.high if hasattr(each, "high") else each for each in args if hasattr(each, "shape")]
    steps = next((each.stride() for each in halves if each.shape == shape and 0 not in each.stride()), None)
    places = range(len(shape))
    return list(places) if steps is None else sorted(places, key=lambda place: -steps[place])


def _flattened(part: Tensor, shape: torch.Size, order: list[int]) -> Tensor:
    if part.numel() == 1:
        return part.reshape(())
    return part.expand(shape).permute(order).reshape(-1)


def _cut(whole: Tensor, *, start: int) -> Tensor:
    return whole[start : start + BLOCK] if whole.dim() else whole


def _each(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    return type(value)(change(value.high), change(value.low)) if hasattr(value, "high") else value


def _joined(results: list[Any], join: Callable[[list[Tensor]], Tensor]) -> Any:
    first = results[0]
    if isinstance(first, Tensor):
        return join(results)
    if isinstance(first, tuple):
        return tuple(_joined([each[place] for each in results], join) for place in range(len(first)))
    return type(first)(join([each.high for each in results]), join([each.low for each in results]))
