"""Calls back right after a module was imported for the first time, without importing it."""

from __future__ import annotations

import contextlib
import functools
import sys
from _thread import get_ident
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def when_imported(module_name: str, callback: Callable[[], None]) -> Callable[[], None]:
    """Call `callback` once `module_name` is imported: at once where it is already, else right after it was executed.

    A module that is looked for, found and never executed (``importlib.util.find_spec``, a lazy loader) does not
    count, nor does an import that failed. An Exception of the callback is told in one line on stderr and goes no
    further: it is not the program's. Returns a function that disarms the hook; once called back, or disarmed,
    ``sys.meta_path`` is as it was.
    """
    if module_name in sys.modules:
        _call(callback, module_name)
        return lambda: None
    watcher = _Watcher(module_name, callback)
    sys.meta_path.insert(0, watcher)
    return watcher.disarm


class _Watcher:
    """A finder that finds nothing itself: it asks the others, and wraps what executes the one module."""

    def __init__(self, module_name: str, callback: Callable[[], None]):
        self._module_name = module_name
        self._callback = callback
        self._armed = True
        # Two watchers of one module would ask each other without end.
        self._asking: set[int] = set()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        thread = get_ident()
        if name != self._module_name or thread in self._asking:
            return None
        self._asking.add(thread)
        try:
            spec = _found_by_others(self, name, path, target)
        finally:
            self._asking.discard(thread)
        if spec is not None:
            self._wrap(spec.loader)
        return spec

    def disarm(self) -> None:
        self._armed = False
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(self)

    def _wrap(self, loader: Any) -> None:
        # On the loader's instance, not around it: whoever looks at __loader__ or __spec__ sees the true one.
        # Loaders that are classes (built-in, frozen) serve all modules alike and are left alone.
        execute = getattr(loader, "exec_module", None)
        if execute is None or isinstance(loader, type):
            return

        @functools.wraps(execute)
        def exec_module(module: ModuleType) -> None:
            with contextlib.suppress(AttributeError):
                del loader.exec_module
            execute(module)
            if self._armed:
                self.disarm()
                _call(self._callback, self._module_name)

        with contextlib.suppress(AttributeError):
            loader.exec_module = exec_module


def _found_by_others(
    self: _Watcher, name: str, path: Sequence[str] | None, target: ModuleType | None
) -> ModuleSpec | None:
    for finder in list(sys.meta_path):
        find = getattr(finder, "find_spec", None)
        if finder is self or find is None:
            continue
        spec: ModuleSpec | None = find(name, path, target)
        if spec is not None:
            return spec
    return None


def _call(callback: Callable[[], None], module_name: str) -> None:
    try:
        callback()
    except Exception as error:
        with contextlib.suppress(Exception):
            kind = type(error).__name__
            print(f"wellposed: cannot watch {module_name} ({kind}: {error}); it goes unrecorded", file=sys.stderr)
