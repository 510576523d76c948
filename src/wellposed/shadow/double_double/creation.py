"""Casts, constants and copies in double-double. A cast to another floating-point dtype changes nothing here: rounding
is the program's error, not the reference's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from wellposed.shadow.double_double.arithmetic import Pair, zeros
from wellposed.shadow.double_double.comparisons import truncated
from wellposed.shadow.double_double.reductions import both
from wellposed.shadow.double_double.registry import form, pairs

CONSTANTS = frozenset(["full", "ones", "zeros", "scalar_tensor", "eye", "arange", "linspace", "new_full"])
"""Operators without a tensor argument whose values float64 can hold."""


@form("_to_copy", "to", "type_as", "convert_element_type")
def cast(x: Any, *args: Any, **kwargs: Any) -> Any:
    """To an integer dtype by truncation, to bool by comparison with 0; the dtype may be that of another tensor."""
    x = pairs(x)[0]
    given = [*args, *kwargs.values()]
    dtype = next((each for each in given if isinstance(each, torch.dtype)), None)
    other = next((each for each in given if isinstance(each, Tensor)), None)
    if dtype is None and other is not None:
        dtype = other.dtype
    if dtype is None or dtype.is_floating_point:
        return both(torch.clone, x)
    if dtype.is_complex:
        raise NotImplementedError("complex numbers")
    if dtype == torch.bool:
        return x.high != 0
    whole = truncated(x)
    return (whole.high.to(torch.int64) + whole.low.to(torch.int64)).to(dtype)


@form("copy")
def copied(x: Any, source: Any, non_blocking: bool = False) -> Pair:
    x, source = pairs(x, source)
    return both(torch.clone, both(torch.broadcast_to, source, x.shape))


@form("zero", "empty_like", "zeros_like")
def nothing(x: Pair, **_: Any) -> Pair:
    return zeros(x.high)


@form("new_empty", "new_zeros", "new_empty_strided")
def nothing_of_shape(x: Pair, shape: Any, *_: Any, **__: Any) -> Pair:
    return zeros(x.high, tuple(shape))
