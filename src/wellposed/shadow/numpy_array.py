"""An array that computes as NumPy's does and shows every operation to an engine.

Operations run on the plain arrays, so results are NumPy's own to the bit. What NumPy returns in floating point is
wrapped again, numbers too, so that chains go on; whole numbers and truth values are plain.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from wellposed.shadow.numpy_dtypes import is_floating
from wellposed.shadow.numpy_engine import Engine

_PLAIN = frozenset(["shape", "dtype", "ndim", "size", "itemsize", "nbytes", "strides", "flags", "device"])
_HANDING_OUT = frozenset(["data", "ctypes", "base", "flat", "__dlpack__"])
_VIEWS: dict[str, Any] = {"T": np.transpose, "mT": lambda a: np.swapaxes(a, -1, -2), "real": np.real, "imag": np.imag}


class Followed:
    """A floating-point array or number whose operations an engine follows; behaves as what it holds."""

    __slots__ = ("__weakref__", "_engine", "_value")
    _value: Any
    _engine: Engine
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: Any, engine: Engine) -> None:
        object.__setattr__(self, "_value", value)
        object.__setattr__(self, "_engine", engine)

    # Code that asks isinstance(x, numpy.ndarray) goes the way that it goes without us.
    __class__ = property(lambda self: type(self._value))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return followed_call(self._engine, ufunc if method == "__call__" else getattr(ufunc, method), inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return followed_call(self._engine, function, args, kwargs)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self._handed_out(np.array(self._value, dtype, copy=copy), "an array")

    def __getattr__(self, name: str) -> Any:
        if name in _VIEWS and hasattr(self._value, name):
            return followed_call(self._engine, _VIEWS[name], (self,), {})
        if name in ("__array_struct__", "__array_interface__"):
            raise AttributeError(name)  # whoever wants the memory comes to __array__, and is noted
        found = getattr(self._value, name)
        if name in _HANDING_OUT:
            self._handed_out(found, name)
            return found
        if callable(found):
            return lambda *args, **kwargs: followed_call(self._engine, found, args, kwargs)
        if name not in _PLAIN and is_floating(found):
            return Followed(found, self._engine)
        return found

    def __setattr__(self, name: str, new: Any) -> None:
        if name in ("real", "imag"):
            followed_call(self._engine, operator.setitem, (getattr(self, name), ..., new), {})
        else:
            setattr(self._value, name, _plain(new))

    def __setitem__(self, index: Any, value: Any) -> None:
        followed_call(self._engine, operator.setitem, (self, index, value), {})

    def __getitem__(self, index: Any) -> Any:
        return followed_call(self._engine, operator.getitem, (self, index), {})

    def __iter__(self) -> Iterator[Any]:
        if self._value.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[index] for index in range(len(self._value)))

    def __float__(self) -> float:
        plain = float(self._value)
        self._engine.after(self._engine.before(self._value.item, ()), plain)
        self._engine.taken_out[id(plain)] = plain
        return plain

    def __complex__(self) -> complex:
        return complex(self._handed_out(self._value, "a complex number"))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __int__(self) -> int:
        whole = int(self._value)
        self._engine.after(self._engine.before(np.trunc, (self._value,)), whole)
        return whole

    def __len__(self) -> int:
        return len(self._value)

    def __contains__(self, value: Any) -> bool:
        return bool(np.any(self == value))

    def __repr__(self) -> str:
        return repr(self._value)

    def __str__(self) -> str:
        return str(self._value)

    def __format__(self, spec: str) -> str:
        return format(self._value, spec)

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memory: Any) -> Any:
        return self.copy()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._value.__reduce_ex__(protocol)

    def __buffer__(self, flags: int) -> memoryview:
        return memoryview(self._handed_out(self._value, "a buffer"))

    def _handed_out(self, plain: Any, what: str) -> Any:
        self._engine.table.skip("numpy.asarray", f"taken out as {what}; what is done with it is not followed")
        return plain


def followed_call(engine: Engine, function: Any, args: Any, kwargs: Any) -> Any:
    """Run `function` on what the arguments hold, show it to `engine`, and wrap what comes back."""
    wrappers: dict[int, Followed] = {}
    plain_args = tuple(_plain(part, wrappers) for part in args)
    plain_kwargs = {name: _plain(part, wrappers) for name, part in kwargs.items()}
    call = engine.before(function, plain_args, plain_kwargs)
    result = function(*plain_args, **plain_kwargs)
    engine.after(call, result)
    return _wrapped(result, engine, wrappers)


def _plain(value: Any, wrappers: dict[int, Followed] | None = None) -> Any:
    if type(value) is Followed:
        if wrappers is not None:
            wrappers[id(value._value)] = value
        return value._value
    if type(value) in (list, tuple):
        return type(value)(_plain(part, wrappers) for part in value)
    if type(value) is dict:
        return {name: _plain(part, wrappers) for name, part in value.items()}
    return value


def _wrapped(value: Any, engine: Engine, wrappers: dict[int, Followed]) -> Any:
    if isinstance(value, (np.ndarray, np.generic)) and is_floating(value):
        known = wrappers.get(id(value))
        return Followed(value, engine) if known is None else known
    if type(value) in (list, tuple):
        return type(value)(_wrapped(part, engine, wrappers) for part in value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_wrapped(part, engine, wrappers) for part in value))
    return value


def followed(value: Any, engine: Engine) -> Any:
    """`value` with every floating-point array or NumPy number in it wrapped; lists, tuples and dicts are rebuilt."""
    if type(value) is dict:
        return {name: followed(part, engine) for name, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(followed(part, engine) for part in value)
    return _wrapped(value, engine, {})


def plain(value: Any) -> Any:
    """`value` with every wrapper in it taken off."""
    return _plain(value)


def _binary(name: str) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    function = getattr(operator, name)
    in_place = getattr(operator, f"i{name.strip('_')}")

    def forward(self: Any, other: Any) -> Any:
        return followed_call(self._engine, function, (self, other), {}) if _takes(other) else NotImplemented

    def backward(self: Any, other: Any) -> Any:
        return followed_call(self._engine, function, (other, self), {}) if _takes(other) else NotImplemented

    def assigning(self: Any, other: Any) -> Any:
        return followed_call(self._engine, in_place, (self, other), {})

    return forward, backward, assigning


def _takes(other: Any) -> bool:
    return type(other) is Followed or getattr(type(other), "__array_ufunc__", 0) is not None


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"):
    _forward, _backward, _assigning = _binary(_name)
    setattr(Followed, f"__{_name}__", _forward)
    setattr(Followed, f"__r{_name}__", _backward)
    setattr(Followed, f"__i{_name}__", _assigning)


def _comparison(name: str) -> Callable[[Any, Any], Any]:
    function = getattr(operator, name)
    return lambda self, other: followed_call(self._engine, function, (self, other), {})


def _unary(name: str) -> Callable[[Any], Any]:
    function = getattr(operator, name)
    return lambda self: followed_call(self._engine, function, (self,), {})


for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Followed, f"__{_name}__", _comparison(_name))
for _name in ("neg", "pos", "abs"):
    setattr(Followed, f"__{_name}__", _unary(_name))
