"""An operator on its way: its arguments, and what is known of each before it runs."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import torch

from wellposed.shadow.operators import Description
from wellposed.shadow.reference import Reference
from wellposed.shadow.trees import tensors_in


class Operand:
    """A real tensor among the arguments."""

    __slots__ = ("error", "ignored", "low", "shadow", "shadow_or_lifted", "size", "tensor", "wide")

    def __init__(self, tensor: torch.Tensor, shadow: Any, *, ignored: bool) -> None:
        self.tensor = tensor
        self.shadow = shadow
        """None where the tensor is exact."""
        self.ignored = ignored
        """True where the operator overwrites it without a look."""
        self.low = tensor
        """The values before the operator ran: the tensor, or a copy where it is written."""
        self.wide: Any = None
        """The program's values in the reference."""
        self.shadow_or_lifted: Any = None
        self.error = 0.0
        """2-norm of tensor − shadow."""
        self.size = 0.0
        """2-norm of the shadow."""


class Token:
    """What `Engine.before` hands to `Engine.after`."""

    __slots__ = (
        "args", "description", "full", "in_place", "key", "kwargs", "operands", "operator", "refused", "shadow_args",
        "shadow_kwargs", "taped",
    )  # fmt: skip

    def __init__(self, operator: Any, description: Description, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.operator = operator
        self.description = description
        self.args = args
        self.kwargs = kwargs
        self.key: Hashable = None
        self.full = False
        self.refused = ""
        self.in_place = False
        """Whether the operator is to write into the shadows of what it writes."""
        self.operands: dict[int, Operand] = {}
        """By id of the tensor."""
        self.shadow_args: tuple[Any, ...] | None = None
        self.shadow_kwargs: dict[str, Any] | None = None
        self.taped: tuple[Any, dict[str, Any], tuple[int, ...]] | None = None

    @property
    def inputs(self) -> list[Operand]:
        return [each for each in self.operands.values() if not each.ignored]

    @property
    def exact(self) -> bool:
        return all(each.shadow is None for each in self.operands.values() if not each.ignored)

    def argument(self, name: str) -> Any:
        position = self.description.positions.get(name, -1)
        return self.args[position] if 0 <= position < len(self.args) else self.kwargs.get(name)

    def written(self) -> list[torch.Tensor]:
        return [each for name in self.description.written for each in tensors_in(self.argument(name))]


def lengths_of(reference: Reference, operands: list[Operand]) -> list[tuple[float, float]]:
    """(2-norm of the error, 2-norm of the shadow) of each, fetched at once."""
    if not operands:
        return []
    found = []
    for each in operands:
        shadow = reference.approximate(each.shadow)
        found += [
            torch.linalg.vector_norm(reference.distance(each.low, each.shadow)),
            torch.linalg.vector_norm(shadow),
        ]
    device = found[0].device
    values = torch.stack([each if each.device == device else each.to(device) for each in found]).tolist()
    return list(zip(values[::2], values[1::2], strict=True))
