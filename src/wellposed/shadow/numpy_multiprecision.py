"""mpmath as the reference of NumPy operations: 50 digits in arrays of objects, element by element.

Slow, and for the programs where more digits cancel than extended precision holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from mpmath import MPContext

from wellposed.shadow.numpy_dtypes import Array

context = MPContext()
context.dps = 50

_MOST_ELEMENTS = 200_000
"""Larger arrays are refused: they would take minutes an operation."""


def number(value: Any) -> Any:
    """One NumPy or Python number exactly."""
    if isinstance(value, (complex, np.complexfloating)):
        return context.mpc(number(value.real), number(value.imag))
    if isinstance(value, np.longdouble):
        high = float(value)
        return context.mpf(high) + (context.mpf(float(value - np.longdouble(high))) if np.isfinite(high) else 0)
    return context.mpf(float(value)) if not isinstance(value, (int, np.integer)) else context.mpf(int(value))


def lifted(value: Array) -> Array:
    """An array of mpmath's numbers that equal those of `value`."""
    if value.size > _MOST_ELEMENTS:
        raise NotImplementedError(f"more than {_MOST_ELEMENTS:,} elements for mpmath")
    result = np.empty(value.shape, object)
    flat = result.reshape(-1)
    for index, element in enumerate(value.reshape(-1)):
        flat[index] = number(element)
    return result


def difference(value: Array, shadow: Array) -> Array:
    """value − shadow as float64, after subtracting exactly; 0 where both are the same infinity or both NaN."""

    def one(a: Any, b: Any) -> float:
        exact = number(a)
        if exact == b or (exact != exact and b != b):
            return 0.0
        return float(abs(exact - b)) if isinstance(exact - b, context.mpc) else float(exact - b)

    return _mapped(one, value, shadow).astype(np.float64)


def _mapped(function: Callable[..., Any], *arrays: Any) -> Array:
    made = np.frompyfunc(function, len(arrays), 1)(*arrays)
    if isinstance(made, np.ndarray):
        return made
    result = np.empty((), object)
    result[()] = made
    return result


def evaluate(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`function` on arrays of mpmath's numbers; see `Reference.apply`."""
    kwargs = {name: value for name, value in kwargs.items() if name != "dtype"}
    name = str(getattr(function, "__name__", ""))
    try:
        with context.workdps(context.dps):
            if isinstance(function, np.ufunc) and name in _FUNCTIONS:
                return _mapped(_FUNCTIONS[name], *(_operand(arg) for arg in args))
            if name in _WHOLE:
                return _WHOLE[name](*args, **kwargs)
            return function(*args, **kwargs)
    except (TypeError, AttributeError, ValueError) as error:
        raise NotImplementedError(f"{name} has no counterpart in mpmath") from error


def _operand(value: Any) -> Any:
    array = np.asarray(value)
    return array if array.dtype == object else lifted(array)


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's conventions at poles and outside domains: infinity and NaN, no exception."""

    def call(*args: Any) -> Any:
        try:
            result = function(*args)
        except (ZeroDivisionError, ValueError, OverflowError):
            return context.nan
        return (
            context.nan
            if isinstance(result, context.mpc) and not any(isinstance(a, context.mpc) for a in args)
            else result
        )

    return call


def _divide(a: Any, b: Any) -> Any:
    if b == 0:
        return context.nan if a == 0 or a != a else (context.inf if a > 0 else -context.inf)
    return a / b


def _log(a: Any) -> Any:
    return -context.inf if a == 0 else context.log(a)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: _guarded(function)
    for name, function in {
        "add": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: a * b, "divide": _divide,
        "power": lambda a, b: a**b, "float_power": lambda a, b: a**b, "negative": lambda a: -a, "positive": lambda a: a,
        "absolute": abs, "fabs": abs, "square": lambda a: a * a, "reciprocal": lambda a: _divide(context.mpf(1), a),
        "sqrt": context.sqrt, "cbrt": lambda a: context.sign(a) * context.cbrt(abs(a)),
        "exp": context.exp, "exp2": lambda a: context.mpf(2) ** a, "expm1": context.expm1, "log": _log,
        "log2": lambda a: _log(a) / context.ln2, "log10": lambda a: _log(a) / context.ln10, "log1p": context.log1p,
        "sin": context.sin, "cos": context.cos, "tan": context.tan, "arcsin": context.asin, "arccos": context.acos,
        "arctan": context.atan, "arctan2": context.atan2, "sinh": context.sinh, "cosh": context.cosh,
        "tanh": context.tanh, "arcsinh": context.asinh, "arccosh": context.acosh, "arctanh": context.atanh,
        "hypot": context.hypot, "maximum": max, "minimum": min, "fmax": max, "fmin": min,
        "degrees": context.degrees, "radians": context.radians, "floor": context.floor, "ceil": context.ceil,
        "rint": context.nint, "trunc": lambda a: context.floor(a) if a >= 0 else context.ceil(a),
        "logaddexp": lambda a, b: max(a, b) + context.log1p(context.exp(-abs(a - b))),
        "isnan": context.isnan, "isinf": context.isinf, "isfinite": context.isfinite,
    }.items()
}  # fmt: skip


def _root(values: Any) -> Any:
    return _mapped(_FUNCTIONS["sqrt"], values)


def _mean(a: Array, axis: Any = None, *, keepdims: bool = False) -> Any:
    total = np.sum(a, axis=axis, keepdims=keepdims)
    return total / (np.asarray(a).size // max(np.asarray(total).size, 1))


def _variance(a: Array, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    total = np.sum((a - _mean(a, axis, keepdims=True)) ** 2, axis=axis, keepdims=keepdims)
    return total / (np.asarray(a).size // max(np.asarray(total).size, 1) - ddof)


def _norm(a: Array, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if ord not in (None, 2, "fro") or (ord == 2 and np.ndim(a) > 1 and axis is None):
        raise NotImplementedError("this norm has no counterpart in mpmath")
    return _root(np.asarray(np.sum(abs(a) ** 2, axis=axis, keepdims=keepdims)))


_WHOLE: dict[str, Callable[..., Any]] = {
    "mean": _mean,
    "var": _variance,
    "std": lambda *args, **kwargs: _root(np.asarray(_variance(*args, **kwargs))),
    "norm": _norm,
    "pow": lambda a, b: _mapped(_FUNCTIONS["power"], a, _operand(b)),
    "truediv": lambda a, b: _mapped(_FUNCTIONS["divide"], _operand(a), _operand(b)),
    "square": lambda a: a * a,
    "copy": lambda a: np.array(a, object),
    "solve": lambda a, b: _solved(a, b),
    "inv": lambda a: _solved(a, lifted(np.eye(len(a)))),
    "det": lambda a: np.asarray(context.det(context.matrix(a.tolist())), object),
}
"""Functions of NumPy's that do not take objects."""


def _solved(a: Array, b: Array) -> Array:
    if a.ndim != 2:
        raise NotImplementedError("stacks of matrices have no counterpart in mpmath")
    columns = b.reshape(len(b), -1)
    result = np.empty(columns.shape, object)
    for index in range(columns.shape[1]):
        solution = context.lu_solve(context.matrix(a.tolist()), context.matrix(columns[:, index].tolist()))
        result[:, index] = list(solution)
    return result.reshape(b.shape)
