"""Which NumPy values carry digits, and how their shadows are made."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

SIGNIFICAND_BITS = {"bfloat16": 8, "float16": 11, "float32": 24, "float64": 53}
_COMPONENT = {"complex64": "float32", "complex128": "float64"}


def component_name(dtype: np.dtype[Any]) -> str | None:
    """The name of the floating-point format in which `dtype` keeps its numbers; None for integers and the rest."""
    try:
        return _known[dtype]
    except KeyError:
        name = _COMPONENT.get(dtype.name, dtype.name)
        _known[dtype] = name if name in SIGNIFICAND_BITS else None
        return _known[dtype]


_known: dict[np.dtype[Any], str | None] = {}
"""Names by dtype, for NumPy puts them together anew each time."""


def is_floating(value: Any) -> bool:
    """Whether `value` is an array or a number of a format that rounds (float16 to float64, bfloat16, complex)."""
    if isinstance(value, (np.ndarray, np.generic)):
        return component_name(value.dtype) is not None
    return isinstance(value, (float, complex))


def name_of(value: Any) -> str:
    """`component_name` of a value that `is_floating`; Python's floats are float64."""
    if isinstance(value, (np.ndarray, np.generic)):
        return component_name(value.dtype) or "float64"
    return "float64"


def unit_roundoff(name: str) -> float:
    """Largest relative error of rounding to nearest: 2 to minus the bits of the significand."""
    return float(2.0 ** -SIGNIFICAND_BITS[name])


def as_array(value: Any) -> Array:
    """`value` as an array of its own dtype, without a copy where it is one."""
    return value if isinstance(value, np.ndarray) else np.asarray(value)


def rounded_like(shadow: Array, like: Any) -> Any:
    """What `like`'s dtype can hold that is nearest to `shadow`, as the same kind of object: array, scalar or float."""
    if isinstance(like, (np.ndarray, np.generic)):
        best = np.asarray(shadow).astype(like.dtype)
        return best if isinstance(like, np.ndarray) else best[()]
    return complex(shadow) if isinstance(like, complex) else float(shadow)
