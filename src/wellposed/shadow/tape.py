"""What ran during a measured stretch, kept so that it can be run again: in float64, with derivatives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from wellposed.shadow.operators import Description
from wellposed.shadow.reference import Reference
from wellposed.shadow.store import Geometry, Store, geometry_of
from wellposed.shadow.trees import is_real, mapped, mapped_keywords

MOST_BYTES = 1 << 30
"""A tape that would hold more is given up, and attribution with it."""
MOST_CALLS = 200_000


@dataclass(frozen=True, slots=True)
class Spot:
    """A tensor of the program: where it lies in which storage."""

    storage: int
    """The storage's serial number."""
    geometry: Geometry
    elements: int
    """Of the whole storage."""


@dataclass(slots=True)
class Call:
    """One operator that ran. With `description` None it only says that memory holds a constant from here on."""

    description: Description | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    key: Any
    reads: tuple[int, ...]
    """Serial numbers of the storages that it reads."""
    outputs: list[Spot | None]
    """Where each result, then each written argument, lies; None for what is no real tensor."""
    low: list[Any]
    """The program's own results where they decide (indices), else None."""
    rounding: list[torch.Tensor | None]
    """ρ of each output, float32; None where it is 0."""
    total: list[torch.Tensor | None]
    """The whole error of each output."""
    formula: dict[int, torch.Tensor] = field(default_factory=dict)
    """λ of outputs of which only some elements have a large one."""
    dtype: torch.dtype | None = None
    """Of a constant: what the program holds it in."""


class Tape:
    """The calls in their order, and the values that they started from."""

    def __init__(self, store: Store, reference: Reference, most_bytes: int = MOST_BYTES) -> None:
        self._store = store
        self._reference = reference
        self._most_bytes = most_bytes
        self.calls: list[Call] = []
        self.leaves: dict[int, torch.Tensor] = {}
        """By storage: what it held when it was first read, flat."""
        self._known: set[int] = set()
        self.bytes = 0
        self.given_up = ""
        """Why there is no tape; empty while there is one."""

    def arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any], tuple[int, ...]]:
        """The arguments with spots for real tensors and copies of the others; and the storages they read."""
        reads: list[int] = []

        def keep(tensor: torch.Tensor) -> Any:
            if not is_real(tensor):
                copy = tensor.clone()
                self._hold(copy)
                return copy
            spot = self.spot(tensor)
            reads.append(spot.storage)
            self._start(tensor, spot)
            return spot

        return mapped(args, keep), mapped_keywords(kwargs, keep), tuple(reads)

    def spot(self, tensor: torch.Tensor) -> Spot:
        elements = tensor.untyped_storage().nbytes() // tensor.element_size()
        return Spot(self._store.entry(tensor).serial, geometry_of(tensor), elements)

    def append(self, call: Call) -> None:
        for each in (*call.rounding, *call.total, *call.low, *call.formula.values()):
            if isinstance(each, torch.Tensor):
                self._hold(each)
        self._known.update(each.storage for each in call.outputs if each is not None)
        self.calls.append(call)
        if self.bytes > self._most_bytes or len(self.calls) > MOST_CALLS:
            self.give_up(f"the run took more than {self._most_bytes >> 20} MiB to keep for its derivatives")

    def constant(self, tensor: torch.Tensor) -> None:
        """What the tensor holds now came from nowhere: drawn, filled in, or without a shadow."""
        entry = self._store.known(tensor)
        if entry is not None and entry.serial in self._known:
            value = self._reference.approximate(self._reference.lift(tensor))
            self.append(Call(None, (), {}, None, (), [self.spot(tensor)], [value], [], [], dtype=tensor.dtype))

    def give_up(self, reason: str) -> None:
        self.given_up = reason
        self.calls, self.leaves = [], {}
        self._known = set()
        self.bytes = 0

    def _start(self, tensor: torch.Tensor, spot: Spot) -> None:
        if spot.storage in self._known:
            return
        self._known.add(spot.storage)
        flat = tensor.as_strided((spot.elements,), (1,), 0)
        shadow = self._store.shadow(flat)
        value = flat.clone() if shadow is None else self._reference.approximate(shadow).clone()
        self.leaves[spot.storage] = value
        self._hold(value)

    def _hold(self, tensor: torch.Tensor) -> None:
        self.bytes += tensor.numel() * tensor.element_size()
