"""Where a peer is put on an unmodified program: its models, optimizers and losses, as they come into being.

Works in the program's process. A *model* is an outermost `nn.Module` that holds parameters or whose class the program
defines; it is handed over just before its first forward pass, and once more with each optimizer of its parameters, so
that all is built by then: this is where a user would put the peer's line, right above the loop.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

OnModel = Callable[[Any, Any], None]
"""Called with a model and one of its optimizers, or None where it has none yet."""


class Watch:
    """The running program, as adapters see it."""

    def __init__(self, program: Path):
        self.program = str(program)
        self._modules: list[weakref.ref[Any]] = []
        self._made_at: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._optimizers: list[Any] = []
        self._on_model: list[OnModel] = []
        self._told: set[tuple[int, int]] = set()
        self._looked: set[tuple[int, int, int]] = set()
        self._models: list[Any] = []
        self._depth = 0

    def on_model(self, callback: OnModel) -> None:
        self._on_model.append(callback)

    def on_loss(self, callback: Callable[[float], None]) -> None:
        """Call `callback` with the value of a loss after its backward pass."""
        import torch

        backward = torch.Tensor.backward

        def reporting(tensor: Any, *args: Any, **kwargs: Any) -> None:
            backward(tensor, *args, **kwargs)
            if tensor.numel() == 1:
                callback(float(tensor.detach()))

        torch.Tensor.backward = reporting  # type: ignore[method-assign]

    def start(self) -> None:
        import torch

        self._follow_modules(torch.nn.Module)
        made = torch.optim.Optimizer.__init__

        def init(optimizer: Any, *args: Any, **kwargs: Any) -> None:
            made(optimizer, *args, **kwargs)
            self._optimizers.append(optimizer)

        torch.optim.Optimizer.__init__ = init  # type: ignore[method-assign]

    def _follow_modules(self, module_class: Any) -> None:
        made, called = module_class.__init__, module_class.__call__

        def init(module: Any, *args: Any, **kwargs: Any) -> None:
            made(module, *args, **kwargs)
            self._modules.append(weakref.ref(module))
            line = self._line_that_makes(module)
            if line is not None:
                self._made_at[module] = line

        def call(module: Any, *args: Any, **kwargs: Any) -> Any:
            if self._depth == 0:
                self._hand_over(module)
            self._depth += 1
            try:
                return called(module, *args, **kwargs)
            finally:
                self._depth -= 1

        module_class.__init__, module_class.__call__ = init, call

    def _line_that_makes(self, module: Any) -> int | None:
        """The innermost line of the program below the module's own constructors."""
        frame = sys._getframe(2)
        while frame is not None:
            if frame.f_code.co_filename == self.program and frame.f_locals.get("self") is not module:
                return frame.f_lineno
            frame = frame.f_back  # type: ignore[assignment]
        return None

    def _hand_over(self, module: Any) -> None:
        looked = (id(module), len(self._modules), len(self._optimizers))
        if looked in self._looked:
            return
        self._looked.add(looked)
        model = self._outermost(module)
        if not self._is_model(model):
            return
        own = {id(parameter) for parameter in model.parameters()}
        optimizers = [o for o in self._optimizers if any(id(p) in own for g in o.param_groups for p in g["params"])]
        for optimizer in optimizers or [None]:
            key = (id(model), id(optimizer))
            if key not in self._told:
                self._told.add(key)
                self._models.append(model)
                for callback in self._on_model:
                    callback(model, optimizer)

    def _outermost(self, module: Any) -> Any:
        alive = [other for other in (ref() for ref in self._modules) if other is not None]
        for other in alive:
            if other is not module and any(inner is module for inner in other.modules()):
                return self._outermost(other)
        return module

    def _is_model(self, module: Any) -> bool:
        return type(module).__module__ == "__main__" or any(True for _ in module.parameters())

    def lines_of(self, name: str | None) -> tuple[int, ...]:
        """The lines of the program that belong to the module, or to the owner of the parameter, called `name`."""
        if name is None:
            return ()
        for model in self._models:
            for path in (name, name.rpartition(".")[0]):
                try:
                    module = model.get_submodule(path)
                except AttributeError:
                    continue
                return tuple(sorted({*self._creation(module), *self._body(module)}))
        return ()

    def _creation(self, module: Any) -> Iterator[int]:
        if module in self._made_at:
            yield self._made_at[module]

    def _body(self, module: Any) -> Iterator[int]:
        for function in vars(type(module)).values():
            code = getattr(function, "__code__", None)
            if code is not None and code.co_filename == self.program:
                yield from {line for _, _, line in code.co_lines() if line is not None}
