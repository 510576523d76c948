"""Each parameter's gradient and update: what a step meant for the weights, measured around the update itself."""

from __future__ import annotations

import json
import math
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from wellposed.capture.device_readings import DeviceReadings

Announce = Callable[[str, Sequence[tuple[object, ...]]], None]
Gradients = Iterable[tuple[torch.Tensor, torch.Tensor]]
"""Parameters with their gradients."""

_SAMPLED_ELEMENTS = 8_192
"""An update is measured on about so many evenly spaced elements of a parameter, so that memory stays bounded."""
_MOST_FOR_UNITS = 1 << 22
"""Elements of a gradient whose units are looked at one by one."""
_MASKS = 3
"""Measured steps over which a unit must be silent to be counted."""
_EXPONENTS = 160
"""Exponents from -160 to 159 are told apart: float32's and bfloat16's reach from -148 to 128."""
_EXPONENTS_GROWTH = 1.5
"""Histograms of exponents are taken at steps that lie further and further apart."""


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
    unchanged: float | None = None
    silent_units: int | None = None
    adam_ratio: float | None = None
    statistics: tuple[Any, ...] = (None,) * 13

    def columns(self) -> tuple[Any, ...]:
        return (
            self.step, self.parameter, self.weight_rms, self.update_ratio, self.unchanged, self.silent_units,
            self.adam_ratio, *self.statistics,
        )  # fmt: skip


@dataclass(slots=True)
class _History:
    """What the next step needs of the last ones."""

    masks: list[torch.Tensor] = field(default_factory=list)
    """Which units had a gradient, in the last measured steps."""
    step: int = -1
    gradient: torch.Tensor | None = None
    change: torch.Tensor | None = None


@dataclass(slots=True)
class _Open:
    """A parameter between its gradient and its update."""

    row: _Row
    parameter: torch.Tensor
    history: _History
    sample: torch.Tensor
    """A view that sees the update."""
    before: torch.Tensor
    gradient: torch.Tensor | None
    """The gradient at the sampled elements; None where it does not lie as the parameter does."""


class Updates:
    """Measures gradients before an update and what the update did; the caller has switched dispatch modes off."""

    def __init__(self, number_of: Callable[[torch.Tensor], int | None], announce: Announce, readings: DeviceReadings):
        """`number_of` tells a tracked parameter's number; `announce` receives rows of ``parameter_step`` and
        ``exponents``."""
        self._number_of = number_of
        self._announce = announce
        self._readings = readings
        self._histories: dict[int, tuple[weakref.ref[torch.Tensor], _History]] = {}
        self._open: list[_Open] = []
        self._next_exponents = 0.0

    def before(
        self, gradients: Gradients, step: int, then: Callable[[GradientNorm, float | None], None], *, write: bool
    ) -> None:
        """Give the gradients' norm to `then`; with `write`, each parameter's statistics go to the record, its weights
        are kept until `after`, and `then` receives the curvature along the last update as well.

        The curvature is (g' - g)·d / d·d for the change d that led from the gradient g to g': the Rayleigh quotient of
        the mean Hessian along it, exact for a quadratic loss on the same data (Nocedal & Wright 2006, eq. 6.6).
        """
        norm = GradientNorm()
        elsewhere: list[torch.Tensor] = []
        products: list[tuple[float, float]] = []
        self._open = []
        counts_exponents = write and step >= self._next_exponents
        if counts_exponents:
            self._next_exponents = max(step + 1, step * _EXPONENTS_GROWTH)
        for parameter, found in gradients:
            gradient = local_part(found)
            number = self._number_of(parameter) if write else None
            if number is None and self._readings.is_elsewhere(gradient):
                elsewhere.append(gradient)
                continue
            row = _Row(step, number) if number is not None else None
            self._readings.statistics(gradient, partial(_gradient_known, norm, row))
            if row is not None:
                self._readings.statistics(local_part(parameter), partial(_weight_known, row))
                self._look_closely(row, parameter, gradient, products, counts_exponents)
        for values in _largest_and_norms(elsewhere):
            self._readings.values(values, norm.add_norms)
        self._readings.afterwards(lambda: then(norm, _curvature(products)))

    def after(self, then: Callable[[float | None], None], optimizer: torch.optim.Optimizer | None = None) -> None:
        """After the update: what it did goes to the record; gives `then` the Euclidean norm of the change (of the
        sampled elements), or None where nothing was measured."""
        if not self._open:
            then(None)
            return
        decays = _second_decays(optimizer)
        opened, self._open = self._open, []
        total = GradientNorm()
        for each in opened:
            change = _float(each.sample) - _float(each.before)
            if each.gradient is not None:
                each.history.step, each.history.gradient = each.row.step, each.gradient
                each.history.change = change
            measured = [_norm(change), _norm(each.before), *_unchanged(each)]
            second = _second_moment(each, decays.get(id(each.parameter)), optimizer)
            measured += [] if second is None else [second]
            numbers = torch.stack([value.float() for value in measured])
            self._readings.values(numbers, partial(_update_known, total, each.row))
        rows = [each.row for each in opened]
        self._readings.afterwards(lambda: self._measured(rows, total, then))

    def without_update(self) -> None:
        """The program ends, or goes on, without the update that was expected: write the gradients that were seen."""
        rows, self._open = [each.row for each in self._open], []
        self._announce("parameter_step", [row.columns() for row in rows if row.statistics[0] is not None])

    def _measured(self, rows: list[_Row], total: GradientNorm, then: Callable[[float | None], None]) -> None:
        self._announce("parameter_step", [row.columns() for row in rows if row.statistics[0] is not None])
        then(math.sqrt(total.squares) if math.isfinite(total.squares) else total.squares)

    def _look_closely(
        self,
        row: _Row,
        parameter: torch.Tensor,
        gradient: torch.Tensor,
        products: list[tuple[float, float]],
        counts_exponents: bool,
    ) -> None:
        history = self._history(parameter)
        sample = _sample(parameter)
        same_layout = gradient.shape == local_part(parameter).shape and not gradient.is_complex()
        seen = _sample(gradient).clone() if same_layout else None
        if seen is not None:
            self._compare_with_last(row.step, history, seen, products)
            if counts_exponents:
                self._count_exponents(row, seen)
        if gradient.dim() >= 2 and gradient.numel() <= _MOST_FOR_UNITS:
            self._count_silent(row, history, gradient)
        self._open.append(_Open(row, parameter, history, sample, sample.clone(), seen))

    def _compare_with_last(
        self, step: int, history: _History, gradient: torch.Tensor, products: list[tuple[float, float]]
    ) -> None:
        change = history.change
        if history.step == step - 1 and change is not None and history.gradient is not None:
            difference = _float(gradient) - _float(history.gradient)
            if difference.shape == change.shape:
                dots = torch.stack([(difference * change).sum(), (change * change).sum()])
                self._readings.values(dots, lambda found: products.append((found[0], found[1])))
        history.gradient = history.change = None

    def _count_silent(self, row: _Row, history: _History, gradient: torch.Tensor) -> None:
        active = (gradient.detach().flatten(1) != 0).any(dim=1)
        before = [each for each in history.masks if each.shape == active.shape]
        history.masks = [*before[1 - _MASKS :], active]
        if len(history.masks) == _MASKS:
            silent = (~torch.stack(history.masks).any(dim=0)).sum()
            self._readings.values(silent, lambda found: setattr(row, "silent_units", int(found[0])))

    def _count_exponents(self, row: _Row, gradient: torch.Tensor) -> None:
        values = gradient.reshape(-1)
        values = values if values.dtype == torch.float64 else values.float()
        held = torch.isfinite(values) & (values != 0)
        exponents = torch.frexp(torch.where(held, values, 1.0)).exponent - 1  # floor(log2 |x|)
        where = exponents.clamp(-_EXPONENTS, _EXPONENTS - 1).long() + _EXPONENTS
        counts = torch.zeros(2 * _EXPONENTS, device=values.device, dtype=torch.float32).scatter_add_(
            0, where, held.float()
        )
        zeros = (values == 0).sum().float().reshape(1)
        self._readings.values(torch.cat([zeros, counts]), partial(self._exponents_known, row))

    def _exponents_known(self, row: _Row, found: list[float]) -> None:
        zeros, counts = int(found[0]), [int(each) for each in found[1:]]
        held = [index for index, count in enumerate(counts) if count]
        first, last = (held[0], held[-1]) if held else (_EXPONENTS, _EXPONENTS - 1)
        columns = (row.step, row.parameter, first - _EXPONENTS, json.dumps(counts[first : last + 1]), zeros)
        self._announce("exponents", [columns])

    def _history(self, parameter: torch.Tensor) -> _History:
        found = self._histories.get(id(parameter))
        if found is None or found[0]() is not parameter:
            key = id(parameter)
            forget = weakref.ref(parameter, lambda _: self._histories.pop(key, None))
            found = self._histories[key] = (forget, _History())
        return found[1]


def local_part(tensor: torch.Tensor) -> torch.Tensor:
    """The part of a tensor that lies on this rank (sharded data parallel), made dense where it is sparse."""
    to_local = getattr(tensor, "to_local", None)
    if to_local is not None:
        return to_local()  # type: ignore[no-any-return]
    return tensor.coalesce().values() if tensor.is_sparse else tensor


def _gradient_known(norm: GradientNorm, row: _Row | None, statistics: tuple[Any, ...]) -> None:
    norm.add(statistics)
    if row is not None:
        row.statistics = statistics


def _weight_known(row: _Row, statistics: tuple[Any, ...]) -> None:
    row.weight_rms = statistics[11]


def _update_known(total: GradientNorm, row: _Row, numbers: Sequence[float]) -> None:
    change, size, unchanged, moved = numbers[:4]
    row.update_ratio = change / size if size > 0 else None
    row.unchanged = unchanged / moved if moved > 0 else None
    row.adam_ratio = numbers[4] if len(numbers) > 4 else None
    total.squares += change * change


def _unchanged(each: _Open) -> tuple[torch.Tensor, torch.Tensor]:
    """How many sampled elements an update with a gradient left as they were, and how many had a gradient."""
    if each.gradient is None:
        nothing = torch.zeros((), device=each.before.device)
        return nothing, nothing
    asked = each.gradient != 0
    return ((each.sample == each.before) & asked).sum(), asked.sum()


def _second_decays(optimizer: torch.optim.Optimizer | None) -> dict[int, float]:
    """Adam's beta2 by the id of each parameter; empty for optimizers that keep no second moment."""
    decays: dict[int, float] = {}
    for group in optimizer.param_groups if optimizer is not None else ():
        betas = group.get("betas")
        if isinstance(betas, (tuple, list)) and len(betas) > 1:
            decays.update({id(parameter): float(betas[1]) for parameter in group["params"]})
    return decays


def _second_moment(each: _Open, decay: float | None, optimizer: torch.optim.Optimizer | None) -> torch.Tensor | None:
    """Rms of g / sqrt(v), v being Adam's second moment after the update, corrected for its start at zero; None for
    other optimizers. It is RMS_t of Wortsman et al. 2023 (arXiv 2304.13013), who see loss spikes follow values above
    2.3."""
    if decay is None or optimizer is None or each.gradient is None:
        return None
    state = optimizer.state.get(each.parameter) or {}
    moment, count = state.get("exp_avg_sq"), state.get("step")
    if not isinstance(moment, torch.Tensor) or count is None:
        return None
    seen = _sample(moment)
    if seen.shape != each.gradient.shape:
        return None
    # Adam corrects for the start of v at 0 by 1 - beta2^t; a count on an accelerator is not waited for.
    on_host = not isinstance(count, torch.Tensor) or count.device.type == "cpu"
    steps = float(count) if on_host else each.row.step + 1.0
    corrected = _float(seen) / (1.0 - decay ** max(steps, 1.0) or 1.0)
    return (_float(each.gradient).square() / corrected).where(corrected > 0, 0.0).mean().sqrt()


def _curvature(products: list[tuple[float, float]]) -> float | None:
    along, length = sum(each[0] for each in products), sum(each[1] for each in products)
    return along / length if length > 0 and math.isfinite(along) and math.isfinite(length) else None


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


def _sample(tensor: torch.Tensor) -> torch.Tensor:
    """A view of about `_SAMPLED_ELEMENTS` evenly spaced elements, which sees later writes."""
    flat = local_part(tensor).detach()
    flat = flat.view(-1) if flat.is_contiguous() else flat
    return flat[:: max(1, flat.numel() // _SAMPLED_ELEMENTS)] if flat.dim() == 1 else flat


def _float(values: torch.Tensor) -> torch.Tensor:
    """In float32 at least."""
    return values if values.is_complex() or values.dtype == torch.float64 else values.float()


def _norm(values: torch.Tensor) -> torch.Tensor:
    return torch.linalg.vector_norm(_float(values))
