"""The parameters: how each started, and its gradient and update at each step."""

from __future__ import annotations

import math
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from wellposed.capture.device_readings import DeviceReadings
from wellposed.capture.modules import Modules

Announce = Callable[[str, Sequence[tuple[object, ...]]], None]

_SAMPLED_ELEMENTS = 65_536
"""An update is measured on at most this many evenly spaced elements of a parameter, so that memory stays bounded."""

_MOST_PARAMETERS = 20_000
"""Parameters that are followed: a program that makes a new model every step has told enough by then."""


@dataclass(slots=True)
class _Tracked:
    number: int
    reference: weakref.ref[torch.Tensor]
    name: str


@dataclass(slots=True)
class GradientNorm:
    """Over all parameters that an optimizer is about to update."""

    squares: float = 0.0
    nonfinite: int = 0
    """Elements that are NaN or infinite; of a gradient whose elements nobody counted, one."""

    @property
    def norm(self) -> float:
        return math.sqrt(self.squares) if math.isfinite(self.squares) else math.inf

    def add(self, statistics: tuple[Any, ...]) -> None:
        """A gradient by the columns of its statistics."""
        if statistics[0] is None:
            return
        bad = statistics[1] + statistics[2] + statistics[3]
        self.nonfinite += bad
        if statistics[11] is not None:
            self.squares += statistics[11] * statistics[11] * (statistics[0] - bad)

    def add_norms(self, values: list[float]) -> None:
        """Gradients by their largest magnitudes, followed by their norms."""
        half = len(values) // 2
        for largest, norm in zip(values[:half], values[half:], strict=True):
            if math.isfinite(largest):
                self.squares += norm * norm
            else:
                self.nonfinite += 1


@dataclass(slots=True)
class _Row:
    """Of the record's table ``parameter_step``, as far as it is known."""

    step: int
    parameter: int
    weight_rms: float | None = None
    update_ratio: float | None = None
    statistics: tuple[Any, ...] = (None,) * 13

    def columns(self) -> tuple[Any, ...]:
        return (self.step, self.parameter, self.weight_rms, self.update_ratio, *self.statistics)


class Parameters:
    """Numbers the parameters and takes their statistics; the caller has switched dispatch modes off."""

    def __init__(self, modules: Modules, announce: Announce, readings: DeviceReadings):
        """`announce` receives rows of the record's tables ``parameter`` and ``parameter_step``."""
        self._modules = modules
        self._announce = announce
        self._readings = readings
        self._tracked: dict[int, _Tracked] = {}
        self._count = 0
        self._before: list[tuple[_Row, torch.Tensor, torch.Tensor]] = []
        self._pending: list[_Row] = []

    def track(self, parameters: Iterable[torch.Tensor]) -> bool:
        """Enter the parameters that are new, with how they start; returns whether there were any."""
        before = self._count
        for parameter in parameters:
            found = self._tracked.get(id(parameter))
            if (found is not None and found.reference() is parameter) or self._count >= _MOST_PARAMETERS:
                continue
            self._count += 1
            owner = self._modules.owner(parameter)
            name = owner[1] if owner else _variable_name(parameter) or f"parameter {self._count}"
            self._tracked[id(parameter)] = _Tracked(self._count, weakref.ref(parameter), name)
            fan_in, fan_out = _fans(parameter)
            site = self._modules.made_at(owner[0]) if owner else -1
            start = (
                self._count, name, ",".join(map(str, parameter.shape)), str(parameter.dtype).removeprefix("torch."),
                type(owner[0]).__name__ if owner else "", fan_in, fan_out, site if site > 0 else None,
            )  # fmt: skip
            self._readings.statistics(_local(parameter), partial(self._parameter_known, start))
        return self._count > before

    def _parameter_known(self, start: tuple[Any, ...], statistics: tuple[Any, ...]) -> None:
        self._announce("parameter", [(*start, *statistics)])

    def labels(self) -> list[tuple[torch.Tensor, str]]:
        """Every live parameter with its name."""
        live = ((each.reference(), each.name) for each in self._tracked.values())
        return [(parameter, name) for parameter, name in live if parameter is not None]

    def gradients(
        self,
        parameters: Iterable[torch.Tensor],
        step: int,
        then: Callable[[GradientNorm], None],
        *,
        write: bool,
    ) -> None:
        """Give the gradients' norm to `then`; with `write`, each parameter's statistics go to the record and its
        weights are kept until `updated`."""
        norm = GradientNorm()
        elsewhere: list[torch.Tensor] = []
        self._before, self._pending = [], []
        for parameter in parameters:
            if parameter.grad is None:
                continue
            gradient = _local(parameter.grad)
            tracked = self._tracked.get(id(parameter))
            row = _Row(step, tracked.number) if write and tracked is not None else None
            if row is None and self._readings.is_elsewhere(gradient):
                elsewhere.append(gradient)
                continue
            self._readings.statistics(gradient, partial(_gradient_known, norm, row))
            if row is not None:
                self._readings.statistics(_local(parameter), partial(_weight_known, row))
                sample = _sample(parameter)
                self._before.append((row, sample, sample.clone()))
                self._pending.append(row)
        for values in _largest_and_norms(elsewhere):
            self._readings.values(values, norm.add_norms)
        self._readings.afterwards(partial(then, norm))

    def updated(self, then: Callable[[float | None], None]) -> None:
        """After the update: its size relative to the weights goes to the record; gives `then` the updates' norm (of the
        sampled elements), or None where nothing was measured."""
        if not self._before:
            then(None)
            return
        update = GradientNorm()
        for row, sample, before in self._before:
            change, size = _norm(sample - before), _norm(before)
            if self._readings.is_elsewhere(sample):
                self._readings.values(torch.stack([change, size]), partial(_update_known, update, row))
            else:
                _update_known(update, row, (float(change), float(size)))
        rows = self._pending
        self._before, self._pending = [], []
        self._readings.afterwards(partial(self._update_measured, rows, update, then))

    def _update_measured(self, rows: list[_Row], update: GradientNorm, then: Callable[[float | None], None]) -> None:
        self._announce("parameter_step", [row.columns() for row in rows if row.statistics[0] is not None])
        then(math.sqrt(update.squares) if math.isfinite(update.squares) else update.squares)


def _gradient_known(norm: GradientNorm, row: _Row | None, statistics: tuple[Any, ...]) -> None:
    norm.add(statistics)
    if row is not None:
        row.statistics = statistics


def _weight_known(row: _Row, statistics: tuple[Any, ...]) -> None:
    row.weight_rms = statistics[11]


def _update_known(update: GradientNorm, row: _Row, change_and_size: Sequence[float]) -> None:
    change, size = change_and_size
    row.update_ratio = change / size if size > 0 else None
    update.squares += change * change


def _largest_and_norms(gradients: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Largest magnitudes, then norms, of gradients that are on an accelerator: a few kernels for all of them."""
    groups: dict[tuple[torch.device, torch.dtype], list[torch.Tensor]] = {}
    for gradient in gradients:
        if gradient.numel() and not gradient.is_meta:
            groups.setdefault((gradient.device, gradient.dtype), []).append(gradient.detach())
    for (_, dtype), group in groups.items():
        # The norm of many float16 values is beyond float16.
        wide = torch.float32 if dtype.itemsize < 4 else None
        norms = torch.stack(torch._foreach_norm(group, 2, dtype=wide))
        yield torch.cat([torch.stack(torch._foreach_norm(group, math.inf)).to(norms.dtype), norms])


def _local(tensor: torch.Tensor) -> torch.Tensor:
    """The part of a tensor that lies on this rank (sharded data parallel), made dense where it is sparse."""
    to_local = getattr(tensor, "to_local", None)
    if to_local is not None:
        return to_local()  # type: ignore[no-any-return]
    return tensor.coalesce().values() if tensor.is_sparse else tensor


def _sample(parameter: torch.Tensor) -> torch.Tensor:
    """A view of at most `_SAMPLED_ELEMENTS` evenly spaced elements, which sees later writes."""
    flat = _local(parameter).detach()
    flat = flat.view(-1) if flat.is_contiguous() else flat
    return flat[:: max(1, flat.numel() // _SAMPLED_ELEMENTS)] if flat.dim() == 1 else flat


def _norm(values: torch.Tensor) -> torch.Tensor:
    return torch.linalg.vector_norm(values if values.is_complex() else values.float())


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
