"""The program's own arithmetic in the place of a reference, to run an operator again on other inputs."""

from __future__ import annotations

from typing import Any

import torch


class AsItIs:
    """The program's own arithmetic in the place of a reference."""

    name = "low precision"
    digits = 0.0

    def lift(self, value: torch.Tensor) -> torch.Tensor:
        return value

    def apply(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return operator(*args, **kwargs)

    def rounded(self, shadow: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        return shadow

    def distance(self, value: torch.Tensor, shadow: torch.Tensor) -> torch.Tensor:
        return value - shadow

    def approximate(self, shadow: torch.Tensor) -> torch.Tensor:
        return shadow

    def write(self, shadow: torch.Tensor, view: Any, part: torch.Tensor) -> None:
        view(shadow).copy_(part)
