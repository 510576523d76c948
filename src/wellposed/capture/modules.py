"""Which module is running, what it is called, and where the user made it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.modules import module as torch_module

from wellposed.capture.sites import Sites

_MOST_ENTRIES = 50_000
"""Parameters whose owners are remembered before those of dead modules are forgotten."""


class Modules:
    """Follows the stack of running modules through PyTorch's global hooks.

    Paths are built from what the registration hooks saw, so that a submodule called on its own keeps its full name.
    """

    def __init__(self, sites: Sites, announce: Callable[[tuple[object, ...]], None]):
        """`announce` receives each new path as a row of the record's table ``module``."""
        self._sites = sites
        self._announce = announce
        self.current = -1
        """Number of the innermost running module; -1 outside any."""
        self.on_outermost: Callable[[torch.nn.Module], None] = lambda _: None
        """Called with a module that is entered from outside any module."""
        self.on_output: Callable[[int, torch.Tensor], None] | None = None
        """Called with a module's number and its (first) output, where somebody wants it."""
        self.on_failure: Callable[[Exception], None] = _raise
        """Called with an error of ours, which is none of the program's."""
        self._stack: list[int] = []
        self._numbers: dict[str, int] = {}
        self._known: dict[int, tuple[weakref.ref[torch.nn.Module], int]] = {}
        self._parents: dict[int, tuple[weakref.ref[torch.nn.Module], str]] = {}
        self._owners: dict[int, tuple[weakref.ref[torch.nn.Module], str]] = {}
        self._made_at: dict[int, tuple[weakref.ref[torch.nn.Module], int]] = {}
        self._most_entries = _MOST_ENTRIES
        self._handles: list[Any] = []

    def install(self) -> None:
        self._handles = [
            torch_module.register_module_forward_pre_hook(self._contained(self._enter)),
            torch_module.register_module_forward_hook(self._contained(self._leave), always_call=True),
            torch_module.register_module_module_registration_hook(self._contained(self._registered_module)),
            torch_module.register_module_parameter_registration_hook(self._contained(self._registered_parameter)),
        ]

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _contained(self, hook: Callable[..., None]) -> Callable[..., None]:
        def call(*args: Any) -> None:
            try:
                hook(*args)
            except Exception as error:
                self.on_failure(error)

        return call

    def adopt(self, root: torch.nn.Module) -> None:
        """Learn the names of a model whose building the hooks did not see: made before them, copied, or unpickled."""
        for parent in root.modules():
            for name, child in parent._modules.items():
                if child is not None and not _lives(self._parents.get(id(child))):
                    self._parents[id(child)] = (weakref.ref(parent), name)
            for name, parameter in parent._parameters.items():
                if parameter is not None and not _lives(self._owners.get(id(parameter))):
                    self._owners[id(parameter)] = (weakref.ref(parent), name)

    def owner(self, parameter: torch.Tensor) -> tuple[torch.nn.Module, str] | None:
        """The module that holds the parameter and the parameter's full name, where it is known."""
        found = self._owners.get(id(parameter))
        module = found[0]() if found else None
        if found is None or module is None or module._parameters.get(found[1]) is not parameter:
            return None
        return module, f"{self.path(module)}.{found[1]}"

    def made_at(self, module: torch.nn.Module) -> int:
        """Number of the place in the user's source that made the module; -1 where unknown."""
        found = self._made_at.get(id(module))
        return found[1] if found is not None and found[0]() is module else -1

    def path(self, module: torch.nn.Module) -> str:
        """Dotted path from the outermost module that holds it; the outermost goes by its class."""
        names: list[str] = []
        for _ in range(64):
            found = self._parents.get(id(module))
            parent = found[0]() if found else None
            if found is None or parent is None:
                break
            names.append(found[1])
            module = parent
        return ".".join([type(module).__name__, *reversed(names)])

    def path_of(self, number: int) -> str:
        """The path that was announced with this number."""
        return next((path for path, known in self._numbers.items() if known == number), "")

    def _number(self, module: torch.nn.Module) -> int:
        known = self._known.get(id(module))
        if known is not None and known[0]() is module:
            return known[1]
        path = self.path(module)
        number = self._numbers.get(path)
        if number is None:
            number = self._numbers[path] = len(self._numbers) + 1
            site = self.made_at(module)
            kind = type(module)
            self._announce((number, path, site if site > 0 else None, f"{kind.__module__}.{kind.__qualname__}"))
        self._known[id(module)] = (weakref.ref(module), number)
        return number

    def _enter(self, module: torch.nn.Module, _args: Any) -> None:
        if torch.compiler.is_compiling():
            return
        if not self._stack:
            self.on_outermost(module)
        self._stack.append(self.current)
        self.current = self._number(module)

    def _leave(self, _module: torch.nn.Module, _args: Any, output: Any) -> None:
        if not self._stack or torch.compiler.is_compiling():
            return
        if self.on_output is not None:
            first = output if isinstance(output, torch.Tensor) else _first_tensor(output)
            if first is not None:
                self.on_output(self.current, first)
        self.current = self._stack.pop()

    def _forget_the_dead(self) -> None:
        """Programs that copy a model every step would make these tables grow without end."""
        for table in (self._parents, self._owners, self._made_at, self._known):
            for key in [key for key, entry in table.items() if entry[0]() is None]:
                del table[key]
        self._most_entries = max(_MOST_ENTRIES, 2 * len(self._owners))

    def _registered_module(self, parent: torch.nn.Module, name: str, child: torch.nn.Module | None) -> None:
        if child is None:
            return
        found = self._parents.get(id(child))
        if found is None or found[0]() is None:
            self._parents[id(child)] = (weakref.ref(parent), name)
            self._known.clear()
        self._remember_making(child)

    def _registered_parameter(self, module: torch.nn.Module, name: str, parameter: torch.Tensor | None) -> None:
        if parameter is None:
            return
        self._owners[id(parameter)] = (weakref.ref(module), name)
        if len(self._owners) > self._most_entries:
            self._forget_the_dead()
        self._remember_making(module)

    def _remember_making(self, module: torch.nn.Module) -> None:
        """The first registration names the line; a later one, by another container, is not where it was made."""
        found = self._made_at.get(id(module))
        if found is None or found[0]() is not module:
            self._made_at[id(module)] = (weakref.ref(module), self._sites.here())


def _raise(error: Exception) -> None:
    raise error


def _lives(entry: tuple[weakref.ref[torch.nn.Module], Any] | None) -> bool:
    return entry is not None and entry[0]() is not None


def _first_tensor(output: Any) -> torch.Tensor | None:
    """The first tensor of a module's output, where that is a tuple, a list or a mapping."""
    values = output.values() if isinstance(output, dict) else output if isinstance(output, (list, tuple)) else ()
    return next((each for each in values if isinstance(each, torch.Tensor)), None)
