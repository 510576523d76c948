"""Oracles: the same formulas in mpmath at 400 bits, and digits counted there, by code that shares nothing with ours."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np

context = mpmath.MPContext()
context.prec = 400

namespace = SimpleNamespace(
    sqrt=context.sqrt, sin=context.sin, cos=context.cos, tan=context.tan, arctan=context.atan, exp=context.exp,
    log=context.log,
)  # fmt: skip

HOLDS = {"bfloat16": 2.4, "float16": 3.3, "float32": 7.2, "float64": 15.95}
ROUNDOFF = {"bfloat16": 2.0**-8, "float16": 2.0**-11, "float32": 2.0**-24, "float64": 2.0**-53}


def number(value: Any) -> Any:
    """A floating-point number exactly, whatever its format."""
    if isinstance(value, np.longdouble):
        high = float(value)
        return context.mpf(high) + context.mpf(float(value - np.longdouble(high)))
    return context.mpf(float(value))


def elementwise(function: Callable[..., Any], *inputs: Any) -> list[Any]:
    """`function(namespace, ...)` of each element."""
    return [function(namespace, *map(number, row)) for row in zip(*(np.ravel(array) for array in inputs), strict=True)]


def digits(computed: Any, true: list[Any], dtype: str) -> tuple[float, float]:
    """Significant digits of an array against exact numbers: by the 2-norm, and of the worst element.

    An element far below the root mean square is judged against unit roundoff times that.
    """
    values = [number(value) if np.isfinite(float(value)) else None for value in np.ravel(computed)]
    errors = [context.inf if a is None else abs(a - b) for a, b in zip(values, true, strict=True)]
    size = context.sqrt(context.fsum(b * b for b in true))
    floor = context.mpf(ROUNDOFF[dtype]) * size / context.sqrt(len(true))
    total = context.inf if context.inf in errors else context.sqrt(context.fsum(e * e for e in errors))
    worst = max((e / max(abs(b), floor) if e else context.mpf(0)) for e, b in zip(errors, true, strict=True))
    return _digits(total / size if total else 0, dtype), _digits(worst, dtype)


def _digits(error: Any, dtype: str) -> float:
    if error == 0:
        return HOLDS[dtype]
    if error == context.inf:
        return 0.0
    return float(min(max(-context.log10(error), 0), HOLDS[dtype]))
