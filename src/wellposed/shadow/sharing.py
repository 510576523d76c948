"""One operator on shadows, where the program's own decisions are followed: its indices, its roundings to integers."""

from __future__ import annotations

from typing import Any

import torch

from wellposed.shadow import flips
from wellposed.shadow.operators import Description
from wellposed.shadow.reference import Reference
from wellposed.shadow.trees import flat, is_real, mapped

Flipped = tuple[float, float]
_NARROW = {torch.float32, torch.float16, torch.bfloat16, torch.complex64}


def functional_arguments(
    description: Description, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of the form that writes nothing: ``out=`` left out."""
    if not description.out_forms:
        return args, kwargs
    return args, {name: each for name, each in kwargs.items() if name not in description.out_forms}


def run_in_reference(
    reference: Reference, description: Description, args: tuple[Any, ...], kwargs: dict[str, Any], low: list[Any]
) -> tuple[list[Any], Flipped | None]:
    """(shadows of the results, then of what is written; what the reference would have decided otherwise).

    `low` are the program's results and written arguments in the same order. Raises NotImplementedError or whatever the
    operator raises where it has no counterpart.
    """
    args, kwargs = functional_arguments(description, args, kwargs)
    if description.chooses and _has_indices(low):
        return _chosen(reference, description, args, kwargs, low)
    result = reference.apply(description.functional, args, kwargs)
    if reference.digits and any(isinstance(each, torch.Tensor) and each.dtype in _NARROW for each in flat(result)):
        # Integers make numbers of the default dtype: they are asked again as numbers of the reference.
        args = mapped(args, lambda each: each if is_real(each) else reference.lift(each))
        result = reference.apply(description.functional, args, kwargs)
    outcome = _leaves(result, len(low))
    flipped = None
    if description.rounds:
        outcome[0], flipped = _rounded(reference, low[0], outcome[0])
    if description.decides and low and low[-1] is not None:
        outcome[len(low) - 1] = reference.lift(low[-1])
    return outcome, flipped


def _leaves(result: Any, wanted: int) -> list[Any]:
    """The result taken apart as far as the program's was; a reference may stand for a tensor by a tuple of its own."""
    found = [result]
    while len(found) < wanted and any(isinstance(each, (tuple, list)) for each in found):
        opened: list[Any] = []
        for each in found:
            opened.extend(each if isinstance(each, (tuple, list)) else [each])
        found = opened
    if wanted == 1 and isinstance(result, list) and len(result) == 1:
        return list(result)
    return found


def _has_indices(low: list[Any]) -> bool:
    return len(low) == 2 and isinstance(low[1], torch.Tensor) and low[1].dtype == torch.int64


def _chosen(
    reference: Reference, description: Description, args: tuple[Any, ...], kwargs: dict[str, Any], low: list[Any]
) -> tuple[list[Any], Flipped | None]:
    own = reference.apply(description.functional, args, kwargs)
    shadow, indices = args[0], low[1]
    if isinstance(shadow, torch.Tensor):
        dimension = dimension_of(description, args, kwargs)
        kept = indices.dim() == shadow.dim()
        value = flips.picked(shadow, indices, dimension, kept)
        with torch.no_grad():
            return [value, indices], flips.went_elsewhere(own[0], value)
    return [own[0], indices], None


def dimension_of(description: Description, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """The dimension that a sort, a maximum or the like goes along; the last by default."""
    position = description.positions.get("dim", -1)
    found = kwargs.get("dim", args[position] if 0 <= position < len(args) else -1)
    return found if isinstance(found, int) else -1


def _rounded(reference: Reference, low: torch.Tensor, shadow: Any) -> tuple[Any, Flipped | None]:
    """A step function follows the program: where it went to another step, so does the shadow."""
    if not is_real(low):
        return shadow, None
    with torch.no_grad():
        wide = reference.approximate(shadow)
        differs = low.to(wide.dtype) != reference.rounded(shadow, low).to(wide.dtype)
        share = float(differs.to(torch.float64).mean()) if differs.numel() else 0.0
    return (shadow, None) if share == 0 else (reference.lift(low), (share, 0.0))
