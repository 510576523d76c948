"""A few elements of every parameter, looked at around each update: what Adam remembers, and what the update does.

All parameters of an optimizer are read by a handful of operators together, so that it is cheap enough for every step.
The caller has switched dispatch modes off.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from wellposed.capture.device_readings import DeviceReadings

SAMPLED = 128
"""Elements of a parameter, evenly spaced in memory: an rms over so many is known to about a tenth."""
MOST_PARAMETERS = 2_000

Name = Callable[[torch.Tensor], str]
Feed = Callable[[str, float, str], None]
"""Receives a quantity of `signals.QUANTITIES`, its value, and the parameter's name."""


@dataclass(slots=True)
class _Plan:
    """What stays the same from step to step: views that see every later write."""

    key: tuple[object, ...]
    names: list[str]
    places: list[tuple[int, int, bool]]
    """Of each parameter: how many elements, how far apart, whether it is a matrix."""
    weights: list[torch.Tensor]
    moments: list[torch.Tensor]
    segment: torch.Tensor
    """The parameter that each sampled element belongs to."""
    counts: torch.Tensor
    decay: float
    epsilon: float
    count: torch.Tensor
    """Updates that Adam has made."""
    kept: list[object]
    """What `key` tells by its id, which is then nobody else's."""
    shares: torch.Tensor
    """How many elements of the parameter each sampled one stands for."""
    edge: float
    """Learning rate times curvature at which training becomes unstable; 0 where that is not known."""
    last: tuple[torch.Tensor, torch.Tensor] | None = None
    """The gradient before the last update, and what the update changed."""
    gradient: torch.Tensor | None = None


class Samples:
    def __init__(self, name_of: Name, readings: DeviceReadings, feed: Feed):
        self._name_of = name_of
        self._readings = readings
        self._feed = feed
        self._plans: weakref.WeakKeyDictionary[torch.optim.Optimizer, _Plan] = weakref.WeakKeyDictionary()
        self._before: tuple[_Plan, torch.Tensor] | None = None

    def before(
        self,
        optimizer: torch.optim.Optimizer,
        gradients: Sequence[tuple[torch.Tensor, torch.Tensor]],
        where: str,
        *,
        epsilon: bool,
    ) -> None:
        """Read gradients, second moments and weights before an update; with `epsilon`, compare them with Adam's.
        `where` names the optimizer."""
        self._before = None
        found = [(each, gradient) for each, gradient in gradients[:MOST_PARAMETERS] if _lies_alike(each, gradient)]
        if not found or any(gradient.device != found[0][1].device for _, gradient in found):
            return
        plan = self._plan(optimizer, [each for each, _ in found])
        self._before = plan, torch.cat(plan.weights)
        if not plan.moments and not plan.edge:
            return
        chosen = zip(found, plan.places, strict=True)
        seen = torch.cat([gradient.as_strided((n,), (apart,)) for (_, gradient), (n, apart, _) in chosen]).float()
        moment = torch.cat(plan.moments).float() if plan.moments else None
        self._compare_with_last(plan, seen, moment, float(optimizer.param_groups[0]["lr"]), where)
        plan.gradient = seen
        if moment is None:
            return
        squares = seen * seen
        # The second moment as the update is about to make it, corrected for its start at 0.
        moment = moment.mul_(plan.decay).add_(squares, alpha=1 - plan.decay)
        correction = 1.0 - plan.decay ** (float(plan.count) + 1.0)
        shares = (squares / moment).mul_(correction).nan_to_num_(0.0, 0.0, 0.0)
        known = torch.cat([_rms(plan, shares), _rms(plan, squares)])
        self._readings.values(known, lambda values: self._moments_known(plan, values, epsilon))

    def skip(self, optimizer: torch.optim.Optimizer) -> None:
        """An update that nobody looks at: what comes after it cannot be compared with what came before."""
        self._before = None
        plan = self._plans.get(optimizer)
        if plan is not None:
            plan.last = plan.gradient = None

    def after(self) -> None:
        """Compare the weights with what they were."""
        if self._before is None:
            return
        (plan, before), self._before = self._before, None
        before = before.float()
        change = torch.cat(plan.weights).float() - before
        plan.last = (plan.gradient, change) if plan.gradient is not None else None
        known = torch.cat([_rms(plan, change * change), _rms(plan, before * before)])
        self._readings.values(known, lambda values: self._update_known(plan, values))

    def _compare_with_last(
        self, plan: _Plan, gradient: torch.Tensor, moment: torch.Tensor | None, rate: float, where: str
    ) -> None:
        """Curvature along the last update: change of the gradient along it over its length, in the metric that the
        optimizer steps in (Adam divides by the root of its second moment)."""
        last, plan.last = plan.last, None
        if last is None or not plan.edge:
            return
        before, change = last
        length = change * change * plan.shares
        if moment is not None:
            length *= (moment / (1.0 - plan.decay ** max(float(plan.count), 1.0))).sqrt_().add_(plan.epsilon)
        along = ((gradient - before) * change).mul_(plan.shares)
        sums = torch.stack([along.sum(), length.sum()])

        def known(values: list[float]) -> None:
            if values[1] > 0:
                self._feed("curvature_over_edge", rate * values[0] / values[1] / plan.edge, where)

        self._readings.values(sums, known)

    def _moments_known(self, plan: _Plan, values: list[float], epsilon: bool) -> None:
        half = len(plan.names)
        for name, ratio, size, (count, _, _) in zip(plan.names, values, values[half:], plan.places, strict=False):
            if count >= SAMPLED // 4:
                self._feed("adam_ratio", ratio, name)
            if epsilon and plan.epsilon > 0:
                self._feed("gradient_over_epsilon", size / plan.epsilon, name)

    def _update_known(self, plan: _Plan, values: list[float]) -> None:
        half = len(plan.names)
        for name, change, size, (_, _, is_matrix) in zip(plan.names, values, values[half:], plan.places, strict=False):
            # Vectors are biases and scales: many start at 0, and the ratio means nothing.
            if is_matrix and size > 0:
                self._feed("update_ratio", change / size, name)

    def _plan(self, optimizer: torch.optim.Optimizer, parameters: list[torch.Tensor]) -> _Plan:
        states = [optimizer.state.get(each) or {} for each in parameters]
        moments = [state.get("exp_avg_sq") for state in states]
        key = (*((id(p), p.data_ptr(), id(moment)) for p, moment in zip(parameters, moments, strict=True)),)
        plan = self._plans.get(optimizer)
        if plan is None or plan.key != key:
            plan = self._plans[optimizer] = self._new_plan(optimizer, parameters, states, key)
        return plan

    def _new_plan(
        self,
        optimizer: torch.optim.Optimizer,
        parameters: list[torch.Tensor],
        states: list[dict[str, Any]],
        key: tuple[object, ...],
    ) -> _Plan:
        places = [_place(each) for each in parameters]
        device = parameters[0].device
        counts = torch.tensor([float(n) for n, _, _ in places], device=device, dtype=torch.float32)
        sizes = torch.tensor([float(each.numel()) for each in parameters], device=device, dtype=torch.float32)
        segment = torch.repeat_interleave(torch.arange(len(places), device=device), counts.long())
        moments, decay, epsilon = _second_moments(optimizer, parameters, states, places)
        return _Plan(
            key=key,
            names=[self._name_of(each) for each in parameters],
            places=places,
            weights=[_view(each, place) for each, place in zip(parameters, places, strict=True)],
            moments=moments,
            segment=segment,
            counts=counts,
            decay=decay,
            epsilon=epsilon,
            count=states[0]["step"] if moments else counts,
            shares=torch.repeat_interleave(sizes / counts, counts.long()),
            edge=_edge(optimizer, decay),
            kept=[state.get("exp_avg_sq") for state in states],
        )


def _rms(plan: _Plan, squares: torch.Tensor) -> torch.Tensor:
    """Root of the mean over each parameter's sampled elements."""
    total = torch.zeros_like(plan.counts).index_add_(0, plan.segment, squares)
    return total.div_(plan.counts).sqrt_()


def _second_moments(
    optimizer: torch.optim.Optimizer,
    parameters: list[torch.Tensor],
    states: list[dict[str, Any]],
    places: list[tuple[int, int, bool]],
) -> tuple[list[torch.Tensor], float, float]:
    """Views of Adam's second moments with its beta2 and eps; no views where it keeps none, or keeps them otherwise."""
    group = optimizer.param_groups[0]
    betas, epsilon = group.get("betas"), group.get("eps")
    count = states[0].get("step")
    on_host = isinstance(count, torch.Tensor) and count.device.type == "cpu"  # else reading it waits for the device
    if not on_host or not isinstance(betas, (tuple, list)) or len(betas) < 2 or not isinstance(epsilon, float):
        return [], 0.0, 0.0
    found = []
    for parameter, state, place in zip(parameters, states, places, strict=True):
        moment = state.get("exp_avg_sq")
        if not isinstance(moment, torch.Tensor) or not _lies_alike(parameter, moment):
            return [], 0.0, 0.0
        found.append(_view(moment, place))
    return found, float(betas[1]), epsilon


def _edge(optimizer: torch.optim.Optimizer, decay: float) -> float:
    """2 for gradient descent, 2 (1 + beta) with momentum (Cohen et al. 2021, arXiv 2103.00065), 2 (1 + beta1) /
    (1 - beta1) = 38 for Adam (Cohen et al. 2022, arXiv 2207.14484); 0 for other optimizers and for several rates."""
    group = optimizer.param_groups[0]
    if any(each["lr"] != group["lr"] for each in optimizer.param_groups) or group.get("maximize"):
        return 0.0
    if type(optimizer) is torch.optim.SGD:
        return 2.0 * (1.0 + float(group["momentum"]))
    if type(optimizer) in (torch.optim.Adam, torch.optim.AdamW) and decay > 0:
        beta = float(group["betas"][0])
        return 2.0 * (1.0 + beta) / (1.0 - beta)
    return 0.0


def _lies_alike(parameter: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether both are plain tensors whose elements lie in memory one after the other, in the same order."""
    if type(other) not in (torch.Tensor, torch.nn.Parameter) or other.layout is not torch.strided:
        return False
    if other.numel() == 0 or not other.is_floating_point() or other.device != parameter.device or other.is_meta:
        return False
    if parameter.is_contiguous() and other.is_contiguous():
        return parameter.shape == other.shape
    dense = parameter.dim() == 4 and parameter.is_contiguous(memory_format=torch.channels_last)
    return dense and parameter.shape == other.shape and parameter.stride() == other.stride()


def _place(parameter: torch.Tensor) -> tuple[int, int, bool]:
    apart = max(1, parameter.numel() // SAMPLED)
    return min(SAMPLED, parameter.numel() // apart), apart, parameter.dim() >= 2


def _view(tensor: torch.Tensor, place: tuple[int, int, bool]) -> torch.Tensor:
    return tensor.detach().as_strided((place[0],), (place[1],))
