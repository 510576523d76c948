"""A whole program in another format: its modules rounded forward and backward, from the moment PyTorch is imported."""

from __future__ import annotations

import json
import weakref
from dataclasses import asdict, dataclass
from typing import Any

from wellposed.advice.formats import target_of
from wellposed.capture.importing import when_imported


@dataclass(frozen=True, slots=True)
class Rounding:
    """What to round, as it travels to the process that does it."""

    dtype: str
    keep: tuple[str, ...]
    scale: float
    """Loss scale; gradients are divided by it before they reach a parameter."""

    def text(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def of(text: str) -> Rounding:
        """Raises ValueError where the text is none of `text`."""
        found = json.loads(text)
        return Rounding(target_of(found["dtype"]).name, tuple(map(str, found["keep"])), float(found["scale"]))


def round_program(rounding: Rounding, folder: str) -> None:
    """Round from now on, or from when PyTorch is imported. Before a recording begins, so that it sees rounded values;
    it lasts as long as the process."""
    when_imported("torch", lambda: _install(rounding, folder))


def _install(rounding: Rounding, folder: str) -> None:
    import torch

    from wellposed.capture.modules import Modules
    from wellposed.capture.parameters import leaves_of
    from wellposed.capture.sites import Sites
    from wellposed.integrations.fake_precision import OUTSIDE, FakePrecision

    paths: dict[int, str] = {-1: OUTSIDE}
    modules = Modules(Sites(folder, lambda row: None), lambda row: paths.__setitem__(int(str(row[0])), str(row[1])))
    roots: weakref.WeakSet[torch.nn.Module] = weakref.WeakSet()

    def adopt(module: torch.nn.Module) -> None:
        if module not in roots:
            roots.add(module)
            modules.adopt(module)

    modules.on_outermost = adopt
    modules.install()
    mode = FakePrecision(target_of(rounding.dtype), rounding.keep, scope_of=lambda: paths[modules.current])
    mode.__enter__()
    if rounding.scale == 1.0:
        return
    backward = torch.Tensor.backward

    def unscaled(gradient: torch.Tensor) -> torch.Tensor:
        mode.paused = True
        try:
            return gradient / rounding.scale
        finally:
            mode.paused = False

    def scaled_backward(self: torch.Tensor, gradient: torch.Tensor | None = None, *args: Any, **kwargs: Any) -> None:
        hooks = [leaf.register_hook(unscaled) for leaf in leaves_of(self)]
        given = torch.ones_like(self) if gradient is None else gradient
        try:
            backward(self, given * rounding.scale, *args, **kwargs)
        finally:
            for hook in hooks:
                hook.remove()

    torch.Tensor.backward = scaled_backward  # type: ignore[method-assign, assignment]
