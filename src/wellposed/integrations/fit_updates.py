"""One step of the optimizer on a copy, and what would be left of it with weights and states in another format."""

from __future__ import annotations

import copy

import torch

from wellposed.advice.fit_outcome import UpdateCheck
from wellposed.advice.formats import Target
from wellposed.integrations.fake_precision import is_wide, round_to
from wellposed.integrations.fit_run import Pass, Setting


def check_updates(
    setting: Setting, reference: Pass, optimizer: torch.optim.Optimizer | None
) -> tuple[UpdateCheck, ...]:
    """Steps in float32 from where the optimizer is, with the float32 gradients; empty without an optimizer, or where
    it cannot be copied."""
    if optimizer is None:
        return ()
    try:
        # Copied together, so that the copy of the optimizer holds the copy's parameters.
        model, stepper = copy.deepcopy((setting.model, optimizer))
    except (RuntimeError, TypeError):
        return ()
    named = dict(model.named_parameters())
    before = {name: parameter.detach().clone() for name, parameter in named.items()}
    for name, parameter in named.items():
        gradient = reference.gradients.get(name)
        parameter.grad = None if gradient is None else gradient.to(parameter.dtype)
    try:
        stepper.step()
    except (RuntimeError, TypeError):  # one that wants a closure
        return ()
    root = type(model).__name__
    return tuple(
        _check(f"{root}.{name}", before[name], parameter, stepper, setting.target)
        for name, parameter in named.items()
        if name in reference.gradients and is_wide(parameter)
    )


@torch.no_grad()
def _check(
    name: str, before: torch.Tensor, parameter: torch.Tensor, stepper: torch.optim.Optimizer, target: Target
) -> UpdateCheck:
    held = round_to(before, target)
    change = parameter.detach() - before
    meant = change != 0
    lost = (round_to(held + change, target) == held) & meant
    states = {
        str(key): _share((round_to(value, target) == 0) & (value != 0), value != 0)
        for key, value in (stepper.state.get(parameter) or {}).items()
        if is_wide(value) and value.shape == parameter.shape
    }
    return UpdateCheck(name, _share(lost, meant), states)


def _share(part: torch.Tensor, whole: torch.Tensor) -> float:
    total = int(whole.sum())
    return int(part.sum()) / total if total else 0.0
