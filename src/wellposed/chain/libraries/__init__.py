"""Whose arrays they are. One file a library; none is loaded before one of its arrays is met.

Each holds ``multiply(arrays)``, the product; ``multiply_into(arrays, out)`` where arrays can be written to; and
``Toolbox``, what else `wellposed.chain.structured` needs of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

_FILES = {
    "numpy": "numpy",
    "torch": "torch",
    "jax": "jax",
    "jaxlib": "jax",
    "dask": "dask",
    "scipy": "sparse",
    "cupy": "standard",
}
"""The file for a top-level module that defines a class of arrays."""

_TAKES_NUMPY = ("jax", "dask", "sparse")
"""Libraries whose own products take NumPy's arrays beside their own."""


def library_of(arrays: Sequence[Any]) -> ModuleType:
    """The file for `arrays`. Sequences and numbers count as NumPy's.

    Raises TypeError where arrays of different libraries are mixed that do not mix by themselves.
    """
    files = {_file(type(array)) for array in arrays}
    if len(files) == 2 and "numpy" in files and (other := next(iter(files - {"numpy"}))) in _TAKES_NUMPY:
        files = {other}
    if len(files) > 1:
        kinds = ", ".join(f"{at}: {type(array).__module__}.{type(array).__name__}" for at, array in enumerate(arrays))
        raise TypeError(f"operands of different libraries are not multiplied; convert them to one ({kinds})")
    return import_module(f"{__name__}.{files.pop()}")


def _file(kind: type) -> str:
    for base in kind.__mro__:
        file = _FILES.get(base.__module__.partition(".")[0])
        if file is not None:
            return file
    return "standard" if hasattr(kind, "__array_namespace__") else "numpy"
