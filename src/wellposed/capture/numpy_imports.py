"""What a program's own modules import, read from their text: whether they are to be instrumented, and which names in
them stand for libraries. Imports nothing itself."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

ARRAYS: Final = frozenset({"numpy", "scipy", "pandas", "sklearn", "skimage", "statsmodels", "numexpr", "math", "cmath"})
"""Packages whose functions take arrays or the numbers from them."""
OTHER_FRAMEWORKS: Final = frozenset({"torch", "jax", "tensorflow", "keras", "mxnet", "cupy"})
"""With these in a module its arrays are not NumPy's, or are recorded another way."""
_MOST_FILES = 400
_LARGEST_FILE = 2_000_000


@dataclass(frozen=True, slots=True)
class Imports:
    """What one module imports, at any depth of its text."""

    modules: frozenset[str]
    """Dotted names of absolute imports, and of what is imported from them."""
    relative: frozenset[str]
    """Of relative imports, with their leading dots."""
    names: frozenset[str]
    """Names that stand for packages of `ARRAYS` or for what comes from them."""

    @property
    def roots(self) -> frozenset[str]:
        return frozenset(each.partition(".")[0] for each in self.modules)

    @property
    def wanted(self) -> bool:
        """Whether the module is one of NumPy and of nothing that is recorded otherwise."""
        return "numpy" in self.roots and not self.roots & OTHER_FRAMEWORKS

    def is_library(self, function: ast.expr) -> bool:
        """Whether a function is one of `ARRAYS`, by the name it is called by."""
        while isinstance(function, ast.Attribute):
            function = function.value
        return isinstance(function, ast.Name) and function.id in self.names


def imports_of(tree: ast.AST) -> Imports:
    modules, relative, names = set[str](), set[str](), set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                modules.add(each.name)
                if each.name.partition(".")[0] in ARRAYS:
                    names.add(each.asname or each.name.partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            found = {base} | {f"{base}.{each.name}" if node.module else base + each.name for each in node.names}
            (relative if node.level else modules).update(found)
            if not node.level and (node.module or "").partition(".")[0] in ARRAYS:
                names |= {each.asname or each.name for each in node.names}
    return Imports(frozenset(modules), frozenset(relative), frozenset(names))


def reaches_other_framework(tree: ast.AST, folder: str) -> bool:
    """Whether the program, or one of its own modules under `folder` that it imports, imports another framework."""
    seen = set[str]()
    waiting = [(imports_of(tree), folder)]
    while waiting and len(seen) < _MOST_FILES:
        imports, package = waiting.pop()
        if imports.roots & OTHER_FRAMEWORKS:
            return True
        for file in _own_files(imports, folder, package):
            if file not in seen:
                seen.add(file)
                parsed = _parsed(file)
                if parsed is not None:
                    waiting.append((imports_of(parsed), os.path.dirname(file)))
    return False


def _own_files(imports: Imports, folder: str, package: str) -> Iterator[str]:
    for name in imports.modules:
        yield from _files(folder, name.split("."))
    for name in imports.relative:
        plain = name.lstrip(".")
        base = package
        for _ in range(len(name) - len(plain) - 1):
            base = os.path.dirname(base)
        yield from _files(base, plain.split(".") if plain else [])


def _files(folder: str, parts: Iterable[str]) -> Iterator[str]:
    path = os.path.join(folder, *parts)
    for file in (f"{path}.py", os.path.join(path, "__init__.py")):
        if os.path.isfile(file):
            yield file


def _parsed(file: str) -> ast.AST | None:
    try:
        if os.path.getsize(file) > _LARGEST_FILE:
            return None
        with open(file, "rb") as stream:
            return ast.parse(stream.read())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
