"""The arithmetic that stands for the exact one where NumPy computes: float64, 80 bits, or mpmath.

`auto` takes float64 beside float16, bfloat16 and float32, and x86's extended precision (64 bits of significand, with
libm's functions at full accuracy) beside float64. That is 11 bits more than float64: enough to tell how many digits are
left until about 19 cancel; beyond that a report says `limited`, and `mpmath` (50 digits) tells more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from wellposed.shadow.numpy_dtypes import Array, component_name

NAMES = ("auto", "float64", "longdouble", "mpmath")

_EXTENDED_BITS = int(np.finfo(np.longdouble).nmant) + 1


class UnsuitableReferenceError(ValueError):
    """The reference that was asked for does not exist here or is not better than what it is to stand beside."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One of `NAMES`. A shadow is a NumPy array of float64, longdouble, their complex pairs, or objects of mpmath."""

    choice: str = "auto"

    def __post_init__(self) -> None:
        if self.choice not in NAMES:
            raise UnsuitableReferenceError(f"no reference {self.choice!r} for NumPy: choose from {', '.join(NAMES)}")
        if self.choice == "mpmath":
            try:
                import mpmath  # noqa: F401
            except ImportError:
                raise UnsuitableReferenceError("the reference 'mpmath' needs the package mpmath") from None

    @property
    def is_multiprecision(self) -> bool:
        return self.choice == "mpmath"

    def dtype_for(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """The dtype of shadows of values of `dtype`."""
        if self.choice == "mpmath":
            return np.dtype(object)
        wide = self.choice == "longdouble" or (self.choice == "auto" and component_name(dtype) == "float64")
        if dtype.kind == "c":
            return np.dtype(np.clongdouble if wide else np.complex128)
        return np.dtype(np.longdouble if wide else np.float64)

    def lift(self, value: Array) -> Array:
        """The shadow that equals `value` exactly: a new array."""
        if self.choice == "mpmath":
            from wellposed.shadow.numpy_multiprecision import lifted

            return lifted(value)
        return value.astype(self.dtype_for(value.dtype))

    def empty(self, count: int, dtype: np.dtype[Any]) -> Array:
        return np.empty(count, self.dtype_for(dtype))

    def name_for(self, dtypes: set[str]) -> str:
        """What a report calls it, where values of these formats took part."""
        if self.choice == "auto":
            return extended_name() if "float64" in dtypes else "float64"
        return extended_name() if self.choice == "longdouble" else self.choice

    def unit_roundoff(self, shadow: Array) -> float:
        """Of the arithmetic that `shadow` is in."""
        if shadow.dtype == object:
            return 1e-50
        return float(2.0 ** -(_EXTENDED_BITS if shadow.dtype.char in "gG" else 53))

    def apply(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """`function` on arguments in which shadows stand for floating-point values; a result of the same structure.

        Raises NotImplementedError where it has no counterpart in this arithmetic.
        """
        if self.choice == "mpmath":
            from wellposed.shadow.numpy_multiprecision import evaluate

            return evaluate(function, args, kwargs)
        from wellposed.shadow.numpy_extended import evaluate as evaluate_extended

        return evaluate_extended(function, args, kwargs)


def extended_name() -> str:
    """longdouble by the bits of significand it has on this machine."""
    return f"longdouble ({_EXTENDED_BITS} bits)"


def has_extended_precision() -> bool:
    """Whether longdouble is more than float64 here (it is not on some ARM machines, nor with Microsoft's compiler)."""
    return _EXTENDED_BITS > 53
