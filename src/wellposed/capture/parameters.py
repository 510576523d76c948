"""The parameters: what each is called, where it was made and how it starts."""

from __future__ import annotations

import math
import sys
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from wellposed.capture.device_readings import DeviceReadings
from wellposed.capture.modules import Modules
from wellposed.capture.updates import Announce, local_part

_MOST_UNITS = 64
_MOST_INPUTS = 4_096
"""Of a weight matrix so many rows, and so many elements of each, are compared with one another."""

_MOST_PARAMETERS = 20_000
"""Parameters that are followed: a program that makes a new model every step has told enough by then."""


@dataclass(slots=True)
class _Tracked:
    number: int
    reference: weakref.ref[torch.Tensor]
    name: str
    start: tuple[object, ...]
    """The columns that do not change."""


class Parameters:
    """Numbers the parameters and takes their statistics; the caller has switched dispatch modes off."""

    def __init__(self, modules: Modules, announce: Announce, readings: DeviceReadings):
        """`announce` receives rows of the record's table ``parameter``."""
        self._modules = modules
        self._announce = announce
        self._readings = readings
        self._tracked: dict[int, _Tracked] = {}
        self._count = 0

    def track(self, parameters: Iterable[torch.Tensor]) -> bool:
        """Enter the parameters that are new, with how they start; returns whether there were any."""
        before = self._count
        for parameter in parameters:
            if self.number(parameter) is not None or self._count >= _MOST_PARAMETERS:
                continue
            self._count += 1
            owner = self._modules.owner(parameter)
            name = owner[1] if owner else _variable_name(parameter) or f"parameter {self._count}"
            fan_in, fan_out = _fans(parameter)
            site = self._modules.made_at(owner[0]) if owner else -1
            start = (
                self._count, name, ",".join(map(str, parameter.shape)), str(parameter.dtype).removeprefix("torch."),
                type(owner[0]).__name__ if owner else "", fan_in, fan_out, site if site > 0 else None,
            )  # fmt: skip
            self._tracked[id(parameter)] = _Tracked(self._count, weakref.ref(parameter), name, start)
            self._measure(parameter, start)
        return self._count > before

    def measure_again(self) -> None:
        """How the parameters start is known for good when the first gradient is asked for: a program may draw its
        weights long after it made the layers."""
        for tracked in self._tracked.values():
            parameter = tracked.reference()
            if parameter is not None:
                self._measure(parameter, tracked.start)

    def number(self, parameter: torch.Tensor) -> int | None:
        """None where the parameter is not tracked."""
        found = self._tracked.get(id(parameter))
        return found.number if found is not None and found.reference() is parameter else None

    def name(self, parameter: torch.Tensor) -> str:
        """Empty where the parameter is not tracked."""
        found = self._tracked.get(id(parameter))
        return found.name if found is not None and found.reference() is parameter else ""

    def labels(self) -> list[tuple[torch.Tensor, str]]:
        """Every live parameter with its name."""
        live = ((each.reference(), each.name) for each in self._tracked.values())
        return [(parameter, name) for parameter, name in live if parameter is not None]

    def _measure(self, parameter: torch.Tensor, start: tuple[object, ...]) -> None:
        values = local_part(parameter).detach()
        looked_at, distinct = _units(values)
        units: list[int | None] = [None, None]
        if distinct is not None:
            # Answered before the statistics, which are asked for after it.
            self._readings.values(distinct, lambda found: units.__setitem__(slice(2), [looked_at, int(found[0])]))
        self._readings.statistics(values, partial(self._known, start, units))

    def _known(self, start: tuple[Any, ...], units: list[int | None], statistics: tuple[Any, ...]) -> None:
        self._announce("parameter", [(*start, *units, *statistics)])


def leaves_of(loss: torch.Tensor, most: int = 20_000) -> list[torch.Tensor]:
    """The tensors that the loss will give a gradient to, found in its graph: of a program without optimizer nobody else
    names them. At most `most` nodes are walked."""
    found: dict[int, torch.Tensor] = {}
    waiting, seen = [loss.grad_fn], set()
    while waiting and len(seen) < most:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, torch.Tensor):
            found[id(leaf)] = leaf
        waiting.extend(following for following, _ in node.next_functions)
    return list(found.values())


def _units(values: torch.Tensor) -> tuple[int, torch.Tensor | None]:
    """How many units (rows) of a weight were compared, and how many of them are different from all others."""
    if values.dim() < 2 or values.numel() == 0 or values.shape[0] < 2 or values.is_complex() or values.is_meta:
        return 0, None
    rows = values[:: max(1, values.shape[0] // _MOST_UNITS)][:_MOST_UNITS].flatten(1)[:, :_MOST_INPUTS]
    ordered = rows[_order(rows)]
    return len(rows), (ordered[1:] != ordered[:-1]).any(dim=1).sum() + 1


def _order(rows: torch.Tensor) -> torch.Tensor:
    """Brings equal rows together: by a projection that no two different rows are likely to share."""
    weights = torch.arange(1, rows.shape[1] + 1, device=rows.device, dtype=torch.float64).sqrt()
    return torch.argsort(rows.double() @ weights)


def _fans(parameter: torch.Tensor) -> tuple[int | None, int | None]:
    """(fan-in, fan-out) as torch.nn.init counts them; None for vectors and scalars."""
    if parameter.dim() < 2:
        return None, None
    field = math.prod(parameter.shape[2:])
    return parameter.shape[1] * field, parameter.shape[0] * field


def _variable_name(tensor: torch.Tensor) -> str:
    """The global variable of the script that holds the tensor; empty where none does."""
    main = sys.modules.get("__main__")
    for name, value in list(vars(main).items()) if main is not None else []:
        if value is tensor:
            return name
    return ""
