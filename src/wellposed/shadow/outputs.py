"""Outputs that the program declares: what it computed, what is right, and the difference that is to be explained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from wellposed.shadow import measure
from wellposed.shadow.reference import Reference
from wellposed.shadow.result import Attribution, OutputDigits
from wellposed.shadow.tape import Spot


@dataclass(slots=True)
class Declared:
    """An output as it was when it was declared."""

    digits: OutputDigits
    relative_error: float
    true_error: float
    """ŷ − y of a scalar; ‖ŷ − y‖ of a tensor."""
    seed: torch.Tensor | None
    """What the tensor is projected on: its normalised error; None where there is no error to explain."""
    of: str
    spot: Spot | None
    position: int
    """How many calls the tape held then."""
    dtype: torch.dtype


def declared(
    reference: Reference, tensor: torch.Tensor, shadow: Any, name: str, spot: Spot | None, position: int
) -> Declared:
    """The tensor measured against its shadow; None as a shadow means that it is exact."""
    with torch.no_grad():
        value = tensor.detach()
        wide = reference.lift(value) if shadow is None else shadow
        right = reference.approximate(wide)
        difference = reference.distance(value, wide)
        if not bool(difference.isfinite().all()):
            difference = measure.finite_difference(difference, value, right)
        digits = measure.significant(difference, right, value.dtype)
        size, length = (float(measure.norm(each)) for each in (right, difference))
        scalar = value.numel() == 1
        root = math.sqrt(max(1, value.numel()))
        if scalar and not value.is_complex():
            shown, wanted, error = float(value.double()), float(right), float(difference)
        else:
            shown, wanted, error = float(measure.norm(value.to(right.dtype))) / root, size / root, length / root
        seed = None
        if 0 < length < math.inf:
            seed = torch.ones_like(right) if scalar else difference / length
        true_error = error if scalar else length
    dtype = measure.name_of(value.dtype)
    of = "the output" if scalar else "the output, projected on its own error"
    found = OutputDigits(name, dtype, shown, wanted, error, digits)
    return Declared(found, measure.relative(length, size), true_error, seed, of, spot, position, value.dtype)


def with_attribution(output: OutputDigits, attribution: Attribution | None) -> OutputDigits:
    return OutputDigits(
        output.name, output.dtype, output.value, output.reference, output.error, output.digits, attribution
    )
