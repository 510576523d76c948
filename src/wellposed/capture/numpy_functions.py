"""From what an instrumented program called to the operator that the record names. Imports NumPy: it runs already."""

from __future__ import annotations

import operator
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy

from wellposed.capture.numpy_imports import ARRAYS
from wellposed.capture.numpy_names import IN_PLACE, OPERATORS, Operator, operator_named, product_base

_BUILTINS = {abs: "absolute", float: "float", max: "maximum", min: "minimum", pow: "power", round: "round", sum: "sum"}
_PRODUCTS = ("dot", "matmul")


@dataclass(frozen=True, slots=True)
class Called:
    """What ran, in the record's terms."""

    operator: Operator
    function: Callable[..., Any]
    """With `arguments`, what ran."""
    arguments: tuple[Any, ...]
    operands: tuple[Any, ...]
    """The arguments in the order of the record's operator."""
    repeatable: bool = True
    """Whether it gives the same when it is asked again: neither random nor in place."""


class Functions:
    """Finds the operator of a call; each is made once, for the tape knows them by identity."""

    def __init__(self) -> None:
        self._operators: dict[tuple[object, ...], Operator] = {}

    def of_operator(self, what: str, arguments: tuple[Any, ...]) -> Called:
        """Of one of the instrument's methods but ``call``."""
        if what == "setitem":
            return Called(self._named("numpy", what, in_place=True), operator.setitem, arguments, arguments, False)
        if what == "getitem":
            return Called(self._named("numpy", what, base="index"), operator.getitem, arguments, arguments)
        augmented = what[0] == "i" and what[1:] in OPERATORS
        name = OPERATORS.get(what[1:] if augmented else what, what)
        function: Callable[..., Any] = getattr(numpy, "transpose" if name == "T" else name)
        in_place = augmented and isinstance(arguments[0], numpy.ndarray)
        base, operands = _product(name, arguments), arguments
        if not base and not in_place:
            base, operands = _scalar_first(name, arguments)
        named = self._named("numpy", name, base=base, in_place=in_place)
        return Called(named, function, arguments, operands, not in_place)

    def of_call(self, function: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Called | None:
        """None for a function that is no library's."""
        owner = getattr(function, "__self__", None)
        name = str(getattr(function, "__name__", ""))
        if isinstance(owner, (numpy.ndarray, numpy.generic)):
            return self._method(function, name, owner, arguments)
        if isinstance(function, numpy.ufunc):
            return self._ufunc(function, arguments, keywords)
        if isinstance(owner, numpy.ufunc):
            at = name == "at"
            named = self._named("numpy", f"{owner.__name__}.{name}", base="index_put" if at else "", in_place=at)
            return Called(named, function, arguments, arguments, not at)
        if isinstance(function, (type, types.BuiltinFunctionType)) and function in _BUILTINS:
            return Called(self._named("numpy", _BUILTINS[function]), function, arguments, arguments)
        library, _, inner = _module_of(function, owner).partition(".")
        if library not in ARRAYS or not name:
            return None
        if library == "numpy":
            return self._of_numpy(function, name, inner, arguments, keywords)
        base, operands = _scalar_first(name, arguments)
        part = inner.partition(".")[0]
        full = name if not part or part.startswith("_") else f"{part}.{name}"
        return Called(
            self._named(library, full, base=base), function, arguments, operands, library in ("math", "cmath")
        )

    def _method(self, function: Any, name: str, owner: Any, arguments: tuple[Any, ...]) -> Called:
        """Of an array's method: as the function of the same name where NumPy has one."""
        everything = (owner, *arguments)
        in_place = name in IN_PLACE
        named = self._named("numpy", name, base=_product(name, everything), in_place=in_place)
        same = None if in_place else getattr(numpy, name, None)
        if callable(same) and not isinstance(same, type):
            return Called(named, same, everything, everything)
        return Called(named, function, arguments, everything, False)

    def _of_numpy(
        self, function: Any, name: str, inner: str, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Called:
        if inner.startswith("random"):
            return Called(self._named("numpy", name, in_place=name == "shuffle"), function, arguments, arguments, False)
        part = inner.partition(".")[0] if inner.startswith(("linalg", "fft")) else ""
        in_place = name in IN_PLACE and name not in ("sort", "partition")
        out = keywords.get("out") is not None
        full = f"{part}.{name}" if part else name
        named = self._named("numpy", full, base=_product(name, arguments), in_place=in_place, out=out)
        calls_back = isinstance(function, numpy.vectorize) or any(callable(each) for each in arguments)
        return Called(named, function, arguments, arguments, not (in_place or out or calls_back))

    def _ufunc(self, function: numpy.ufunc, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Called:
        name = function.__name__
        out = keywords.get("out") is not None
        if len(arguments) > function.nin:  # the array to write, by position
            keywords["out"], arguments, out = arguments[function.nin], arguments[: function.nin], True
        base, operands = _product(name, arguments), arguments
        if not base:
            base, operands = _scalar_first(name, arguments)
        library = "numpy" if hasattr(numpy, name) else "scipy"
        return Called(self._named(library, name, base=base, out=out), function, arguments, operands, not out)

    def selecting(self) -> Operator:
        """One element of an array that becomes a number."""
        return self._named("numpy", "getitem", base="select")

    def copying(self) -> Operator:
        """Values that replace what lay in a part of an array."""
        return self._named("numpy", "setitem", base="copy", in_place=True)

    def _named(self, library: str, name: str, *, base: str = "", in_place: bool = False, out: bool = False) -> Operator:
        key = (library, name, base, in_place, out)
        found = self._operators.get(key)
        if found is None:
            found = operator_named(library, name, base=base, in_place=in_place, out=out)
            self._operators[key] = found
        return found


def _scalar_first(name: str, arguments: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """A number before an array comes second where that changes nothing, as in PyTorch's operators."""
    if len(arguments) != 2 or not isinstance(arguments[0], (int, float)) or isinstance(arguments[0], numpy.generic):
        return "", arguments
    if not isinstance(arguments[1], (numpy.ndarray, numpy.generic)):
        return "", arguments
    swapped = (arguments[1], arguments[0])
    if name in ("add", "multiply"):
        return "", swapped
    return ("rsub", swapped) if name == "subtract" else ("", arguments)


def _product(name: str, arguments: tuple[Any, ...]) -> str:
    if name not in _PRODUCTS or len(arguments) < 2:
        return ""
    return product_base(numpy.ndim(arguments[0]), numpy.ndim(arguments[1]))


def _module_of(function: Any, owner: Any) -> str:
    if owner is not None and not isinstance(owner, types.ModuleType):
        kind = owner if isinstance(owner, type) else type(owner)
        return str(getattr(kind, "__module__", "") or "")
    return str(getattr(function, "__module__", "") or "")
