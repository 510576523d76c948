"""The parameters: how each started, and its gradient and update at each step."""

from __future__ import annotations

import math
import sys
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from wellposed import _native
from wellposed.capture.modules import Modules

_SAMPLED_ELEMENTS = 65_536
"""An update is measured on at most this many evenly spaced elements of a parameter, so that memory stays bounded."""


@dataclass(slots=True)
class _Tracked:
    number: int
    reference: weakref.ref[torch.Tensor]
    name: str


@dataclass(slots=True)
class GradientNorm:
    """Over all parameters that an optimizer is about to update."""

    norm: float
    nonfinite: int


class Parameters:
    """Numbers the parameters and takes their statistics; the caller has switched dispatch modes off."""

    def __init__(self, modules: Modules, announce: Callable[[str, Sequence[tuple[object, ...]]], None], threads: int):
        """`announce` receives rows of the record's tables ``parameter`` and ``parameter_step``."""
        self._modules = modules
        self._announce = announce
        self._threads = threads
        self._tracked: dict[int, _Tracked] = {}
        self._count = 0
        self._before: list[tuple[int, torch.Tensor, torch.Tensor]] = []
        self._pending: list[tuple[Any, ...]] = []

    def track(self, parameters: Iterable[torch.Tensor]) -> bool:
        """Enter the parameters that are new, with how they start; returns whether there were any."""
        before = self._count
        for parameter in parameters:
            found = self._tracked.get(id(parameter))
            if found is not None and found.reference() is parameter:
                continue
            self._count += 1
            owner = self._modules.owner(parameter)
            name = owner[1] if owner else _variable_name(parameter) or f"parameter {self._count}"
            self._tracked[id(parameter)] = _Tracked(self._count, weakref.ref(parameter), name)
            fan_in, fan_out = _fans(parameter)
            site = self._modules.made_at(owner[0]) if owner else -1
            row = (
                self._count, name, ",".join(map(str, parameter.shape)), str(parameter.dtype).removeprefix("torch."),
                type(owner[0]).__name__ if owner else "", fan_in, fan_out, site if site > 0 else None,
                *statistics_row(parameter, self._threads),
            )  # fmt: skip
            self._announce("parameter", [row])
        return self._count > before

    def labels(self) -> list[tuple[torch.Tensor, str]]:
        """Every live parameter with its name."""
        live = ((each.reference(), each.name) for each in self._tracked.values())
        return [(parameter, name) for parameter, name in live if parameter is not None]

    def gradients(self, parameters: Iterable[torch.Tensor], step: int, *, write: bool) -> GradientNorm:
        """The gradients' norm; with `write`, each parameter's statistics go to the record and its weights are kept
        until `updated`."""
        squares, nonfinite = 0.0, 0
        self._before = []
        rows: list[tuple[object, ...]] = []
        for parameter in parameters:
            gradient = _local(parameter.grad)
            if gradient is None:
                continue
            row = statistics_row(gradient, self._threads)
            if row[0] is None:
                continue
            bad = row[1] + row[2] + row[3]
            nonfinite += bad
            rms = row[11]
            if rms is not None:
                squares += rms * rms * (row[0] - bad)
            tracked = self._tracked.get(id(parameter))
            if write and tracked is not None:
                weight_rms = statistics_row(parameter, self._threads)[11]
                sample = _sample(parameter)
                self._before.append((len(rows), sample, sample.clone()))
                rows.append((step, tracked.number, weight_rms, None, *row))
        if write:
            self._pending = rows
        return GradientNorm(math.sqrt(squares) if math.isfinite(squares) else math.inf, nonfinite)

    def updated(self) -> float | None:
        """After the update: its size relative to the weights goes to the record; returns the updates' norm (of the
        sampled elements, scaled up), or None where nothing was measured."""
        if not self._before:
            return None
        total = 0.0
        rows = self._pending
        for index, sample, before in self._before:
            change, size = _norm(sample - before), _norm(before)
            row = rows[index]
            rows[index] = (*row[:3], change / size if size > 0 else None, *row[4:])
            total += change * change
        self._announce("parameter_step", rows)
        self._before, self._pending = [], []
        return math.sqrt(total) if math.isfinite(total) else total


def statistics_row(tensor: torch.Tensor, threads: int) -> tuple[Any, ...]:
    """The columns of `record.schema.STATISTICS_COLUMNS`; all None where the memory cannot be read from here."""
    try:
        s = _native.summarise(tensor if tensor.device.type == "cpu" else tensor.detach().cpu(), threads)
    except (TypeError, RuntimeError):
        return (None,) * 13
    return (
        s.count, s.nan, s.positive_infinity, s.negative_infinity, s.zero, s.subnormal, _known(s.minimum),
        _known(s.maximum), _known(s.smallest_nonzero), _known(s.mean), _known(s.standard_deviation),
        _known(s.root_mean_square), None,
    )  # fmt: skip


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _local(gradient: torch.Tensor | None) -> torch.Tensor | None:
    """The part of a gradient that lies on this rank (sharded data parallel), made dense where it is sparse."""
    if gradient is None:
        return None
    to_local = getattr(gradient, "to_local", None)
    if to_local is not None:
        return to_local()  # type: ignore[no-any-return]
    return gradient.coalesce().values() if gradient.is_sparse else gradient


def _sample(parameter: torch.Tensor) -> torch.Tensor:
    """A view of at most `_SAMPLED_ELEMENTS` evenly spaced elements, which sees later writes."""
    local = _local(parameter)
    assert local is not None
    flat = local.detach()
    flat = flat.view(-1) if flat.is_contiguous() else flat
    return flat[:: max(1, flat.numel() // _SAMPLED_ELEMENTS)] if flat.dim() == 1 else flat


def _norm(values: torch.Tensor) -> float:
    return float(torch.linalg.vector_norm(values if values.is_complex() else values.float()))


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
