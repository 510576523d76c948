"""What a step is: watches optimizers, backward() and GradScaler, and calls back where steps begin and end.

A step ends when an optimizer's ``step()`` returns, or when a GradScaler skips it. In a program that calls backward()
but no PyTorch optimizer, a step ends where the next forward operation that needs gradients begins. A program that
does neither is one step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch.optim import optimizer as torch_optimizer
from torch.utils._python_dispatch import _disable_current_modes

from wellposed.capture.patches import Patches


class StepListener(Protocol):
    """Who is told: all calls come with dispatch modes still active."""

    def backward_begins(self, loss: torch.Tensor | None) -> None: ...
    def backward_ended(self, gradients: Sequence[tuple[torch.Tensor, torch.Tensor]] | None = None) -> None: ...
    def gradient_begins(self) -> None: ...
    def gradient_ended(self) -> None: ...
    @property
    def grad_is_backward(self) -> bool: ...  # whether torch.autograd.grad is all that a program has
    def update_begins(self, optimizer: torch.optim.Optimizer) -> None: ...
    def update_ended(self, optimizer: torch.optim.Optimizer) -> None: ...
    def update_skipped(self, scale: float) -> None: ...
    def scale_known(self, scale: float) -> None: ...  # the scale that this step is taken with
    def optimizer_made(self, optimizer: torch.optim.Optimizer) -> None: ...
    def take_stop(self) -> BaseException | None: ...  # what the program is to be stopped by, around an update


@dataclass(slots=True)
class StepWatch:
    """Installs the hooks. Its own errors are given to `on_failure`, never to the program."""

    listener: StepListener
    patches: Patches
    on_failure: Callable[[BaseException], None]
    is_ours: Callable[[], bool] = lambda: False
    """Whether a gradient that is asked for now is asked for by ourselves."""
    _handles: list[Any] = field(default_factory=list)
    _updated: bool = False

    def install(self) -> None:
        self._handles = [
            torch_optimizer.register_optimizer_step_pre_hook(self._before_update),
            torch_optimizer.register_optimizer_step_post_hook(self._after_update),
        ]
        self.patches.wrap(torch.autograd, "backward", self._wrap_backward)
        self.patches.wrap(torch.autograd, "grad", self._wrap_grad)
        self.patches.wrap(torch.optim.Optimizer, "__init__", self._wrap_optimizer_init)
        self.patches.wrap(torch.amp.GradScaler, "step", self._wrap_scaler_step)
        self.patches.wrap(torch.amp.GradScaler, "update", self._wrap_scaler_update)

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _tell(self, method: Callable[..., None], *args: Any) -> None:
        try:
            method(*args)
        except Exception as error:
            self.on_failure(error)

    def _before_update(self, optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
        self._tell(self.listener.update_begins, optimizer)
        self._stop_if_wanted()  # a hook that raises here keeps the update from being made

    def _after_update(self, optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
        self._updated = True
        self._tell(self.listener.update_ended, optimizer)
        self._stop_if_wanted()

    def _stop_if_wanted(self) -> None:
        stop = self.listener.take_stop()
        if stop is not None:
            raise stop

    def _wrap_backward(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def backward(*args: Any, **kwargs: Any) -> Any:
            if self.is_ours():
                return original(*args, **kwargs)
            tensors = args[0] if args else kwargs.get("tensors")
            first = tensors if isinstance(tensors, torch.Tensor) else next(iter(tensors or ()), None)
            self._updated = False
            self._tell(self.listener.backward_begins, first)
            try:
                return original(*args, **kwargs)
            finally:
                self._tell(self.listener.backward_ended)

        return backward

    def _wrap_grad(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def grad(*args: Any, **kwargs: Any) -> Any:
            if self.is_ours():
                return original(*args, **kwargs)
            asked = _grad_of_a_loss(args, kwargs) if self.listener.grad_is_backward else None
            if asked is not None:
                return self._grad_as_backward(original, asked, args, kwargs)
            self._tell(self.listener.gradient_begins)
            try:
                return original(*args, **kwargs)
            finally:
                self._tell(self.listener.gradient_ended)

        return grad

    def _grad_as_backward(
        self,
        original: Callable[..., Any],
        asked: tuple[torch.Tensor, list[torch.Tensor]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        loss, inputs = asked
        pairs: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._tell(self.listener.backward_begins, loss)
        try:
            result = original(*args, **kwargs)
            pairs = [(each, found) for each, found in zip(inputs, result, strict=False) if found is not None]
            return result
        finally:
            self._tell(self.listener.backward_ended, pairs)

    def _wrap_optimizer_init(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __init__(optimizer: torch.optim.Optimizer, *args: Any, **kwargs: Any) -> None:
            original(optimizer, *args, **kwargs)
            self._tell(self.listener.optimizer_made, optimizer)

        return __init__

    def _wrap_scaler_step(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def step(scaler: Any, *args: Any, **kwargs: Any) -> Any:
            if scaler.is_enabled():
                self._tell(self._read_scale, scaler, self.listener.scale_known)
            return original(scaler, *args, **kwargs)

        return step

    def _wrap_scaler_update(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def update(scaler: Any, *args: Any, **kwargs: Any) -> Any:
            if scaler.is_enabled() and not self._updated:
                self._tell(self._read_scale, scaler, self.listener.update_skipped)
            return original(scaler, *args, **kwargs)

        return update

    def _read_scale(self, scaler: Any, tell: Callable[[float], None]) -> None:
        with _disable_current_modes():
            scale = float(scaler.get_scale())
        tell(scale)


def _grad_of_a_loss(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[torch.Tensor, list[torch.Tensor]] | None:
    """The loss and the leaves that torch.autograd.grad is asked about; None where it is no gradient of a loss for an
    update: of several outputs, of inputs that are no leaves, or to be differentiated again."""
    outputs = args[0] if args else kwargs.get("outputs")
    inputs = args[1] if len(args) > 1 else kwargs.get("inputs")
    if isinstance(outputs, (tuple, list)) and len(outputs) == 1:
        outputs = outputs[0]
    wanted = [inputs] if isinstance(inputs, torch.Tensor) else list(inputs or ())
    again = kwargs.get("create_graph") or (len(args) > 4 and args[4])
    scalar = isinstance(outputs, torch.Tensor) and outputs.numel() == 1
    leaves = bool(wanted) and all(isinstance(each, torch.Tensor) and each.is_leaf for each in wanted)
    return (outputs, wanted) if scalar and leaves and not again else None
