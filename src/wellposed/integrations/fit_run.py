"""One forward and backward pass, in float32 or in another format, that leaves the model as it was."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._pytree import tree_map

from wellposed.advice.fit_outcome import Outcome
from wellposed.advice.formats import Target
from wellposed.integrations.fake_precision import FakePrecision, is_wide
from wellposed.integrations.fit_mixed import mixed
from wellposed.integrations.pytorch import loss_of, put_back

LossFunction = Callable[..., torch.Tensor] | None

_LOSS_TOLERANCE = 64.0
"""In units of roundoff: roundings of a deep network add up to a few tens of them."""
_MOST_LOSS_ERROR = 0.5
_MOST_RATIO = 2.0
"""Of the gradients' norms, either way: clipping and lost values shorten them."""
_LEAST_COSINE = {"float16": 0.95, "bfloat16": 0.9, "float8_e4m3fn": 0.7, "float8_e5m2": 0.5}
"""Gradients that point further away from float32's are not the same training any more. Rounding n values to k bits
turns a vector by about 2^-k; the rest is room for a few layers of it."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Loss and gradients, by parameter name, of one pass."""

    loss: float
    gradients: dict[str, torch.Tensor]
    error: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is to run, each time the same."""

    model: torch.nn.Module
    batch: Any
    loss_fn: LossFunction
    target: Target

    def reference(self) -> Pass:
        """In the model's own precision."""
        return self._pass(self.model, self.batch, 1.0)

    def rounded(self, keep: Collection[str], scale: float, *, outside: bool = False) -> tuple[Pass, FakePrecision]:
        """Computed in float32 and rounded in every module but `keep`, and outside of modules where asked for."""
        mode = FakePrecision(self.target, keep, rounds_outside=outside)
        return self._pass(self.model, self.batch, scale, mode.applied(self.model)), mode

    def mixed(self, keep: Collection[str], scale: float) -> Pass:
        """A copy with the format's own kernels, but for `keep` and what runs outside of modules."""
        try:
            model = mixed(self.model, getattr(torch, self.target.name), keep)
        except (RuntimeError, TypeError) as error:
            return Pass(math.nan, {}, f"the model cannot be copied ({_first_line(error)})")
        return self._pass(model, self.batch, scale)

    def native(self) -> Pass:
        """A copy of the model cast to the format, run with the format's own kernels."""
        dtype = getattr(torch, self.target.name)
        try:
            model = copy.deepcopy(self.model).to(dtype)
        except (RuntimeError, TypeError) as error:
            return Pass(math.nan, {}, f"the model cannot be copied ({_first_line(error)})")
        batch = tree_map(lambda each: each.to(dtype) if is_wide(each) else each, self.batch)
        return self._pass(model, batch, 1.0)

    def _pass(
        self,
        model: torch.nn.Module,
        batch: Any,
        scale: float,
        around: contextlib.AbstractContextManager[Any] | None = None,
    ) -> Pass:
        """`around` sees the model's operators, and not those that put everything back."""
        with _undisturbed(model):
            try:
                with around or contextlib.nullcontext():
                    loss = loss_of(model, batch, self.loss_fn)
                    (loss * scale if scale != 1.0 else loss).backward()
                value = float(loss.detach())
            except (RuntimeError, TypeError, NotImplementedError, ArithmeticError) as error:
                return Pass(math.nan, {}, _first_line(error))
            gradients = {
                name: parameter.grad.detach().to(torch.float64) / scale
                for name, parameter in model.named_parameters()
                if parameter.grad is not None and not parameter.grad.is_sparse
            }
        return Pass(value, gradients)


def outcome(kind: str, kernels: str, found: Pass, reference: Pass, target: Target) -> Outcome:
    """The pass against the one in float32."""
    names = [name for name in reference.gradients if name in found.gradients]
    lost = alive = nonfinite = 0
    for name in names:
        here, there = found.gradients[name], reference.gradients[name]
        nonfinite += int((~torch.isfinite(here)).sum())
        lost += int(((here == 0) & (there != 0)).sum())
        alive += int((there != 0).sum())
    cosine, ratio = math.nan, math.nan
    if not nonfinite:
        cosine, ratio = _cosine_and_ratio(found.gradients, reference.gradients, names)
    if alive:
        alike = cosine >= _LEAST_COSINE[target.name] and 1 / _MOST_RATIO <= ratio <= _MOST_RATIO
    else:
        error = abs(found.loss - reference.loss) / max(abs(reference.loss), 1e-30)
        alike = error <= min(_MOST_LOSS_ERROR, _LOSS_TOLERANCE * target.unit_roundoff)
    survives = not found.error and math.isfinite(found.loss) and not nonfinite and alike
    share = lost / alive if alive else 0.0
    return Outcome(kind, kernels, found.error, found.loss, reference.loss, nonfinite, share, cosine, ratio, survives)


def _cosine_and_ratio(
    first: dict[str, torch.Tensor], second: dict[str, torch.Tensor], names: list[str]
) -> tuple[float, float]:
    """Cosine of the angle between all gradients, and the ratio of their norms; 1 where both are zero."""
    product = one = other = 0.0
    for name in names:
        product += float((first[name] * second[name]).sum())
        one += float(first[name].square().sum())
        other += float(second[name].square().sum())
    if one == 0.0 or other == 0.0:
        return (1.0, 1.0) if one == other else (0.0, 0.0 if one == 0.0 else math.inf)
    return product / math.sqrt(one) / math.sqrt(other), math.sqrt(one / other)


@contextlib.contextmanager
def _undisturbed(model: torch.nn.Module) -> Iterator[None]:
    """Gradients set aside and given back, as are buffers and the state of random numbers."""
    gradients = [(parameter, parameter.grad) for parameter in model.parameters()]
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    devices = [device.index or 0 for device in {each.device for each, _ in gradients} if device.type == "cuda"]
    try:
        with torch.random.fork_rng(devices=devices), torch.enable_grad():
            for parameter, _ in gradients:
                parameter.grad = None
            yield
    finally:
        put_back(buffers)
        for parameter, gradient in gradients:
            parameter.grad = gradient


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:200]
