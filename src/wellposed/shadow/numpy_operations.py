"""What was called, brought to one form: a name, a function that changes nothing, and where its results were written.

NumPy says one thing in many ways: `a + b`, `np.add(a, b)`, `a.__iadd__(b)`, `math.exp(x)`, `a.sum()`, `np.sum(a)`.
"""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wellposed.shadow.numpy_kinds import COMPARING, Kind, kind_of

_SYMBOLS: dict[str, str] = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "matmul": "matmul", "neg": "negative", "pos": "positive", "abs": "absolute",
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal",
    "getitem": "getitem", "setitem": "setitem", "divmod": "divmod", "round": "round",
}  # fmt: skip

_MATH: dict[str, Any] = {
    "acos": np.arccos, "asin": np.arcsin, "atan": np.arctan, "atan2": np.arctan2, "acosh": np.arccosh,
    "asinh": np.arcsinh, "atanh": np.arctanh, "pow": np.power, "fabs": np.abs, "floor": np.floor, "ceil": np.ceil,
    "trunc": np.trunc, "fmod": np.fmod, "copysign": np.copysign, "degrees": np.degrees, "radians": np.radians,
    "isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite, "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1,
    "log": np.log, "log2": np.log2, "log10": np.log10, "log1p": np.log1p, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "sqrt": np.sqrt, "cbrt": np.cbrt,
}  # fmt: skip


@dataclass(slots=True)
class Operation:
    """One call in its plain form."""

    name: str
    kind: Kind
    function: Callable[..., Any]
    """Pure and open to every floating-point format."""
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    writes: tuple[Any, ...] = ()
    """Arrays of the program that the results were written into, in their order; empty where results are new."""


def operation_of(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Operation:
    """The plain form of a call. What is not known to be NumPy's, Python's or math's comes back as `opaque`."""
    owner = getattr(function, "__self__", None)
    name = str(getattr(function, "__name__", function))
    if isinstance(function, np.ufunc):
        return _ufunc(function, args, dict(kwargs))
    if isinstance(owner, np.ufunc):
        return _ufunc_method(owner, name, function, args, dict(kwargs))
    if isinstance(owner, (np.ndarray, np.generic)):
        return _method(name, (owner, *args), dict(kwargs))
    if getattr(function, "__objclass__", None) in (np.ndarray, np.generic, np.number, np.floating):
        return _method(name, args, dict(kwargs))
    if isinstance(owner, (float, int, complex)) or getattr(function, "__objclass__", None) in (float, int, complex):
        return _symbol(name, (owner, *args) if isinstance(owner, (float, int, complex)) else args, function)
    module = str(getattr(function, "__module__", "") or "")
    if module in ("_operator", "operator"):
        found = _symbol(name, args, function)
        if kwargs.get("out") is not None:
            found.writes = (kwargs["out"],)
        return found
    if module == "math":
        return _math(name, function, args, dict(kwargs))
    if module == "builtins" and getattr(builtins, name, None) is function:
        return _builtin(name, function, args, dict(kwargs))
    if module.split(".")[0] == "numpy":
        return _numpy(name, function, args, dict(kwargs))
    return Operation(name, "opaque", function, args, dict(kwargs))


def _ufunc(function: np.ufunc, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Operation:
    out = kwargs.pop("out", None)
    if len(args) > function.nin:
        args, out = args[: function.nin], args[function.nin :]
    writes = tuple(out) if isinstance(out, tuple) else (out,) if out is not None else ()
    name, kind = function.__name__, kind_of(function.__name__, function)
    where = kwargs.pop("where", True)
    for irrelevant in ("casting", "order", "subok", "signature", "sig"):
        kwargs.pop(irrelevant, None)
    if where is True:
        return Operation(name, kind, function, args, kwargs, writes)
    if len(writes) != 1 or kind not in ("smooth", "carrying"):
        return Operation(name, "opaque", function, args, kwargs, writes)

    def masked(mask: Any, before: Any, *operands: Any, **options: Any) -> Any:
        return np.where(mask, function(*operands, **options), before)

    return Operation(name, kind, masked, (where, writes[0], *args), kwargs, writes)


def _ufunc_method(
    owner: np.ufunc, name: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Operation:
    if name == "at":
        target, index, *rest = args

        def applied(content: Any, where: Any, *operands: Any) -> Any:
            changed = content.copy()
            owner.at(changed, where, *operands)
            return changed

        return Operation(f"{owner.__name__}.at", "smooth", applied, (target, index, *rest), {}, (target,))
    out = kwargs.pop("out", None)
    writes = tuple(out) if isinstance(out, tuple) else (out,) if out is not None else ()
    full = f"{owner.__name__}.{name}"
    plain = owner.__name__ in ("maximum", "minimum", "fmax", "fmin")
    comparing = owner.__name__ in COMPARING
    return Operation(
        full, "comparing" if comparing else "carrying" if plain else "smooth", function, args, kwargs, writes
    )


def _symbol(name: str, args: tuple[Any, ...], original: Any) -> Operation:
    bare = name.strip("_")
    swapped = bare.startswith("r") and bare[1:] in _SYMBOLS and bare not in ("round",)
    if swapped:
        bare, args = bare[1:], args[::-1]
    in_place = bare.startswith("i") and bare[1:] in _SYMBOLS
    bare = bare[1:] if in_place else bare
    if bare in ("float", "complex"):
        return Operation("float", "carrying", np.positive, args)
    if bare == "setitem":
        return _set_item(*args)
    if bare not in _SYMBOLS or bare == "divmod":
        return Operation(name, "opaque", original, args)
    plain = getattr(operator, bare, np.round)
    full = _SYMBOLS[bare]
    writes = (args[0],) if in_place and isinstance(args[0], np.ndarray) else ()
    return Operation(full, kind_of(full, plain), plain, args, {}, writes)


def _set_item(target: Any, index: Any, value: Any) -> Operation:
    if not isinstance(target, np.ndarray):
        return Operation("setitem", "opaque", operator.setitem, (target, index, value))
    view = target[index]
    basic = isinstance(view, np.ndarray) and view.base is not None and np.may_share_memory(view, target)
    if basic and np.ndim(value) <= view.ndim:
        # Only what was written is new; the rest of the memory keeps its shadow.
        return Operation("setitem", "carrying", _assigned, (_Shape(view.shape), value), {}, (view,))
    if not isinstance(view, np.ndarray) and np.ndim(value) == 0:
        everywhere = (*index, ...) if isinstance(index, tuple) else (index, ...)
        return Operation("setitem", "carrying", _assigned, (_Shape(()), value), {}, (target[everywhere],))
    return Operation("setitem", "carrying", _assigned_at, (target, index, value), {}, (target,))


class _Shape:
    """A shape that is no tuple, so that nobody looks for values in it."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self.sizes = sizes


def _assigned(shape: _Shape, value: Any) -> Any:
    value = np.asarray(value)
    if value.ndim > len(shape.sizes):
        value = value.reshape(value.shape[value.ndim - len(shape.sizes) :])
    return np.broadcast_to(value, shape.sizes).copy()


def _assigned_at(content: Any, index: Any, value: Any) -> Any:
    changed = content.astype(np.result_type(content, value)) if isinstance(value, np.ndarray) else content.copy()
    changed[index] = value
    return changed


def _math(name: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Operation:
    if name == "fsum":
        return Operation("sum", "smooth", np.sum, (list(args[0]),))
    if name in ("hypot", "dist", "prod", "sumprod"):
        return _multiple(name, function, args)
    found = _MATH.get(name)
    if found is None or (name == "log" and len(args) == 2):
        return Operation(name, "opaque", function, args, kwargs)
    return Operation(found.__name__, kind_of(found.__name__, found), found, args)


def _multiple(name: str, function: Any, args: tuple[Any, ...]) -> Operation:
    pure: dict[str, Callable[..., Any]] = {
        "hypot": lambda *parts: np.sqrt(np.sum(np.square(np.array(parts)))),
        "dist": lambda p, q: np.sqrt(np.sum(np.square(np.array(p) - np.array(q)))),
        "prod": lambda parts: np.prod(np.array(parts)),
        "sumprod": lambda p, q: np.sum(np.array(p) * np.array(q)),
    }
    return Operation(name, "smooth", pure[name], tuple(list(a) if isinstance(a, tuple) else a for a in args))


def _builtin(name: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Operation:
    if name == "sum" and not kwargs and isinstance(args[0], (list, tuple, np.ndarray)):
        first = args[0] if isinstance(args[0], np.ndarray) else list(args[0])
        return Operation("sum", "smooth", _added_up, (first, *args[1:]))
    if name in ("min", "max") and not kwargs:
        parts = list(args[0] if len(args) == 1 else args)
        return Operation(name, "carrying", np.min if name == "min" else np.max, (parts,))
    if name in ("abs", "pow", "round"):
        return _symbol(name, args, function)
    return Operation(name, "opaque", function, args, kwargs)


def _added_up(parts: Any, start: Any = 0) -> Any:
    total = start
    for part in parts:
        total = total + part
    return total


def _method(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Operation:
    from wellposed.shadow.numpy_methods import method_of

    if name.startswith("__"):
        return _symbol(name, args, getattr(type(args[0]), name, operator.index))
    found = method_of(name, args, kwargs)
    if found is not None:
        return found
    function = getattr(np, name, None)
    if function is None:
        return Operation(name, "opaque", getattr(type(args[0]), name, operator.index), args, kwargs)
    return _numpy(name, function, args, kwargs)


def _numpy(name: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Operation:
    if isinstance(function, np.ufunc):
        return _ufunc(function, args, kwargs)
    from wellposed.shadow.numpy_methods import writer_of

    found = writer_of(name, args, kwargs)
    if found is not None:
        return found
    out = kwargs.pop("out", None)
    writes = tuple(out) if isinstance(out, tuple) else (out,) if out is not None else ()
    return Operation(name, kind_of(name, function), function, args, kwargs, writes)
