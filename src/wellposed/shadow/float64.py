"""The reference that PyTorch itself can compute: every operator again, in float64."""

from __future__ import annotations

from typing import Any

import torch

from wellposed.shadow.counterparts import COUNTERPARTS

_WIDE = {
    torch.float16: torch.float64,
    torch.bfloat16: torch.float64,
    torch.float32: torch.float64,
    torch.float8_e4m3fn: torch.float64,
    torch.float8_e5m2: torch.float64,
    torch.complex32: torch.complex128,
    torch.complex64: torch.complex128,
}


class Float64:
    """Shadows are float64 tensors (complex128 for complex ones)."""

    name = "float64"
    digits = 15.95

    def lift(self, value: torch.Tensor) -> torch.Tensor:
        """A float64 copy of `value`, its memory format kept; a copy also where it is float64 already."""
        return value.to(torch.complex128 if value.is_complex() else torch.float64, copy=True)

    def apply(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """`operator` with float64 in the place of every narrower floating-point dtype that it is asked for."""
        args = tuple(_widened(each) for each in args)
        kwargs = {name: _widened(each) for name, each in kwargs.items()}
        counterpart = COUNTERPARTS.get(operator)
        if counterpart is not None:
            return counterpart(*args, **kwargs)
        return operator(*args, **kwargs)

    def rounded(self, shadow: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        return shadow.to(like.dtype)

    def distance(self, value: torch.Tensor, shadow: torch.Tensor) -> torch.Tensor:
        return value - shadow if value.dtype == shadow.dtype else value.to(shadow.dtype) - shadow

    def approximate(self, shadow: torch.Tensor) -> torch.Tensor:
        return shadow

    def write(self, shadow: torch.Tensor, view: Any, part: torch.Tensor) -> None:
        view(shadow).copy_(part)


def _widened(value: Any) -> Any:
    return _WIDE.get(value, value) if isinstance(value, torch.dtype) else value
