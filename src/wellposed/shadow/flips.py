"""Decisions that the program's own numbers took and the reference would have taken otherwise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from wellposed.shadow.operators import Description


@dataclass(slots=True)
class FlipFacts:
    """Of one operator at one place, the call that went wrong most."""

    share: float = 0.0
    margin: float = 0.0


def compared(
    description: Description, inputs: list[Any], low: torch.Tensor, wide: torch.Tensor
) -> tuple[float, float] | None:
    """Share and margin of the elements on which a comparison, or a choice of indices, differs; None where none does.

    `inputs` are the operands as float64 tensors or numbers, `low` and `wide` the outcome of the program and of the
    reference.
    """
    if low.shape != wide.shape or low.is_floating_point() or not low.numel():
        return None
    differs = low != wide
    share = float(differs.to(torch.float64).mean())
    if share == 0:
        return None
    if description.base.startswith("arg"):
        return _chosen(inputs, low, wide, differs, share)
    margin = 0.0
    if len(inputs) == 2:
        left, right = (torch.as_tensor(each, dtype=torch.float64) for each in inputs)
        gap = (left - right).abs() / torch.maximum(left.abs(), right.abs()).clamp(min=1e-300)
        gap = gap.expand(differs.shape) if gap.shape != differs.shape else gap
        margin = float(torch.where(differs, gap, 0.0).nan_to_num(nan=math.inf).amax())
    return share, margin


def _chosen(
    inputs: list[Any], low: torch.Tensor, wide: torch.Tensor, differs: torch.Tensor, share: float
) -> tuple[float, float] | None:
    """For argmax and the like: how far apart the two chosen elements are; equal ones are no flip."""
    values = inputs[0]
    if not isinstance(values, torch.Tensor) or low.dim() != 0:
        return share, 0.0
    flat = values.reshape(-1)
    left, right = float(flat[low]), float(flat[wide])
    margin = abs(left - right) / max(abs(left), abs(right), 1e-300)
    return (share, margin) if margin > 0 else None


def picked(shadow: torch.Tensor, indices: torch.Tensor, dimension: int | None, kept: bool) -> torch.Tensor:
    """The elements of `shadow` at the program's indices."""
    if dimension is None:
        return shadow.reshape(-1)[indices]
    if shadow.dim() == 0:
        return shadow
    if kept:
        return shadow.gather(dimension, indices)
    return shadow.gather(dimension, indices.unsqueeze(dimension)).squeeze(dimension)


def went_elsewhere(own: torch.Tensor, program: torch.Tensor) -> tuple[float, float] | None:
    """Share and margin of the elements that were chosen though the reference has others in their place.

    `own` are the values that the reference would have chosen, `program` its values at the program's choice. Ties, which
    either order serves, are none.
    """
    if own.shape != program.shape or not own.numel():
        return None
    gap = (own - program).abs() / torch.maximum(own.abs(), program.abs()).clamp(min=1e-300)
    gap = gap.nan_to_num(nan=0.0)
    share = float((gap > 0).to(torch.float64).mean())
    return (share, float(gap.amax())) if share > 0 else None
