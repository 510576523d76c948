"""The references by name."""

from __future__ import annotations

import importlib
import importlib.util

from wellposed.shadow.reference import Reference

_HOMES = {
    "float64": ("wellposed.shadow.float64", "Float64"),
    "double-double": ("wellposed.shadow.double_double", "DoubleDouble"),
}

NAMES = ("auto", *_HOMES)
"""``auto`` takes double-double for programs with float64 tensors among their arguments, float64 for all others."""


def reference_named(name: str, *, has_float64: bool = False) -> Reference:
    """The reference of that name.

    Raises ValueError for a name that is none of `NAMES`, or whose reference this installation lacks.
    """
    if name not in NAMES:
        raise ValueError(f"there is no reference {name!r}: choose one of {', '.join(NAMES)}")
    if name == "auto":
        name = "double-double" if has_float64 and _is_there("double-double") else "float64"
    if not _is_there(name):
        raise ValueError(f"the reference {name!r} is not part of this installation")
    module, attribute = _HOMES[name]
    found: Reference = getattr(importlib.import_module(module), attribute)()
    return found


def _is_there(name: str) -> bool:
    return importlib.util.find_spec(_HOMES[name][0]) is not None
