"""A tape run again in float64: with derivatives, or with one operator's error put back in."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import torch

from wellposed.shadow.differentiable import Differentiable
from wellposed.shadow.sharing import run_in_reference
from wellposed.shadow.store import Geometry
from wellposed.shadow.tape import Call, Spot, Tape
from wellposed.shadow.trees import mapped

AtOutput = Callable[[int, int, torch.Tensor], torch.Tensor]
"""Called with the index of a call, that of its output, and the value; what it returns takes the value's place."""
AtStart = Callable[[torch.Tensor, torch.dtype], torch.Tensor]
"""Called with each value that no call has made and the dtype it was held in; what it returns takes its place."""


class Memory:
    """Storages as values that are never written: a write makes a new value, so that derivatives pass through it."""

    def __init__(self, leaves: dict[int, torch.Tensor], at_start: AtStart | None = None) -> None:
        self._leaves = leaves
        self._at_start = at_start
        self._held: dict[int, tuple[torch.Tensor, Geometry]] = {}

    def read(self, spot: Spot) -> torch.Tensor:
        held = self._held.get(spot.storage)
        if held is not None and held[1] == spot.geometry:
            return held[0]
        flat = self._flat(spot)
        return flat if spot.geometry == _whole(spot) else _view(flat, spot)

    def write(self, spot: Spot, value: torch.Tensor) -> None:
        if _covers(spot):
            self._held[spot.storage] = (value, spot.geometry)
            return
        flat = self._flat(spot).index_put((_indices(spot, value.device),), value.expand(spot.geometry[0]).reshape(-1))
        self._held[spot.storage] = (flat, _whole(spot))

    def _flat(self, spot: Spot) -> torch.Tensor:
        """All of the storage; complex numbers as pairs of real ones, or pairs as numbers, where the spot says so."""
        held = self._held.get(spot.storage)
        if held is None:
            leaf = self._leaves.get(spot.storage)
            if leaf is None:
                leaf = torch.zeros(spot.elements, dtype=torch.float64)  # memory that was never read before
            found = leaf.to(torch.complex128 if leaf.is_complex() else torch.float64)
            if self._at_start is not None and spot.storage in self._leaves:
                found = self._at_start(found, leaf.dtype)
        elif held[1] == _whole(spot):
            return held[0]
        else:
            value, (size, stride, _) = held
            order = sorted(range(len(size)), key=lambda each: (-stride[each], -size[each]))
            found = value.permute(order).reshape(-1)
        if found.numel() and found.is_complex() and spot.elements == 2 * found.numel():
            found = torch.view_as_real(found).reshape(-1)
        elif found.numel() and not found.is_complex() and 2 * spot.elements == found.numel():
            found = torch.view_as_complex(found.view(-1, 2))
        self._held[spot.storage] = (found, _whole(spot))
        return found


def _whole(spot: Spot) -> Geometry:
    return (spot.elements,), (1,), 0


def _view(flat: torch.Tensor, spot: Spot) -> torch.Tensor:
    """The elements at the spot. Not by ``as_strided``, whose derivatives are wrong for some gradients."""
    size, stride, offset = spot.geometry
    count = math.prod(size)
    if stride == _contiguous(size):
        return flat[offset : offset + count].view(size)
    if _covers(spot):
        order = sorted(range(len(size)), key=lambda each: (-stride[each], -size[each]))
        sorted_view = flat.view([size[each] for each in order])
        return sorted_view.permute([order.index(each) for each in range(len(size))])
    return flat[_indices(spot, flat.device)].view(size)


def _indices(spot: Spot, device: torch.device) -> torch.Tensor:
    """Where in the storage the elements lie."""
    return torch.arange(spot.elements, device=device).as_strided(*spot.geometry).reshape(-1)


def _covers(spot: Spot) -> bool:
    """Whether the spot is all of its storage."""
    size, stride, offset = spot.geometry
    return offset == 0 and math.prod(size) == spot.elements and _is_dense(size, stride)


def needed_for(tape: Tape, spots: Iterable[tuple[Spot, int]]) -> list[int]:
    """Indices of the calls that a value at one of the spots, as of a number of calls, can come from."""
    starts: dict[int, set[int]] = {}
    for spot, position in spots:
        starts.setdefault(position, set()).add(spot.storage)
    wanted: set[int] = set()
    found: list[int] = []
    for index in range(max(starts, default=0), 0, -1):
        wanted |= starts.get(index, set())
        call = tape.calls[index - 1]
        if any(each is not None and each.storage in wanted for each in call.outputs):
            found.append(index - 1)
            wanted.update(call.reads)
    return found[::-1]


def rerun(
    tape: Tape,
    indices: list[int],
    at_output: AtOutput,
    wanted: list[tuple[Spot, int]],
    at_start: AtStart | None = None,
) -> tuple[list[torch.Tensor], set[str]]:
    """(the values of the wanted spots, each as of its number of calls; operators without a derivative).

    Raises whatever an operator raises that cannot run again.
    """
    memory = Memory(tape.leaves, at_start)
    values: list[torch.Tensor | None] = [None] * len(wanted)
    cut: set[str] = set()
    reference = Differentiable()

    def collect(done: int) -> None:
        for place, (spot, position) in enumerate(wanted):
            if values[place] is None and position <= done:
                values[place] = memory.read(spot)

    for index in indices:
        collect(index)
        call = tape.calls[index]
        for output, value in enumerate(_again(call, memory, reference)):
            spot = call.outputs[output] if output < len(call.outputs) else None
            if spot is None or not isinstance(value, torch.Tensor):
                continue
            if value.grad_fn is not None and value.grad_fn.name().endswith("NotImplemented"):
                cut.add(call.description.name if call.description is not None else "")
                value = value.detach()
            if call.description is None and at_start is not None:
                value = at_start(value, call.dtype or value.dtype)
            memory.write(spot, at_output(index, output, value))
    collect(len(tape.calls))
    return [each for each in values if each is not None], cut


def _again(call: Call, memory: Memory, reference: Differentiable) -> list[Any]:
    if call.description is None:
        return call.low

    def change(value: Any) -> Any:
        if isinstance(value, Spot):
            return memory.read(value)
        if isinstance(value, (list, tuple)):
            return type(value)(change(each) for each in value)
        return value

    args, kwargs = change(call.args), {name: change(each) for name, each in call.kwargs.items()}
    for _ in range(len(args) + len(kwargs)):
        try:
            return run_in_reference(reference, call.description, args, kwargs, call.low)[0]
        except RuntimeError as error:
            # Counts and running statistics, through which no derivative is defined.
            refused = re.search(r"not differentiable with respect to argument '(\w+)'", str(error))
            if refused is None:
                raise
            name = refused[1]
            position = call.description.positions.get(name, -1)
            if name in kwargs:
                kwargs[name] = mapped(kwargs[name], torch.Tensor.detach)
            elif 0 <= position < len(args):
                args = (*args[:position], mapped(args[position], torch.Tensor.detach), *args[position + 1 :])
            else:
                raise
    raise NotImplementedError(f"{call.description.name} has no derivative")


def _contiguous(size: tuple[int, ...]) -> tuple[int, ...]:
    strides = [1] * len(size)
    for index in range(len(size) - 2, -1, -1):
        strides[index] = strides[index + 1] * max(1, size[index + 1])
    return tuple(strides)


def _is_dense(size: tuple[int, ...], stride: tuple[int, ...]) -> bool:
    expected = 1
    for step, extent in sorted(zip(stride, size, strict=True)):
        if extent != 1 and step != expected:
            return False
        expected *= extent
    return True
