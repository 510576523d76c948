"""The oracle: an entry's formula over exact numbers (mpmath), and the digits that a form of it leaves.

Inputs are rounded to the dtype first, and the exact value is that of the rounded inputs: what is lost is the form's.
"""

from __future__ import annotations

import builtins
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import mpmath
import numpy as np
import torch

from wellposed.rewrites import Rewrite, compile_form

DIGITS = {
    "float16": 3.3,
    "bfloat16": 2.4,
    "float32": 7.2,
    "float64": 15.95,
    "uint8": 15.95,
    "int32": 15.95,
    "int64": 15.95,
}
"""Of a dtype's significand, log10(2^p); integers are judged like float64."""
PRECISION = 150
"""Decimal digits of the oracle."""
_NEIGHBOURS = 5


def _log(x: Any) -> Any:
    return mpmath.log(x) if x != 0 else mpmath.mpf("-inf")


EXACT: dict[str, Any] = {
    **{name: np.frompyfunc(getattr(mpmath, name), 1, 1) for name in (
        "exp", "expm1", "sqrt", "sin", "cos", "tan", "tanh", "sinh", "cosh", "erf", "erfc", "gamma", "loggamma", "acos",
        "asin", "atan", "atanh", "log1p", "sign", "floor", "cbrt")},
    "log": np.frompyfunc(_log, 1, 1),
    "mpf": mpmath.mpf,
    "i0": np.frompyfunc(lambda x: mpmath.besseli(0, x), 1, 1),
    "atan2": np.frompyfunc(mpmath.atan2, 2, 1),
    "xlogx": np.frompyfunc(lambda x: x * mpmath.log(x) if x else mpmath.mpf(0), 1, 1),
    "relu": np.frompyfunc(lambda x: x if x > 0 else mpmath.mpf(0), 1, 1),
    "sum": lambda x, axis=None: np.sum(x, axis=axis), "prod": lambda x: np.prod(x), "max": lambda x: np.max(x),
    "min": lambda x: np.min(x), "abs": np.abs, "cumsum": np.cumsum, "cumprod": np.cumprod,
    "mean": lambda x: np.sum(x) / np.size(x), "len": lambda x: mpmath.mpf(np.size(x)),
    "where": np.where, "pi": mpmath.pi, "array": lambda x: np.array(x, dtype=object), "range": range,
    "det": lambda m: mpmath.det(mpmath.matrix(m.tolist())),
    "lstsq": lambda a, b: np.array(
        mpmath.qr_solve(mpmath.matrix(a.tolist()), mpmath.matrix(b.tolist()))[0].tolist(), dtype=object)[:, 0],
    "int": int,
}  # fmt: skip


def values(rewrite: Rewrite, t: float | None, *, fine: bool = False) -> dict[str, Any]:
    """The inputs as plain Python numbers and lists."""
    names = {name: getattr(builtins, name) for name in ("range", "float", "int", "sum", "max", "min")}
    names.update(
        t=t, n=int(t) if t is not None else None, pi=math.pi, exp=math.exp, sin=math.sin, cos=math.cos, sqrt=math.sqrt
    )
    texts = rewrite.fine if fine else rewrite.input
    return {name: eval(text, dict(names)) for name, text in texts.items()}


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, list) and bool(value) and _is_boolean(value[0]))


def arrays(given: dict[str, Any], dtype: str, library: str) -> dict[str, Any]:
    """The inputs in one dtype; booleans stay what they are."""
    made = {}
    for name, value in given.items():
        if library == "torch":
            kind = torch.bool if _is_boolean(value) else getattr(torch, dtype)
            made[name] = torch.tensor(value, dtype=torch.float64 if kind.is_floating_point else kind).to(kind)
        else:
            with np.errstate(all="ignore"):
                made[name] = np.asarray(value, dtype=bool if _is_boolean(value) else dtype)
    return made


def numbers(result: Any) -> Any:
    """A result as a float64 array (int64 kept: it may hold more digits)."""
    if isinstance(result, torch.Tensor):
        result = result.detach()
        return (result if result.dtype == torch.int64 else result.double()).numpy()
    return np.asarray(result) if np.asarray(result).dtype.kind in "iu" else np.asarray(result, dtype=np.float64)


def exact_value(rewrite: Rewrite, given: dict[str, Any], *, stable: bool = False) -> Any:
    """The exact meaning at float64-representable inputs, as an array of mpmath numbers."""
    with mpmath.workdps(PRECISION):
        lifted = {}
        for name, value in given.items():
            array = numbers(value)
            lifted[name] = np.frompyfunc(lambda v: v if isinstance(v, bool) else mpmath.mpf(v), 1, 1)(array.tolist())
            if isinstance(value, torch.Tensor) and value.dtype == torch.bool:
                lifted[name] = array.astype(bool)
            elif not isinstance(value, torch.Tensor) and value.dtype == bool:
                lifted[name] = value
        formula = rewrite.stable_exact if stable else rewrite.exact
        return np.atleast_1d(np.asarray(eval(formula, {**EXACT, **lifted}), dtype=object))


def digits_left(result: Any, exact: Any, dtype: str) -> float:
    """Digits of the worst element; one far below the root mean square is judged against unit roundoff × rms."""
    held = DIGITS[dtype]
    found = np.atleast_1d(numbers(result))
    if found.shape != exact.shape:
        found = np.broadcast_to(found, exact.shape) if found.size == 1 else found.reshape(exact.shape)
    worst = held
    with mpmath.workdps(PRECISION):
        rms = mpmath.sqrt(sum(e * e for e in exact.ravel()) / exact.size)
        for one, truth in zip(found.ravel().tolist(), exact.ravel(), strict=True):
            if not math.isfinite(one):
                return 0.0
            error = abs(mpmath.mpf(one) - truth)
            size = max(abs(truth), rms * mpmath.mpf(10) ** -held)
            if error == 0:
                continue
            worst = min(worst, float(-mpmath.log10(error / size)) if size else 0.0)
    return max(0.0, worst)


def left(
    rewrite: Rewrite, form: str, t: float | None, dtype: str, library: str = "torch", *, fine: bool = False
) -> float:
    """Digits left of one form at one input; 0 where it raises an error of the library's."""
    given = arrays(values(rewrite, t, fine=fine), dtype, library)
    exact = exact_value(rewrite, given, stable=form == "stable")
    run = compile_form(rewrite, library, form)
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = _gradient(run, given) if rewrite.of == "gradient" else run(**_copies(given))
    except (RuntimeError, np.linalg.LinAlgError, OverflowError, ZeroDivisionError):
        return 0.0
    return digits_left(result, exact, dtype)


def worst_left(rewrite: Rewrite, form: str, t: float | None, dtype: str, library: str = "torch") -> float:
    """The same at a few neighbouring inputs, the worst: at a single one rounding may be kind by chance."""
    if t is None:
        return left(rewrite, form, t, dtype, library)
    return min(left(rewrite, form, t * (1 + k / 379), dtype, library) for k in range(_NEIGHBOURS))


def fails(rewrite: Rewrite, t: float | None, dtype: str, library: str = "torch") -> bool:
    """Whether the unstable form keeps fewer than half of what the dtype holds."""
    return worst_left(rewrite, "unstable", t, dtype, library) < DIGITS[dtype] / 2


def keeps(rewrite: Rewrite, dtype: str) -> float:
    """Digits that the stable form is to leave."""
    return min(DIGITS[dtype] - 1, rewrite.keeps if rewrite.keeps is not None else math.inf)


def libraries(rewrite: Rewrite, dtype: str) -> Iterator[str]:
    """The libraries that have both forms, and the dtype."""
    if "torch" in rewrite.unstable:
        yield "torch"
    if "numpy" in rewrite.unstable and rewrite.of == "value" and dtype != "bfloat16":
        yield "numpy"


def _copies(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value.clone() if isinstance(value, torch.Tensor) else value.copy() for name, value in given.items()}


def _gradient(run: Callable[..., Any], given: dict[str, Any]) -> Any:
    """Of the sum of the result, by the first variable."""
    first = next(iter(given))
    leaf = given[first].clone().requires_grad_()
    run(**{**_copies(given), first: leaf}).sum().backward()
    return leaf.grad
