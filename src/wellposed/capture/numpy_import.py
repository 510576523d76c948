"""Has a program's own NumPy modules run from instrumented source. Imports no NumPy: the program does, when it does."""

from __future__ import annotations

import ast
import contextlib
import os
import sys
import types
from _thread import get_ident
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader

from wellposed import _native
from wellposed.capture.numpy_imports import imports_of, reaches_other_framework
from wellposed.capture.numpy_source import compile_instrumented
from wellposed.capture.sites import is_user_code

_LARGEST_SOURCE = 4_000_000


class NumpySources:
    """Compiles what is to be instrumented; a finder in ``sys.meta_path`` while it is armed, that finds nothing itself.

    `on_left_alone` is called with a file and a reason where a module that uses NumPy could not be instrumented.
    """

    def __init__(self, folder: str, on_left_alone: Callable[[str, str], None]):
        self._folder = os.path.join(os.path.realpath(folder), "")
        self._on_left_alone = on_left_alone
        self._asking: set[int] = set()
        self.other_framework = False
        """Whether the program reaches PyTorch or another framework: then nothing of it is instrumented."""

    def arm(self) -> None:
        sys.meta_path.insert(0, self)

    def disarm(self) -> None:
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(self)

    def compile_script(self, source: bytes, file: str) -> types.CodeType | None:
        """The code of the main script; None where it is to be compiled as it is."""
        return self._compile(source, file, main=True)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        thread = get_ident()
        if self.other_framework or thread in self._asking:
            return None
        self._asking.add(thread)
        try:
            spec = self._found_by_others(name, path, target)
        finally:
            self._asking.discard(thread)
        if spec is not None and type(spec.loader) is SourceFileLoader and spec.origin is not None:
            self._prepare(spec.loader, spec.origin)
        return spec

    def _found_by_others(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None
    ) -> ModuleSpec | None:
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec: ModuleSpec | None = find(name, path, target)
            if spec is not None:
                return spec
        return None

    def _prepare(self, loader: SourceFileLoader, file: str) -> None:
        """Compiled here and not by the loader's ``get_code``: a frame of ours among the import system's would keep
        Python from leaving them out of a traceback."""
        if not os.path.realpath(file).startswith(self._folder) or not is_user_code(file):
            return
        try:
            if os.path.getsize(file) > _LARGEST_SOURCE:
                return
            with open(file, "rb") as stream:
                source = stream.read()
        except OSError:
            return
        code = self._compile(source, file, main=False)
        if code is not None:
            loader.get_code = lambda fullname: code  # type: ignore[method-assign,assignment]

    def _compile(self, source: bytes, file: str, *, main: bool) -> types.CodeType | None:
        if not main and b"numpy" not in source:
            return None
        try:
            tree = ast.parse(source, file)
            if main and reaches_other_framework(tree, self._folder):
                self.other_framework = True
                return None
            imports = imports_of(tree)
            if not imports.wanted:
                return None
            return compile_instrumented(tree, file, imports, _native.instrument)
        except SyntaxError:
            return None  # Python tells it better
        except Exception as error:  # whatever it is: the program is to run all the same
            self._on_left_alone(file, f"{type(error).__name__}: {error}"[:200])
            return None
