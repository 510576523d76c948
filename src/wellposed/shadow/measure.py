"""Errors of one tensor against its reference, and the digits that they leave."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from wellposed.shadow.result import DIGITS_OF, Significant

_MOST_SORTED = 16_384
"""The median is taken from this many elements at most, evenly spaced."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Of one call of an operator; relative and normwise, as in `OperatorDigits`."""

    dtype: torch.dtype
    coarsest: torch.dtype
    """Of the inputs and the output."""
    elements: int
    rounding: float
    formula: float
    propagated: float
    total: float
    amplification: float
    cancelled_bits: float
    digits_in: float
    digits: Significant
    limited: bool

    @property
    def weight(self) -> float:
        """By which the worst of several calls is chosen."""
        return weight(self.formula, self.total)


def weight(formula: float, total: float) -> float:
    """How bad a call is: the error of its own and all of it; infinite for NaN."""
    found = formula + total
    return found if found == found else math.inf


def name_of(dtype: torch.dtype) -> str:
    """``float16`` for torch.float16; complex numbers count as what they are made of."""
    name = str(dtype).removeprefix("torch.")
    return {"complex32": "float16", "complex64": "float32", "complex128": "float64"}.get(name, name)


def digits_held(dtype: torch.dtype) -> float:
    return DIGITS_OF.get(name_of(dtype), 15.95)


def unit_roundoff(dtype: torch.dtype) -> float:
    """Half the distance from 1 to the next larger number."""
    return torch.finfo(dtype).eps / 2


def finite_difference(difference: torch.Tensor, value: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """`difference` with 0 where value and reference are the same infinity, or are both NaN."""
    same = (value.to(reference.dtype) == reference) | (value.isnan() & reference.isnan())
    return torch.where(same, torch.zeros((), dtype=difference.dtype, device=difference.device), difference)


def norm(tensor: torch.Tensor) -> torch.Tensor:
    """2-norm, as a tensor without dimensions."""
    length: torch.Tensor = torch.linalg.vector_norm(tensor)
    return length


def relative(error: float, size: float) -> float:
    """error / size; 0 where there is no error, infinite where there is nothing but error."""
    if error == 0:
        return 0.0
    if not error < math.inf or size == 0:
        return math.inf
    return error / size if size < math.inf else 0.0


def digits_left(error: float, most: float) -> float:
    """−log10 of a relative error, not below 0 and not above `most`."""
    if error <= 0:
        return most
    if not error < 1:
        return 0.0
    return min(most, -math.log10(error))


def significant(difference: torch.Tensor, reference: torch.Tensor, dtype: torch.dtype) -> Significant:
    """Digits of a tensor of `dtype` whose distance from `reference` (float64) is `difference`."""
    most = digits_held(dtype)
    if difference.is_complex():
        difference, reference = torch.view_as_real(difference), torch.view_as_real(reference)
    count = difference.numel()
    if not count:
        return Significant(most, most, most, 0.0)
    size = reference.abs()
    if not bool(size.isfinite().all()):
        size = torch.where(size.isfinite(), size, torch.zeros_like(size))
    length = norm(size)
    floor = unit_roundoff(dtype) * length / math.sqrt(count)
    each = difference.abs() / torch.maximum(size, floor).clamp_(min=1e-300)
    each = torch.where(difference == 0, 0.0, each).nan_to_num_(nan=math.inf, posinf=math.inf)
    few = each > 10 ** (-most / 2)
    step = max(1, count // _MOST_SORTED)
    chosen = each.reshape(-1)[::step] if step > 1 else each
    worst, median, share, error, whole = torch.stack(
        [each.amax(), chosen.median(), few.to(torch.float64).mean(), norm(difference), length]
    ).tolist()
    return Significant(
        normwise=digits_left(relative(error, whole), most),
        worst=digits_left(worst, most),
        median=digits_left(median, most),
        few=share,
    )
