"""How the magnitudes of every result are spread over binary exponents: what decides which format would hold them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import torch

_MOST_ELEMENTS = 1 << 20
"""Of a larger result about so many evenly spaced elements are counted."""
_LOWEST, _HIGHEST = -160, 159
"""Exponents that are told apart: float32's and bfloat16's reach from -149 to 127."""


class Spreads:
    """Counts exponents of results as they come; the caller has switched its dispatch mode off."""

    def __init__(
        self,
        announce: Callable[[str, Sequence[tuple[object, ...]]], None],
        wanted: Callable[[], bool],
        beside: Callable[[int, Any, tuple[Any, ...], dict[str, Any], Any], None] | None = None,
    ):
        """`announce` receives rows of the record's table ``result_exponents``; `beside` is told of every operation
        as well."""
        self._announce = announce
        self._wanted = wanted
        self._beside = beside
        self._last = 0

    def count(self, operation: int, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """`out` is what the operator gave: a tensor, or several. Views are passed over: they hold nothing new."""
        if operation == self._last:
            return  # an operator that the tape passes over keeps the number of the one before
        self._last = operation
        if not self._wanted():
            return
        if self._beside is not None:
            self._beside(operation, func, args, kwargs, out)
        if getattr(func, "is_view", False):
            return
        results = out if isinstance(out, (tuple, list)) else (out,)
        tensors = [each for each in results if isinstance(each, torch.Tensor)]
        for position, each in enumerate(tensors):
            if each.is_floating_point() and each.numel() and not each.is_sparse and not each.is_meta:
                self._announce("result_exponents", [(operation, position, *exponents_of(each))])


@torch.no_grad()
def exponents_of(tensor: torch.Tensor) -> tuple[int, str, int]:
    """The lowest exponent, counts of floor(log2 |x|) from there on as JSON, and how many elements are zero."""
    values = tensor.detach().reshape(-1)
    values = values[:: max(1, values.numel() // _MOST_ELEMENTS)]
    values = values if values.dtype == torch.float64 else values.float()
    held = values[torch.isfinite(values) & (values != 0)]
    exponents = (torch.frexp(held).exponent.long() - 1).clamp(_LOWEST, _HIGHEST) - _LOWEST
    counts = torch.bincount(exponents, minlength=1).tolist()
    first = next((index for index, count in enumerate(counts) if count), 0)
    return first + _LOWEST, json.dumps(counts[first:]), int((values == 0).sum())
