"""Methods of arrays that are no functions of NumPy's, and functions that write into an argument, in plain form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wellposed.shadow.numpy_dtypes import component_name
from wellposed.shadow.numpy_kinds import kind_of
from wellposed.shadow.numpy_operations import Operation


def method_of(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Operation | None:
    """The plain form of `args[0].name(*args[1:], **kwargs)`; None for a method that a function of NumPy's equals."""
    target = args[0]
    if name == "astype":
        return _cast(target, *args[1:], **kwargs)
    if name in ("item", "tolist", "__float__"):
        picked = args[1:]
        return Operation(name, "carrying", (lambda x: x.item(*picked)) if name == "item" else np.copy, (target,))
    if name in ("copy", "flatten"):
        return Operation(name, "carrying", np.copy if name == "copy" else np.ravel, (target,))
    if name in ("conj", "conjugate"):
        return Operation("conjugate", "carrying", np.conjugate, (target,))
    if name == "fill":
        return Operation("fill", "carrying", _filled, (target, args[1]), {}, (target,))
    if name in ("sort", "partition"):
        function = np.sort if name == "sort" else np.partition
        return Operation(name, "carrying", function, args, kwargs, (target,))
    if name == "reshape":
        shape = args[1] if len(args) == 2 else args[1:]
        return Operation(name, "carrying", np.reshape, (target, shape), kwargs)
    if name == "transpose":
        axes = args[1] if len(args) == 2 else args[1:] or None
        return Operation(name, "carrying", np.transpose, (target, axes))
    if name == "view":
        return Operation(name, "opaque", np.ndarray.view, args, kwargs)
    return None


def _cast(target: Any, dtype: Any, **options: Any) -> Operation:
    wanted = np.dtype(dtype)
    if component_name(wanted) is None:
        kind = "rounding" if wanted.kind in "iu" else "opaque"
        return Operation("astype", kind, np.trunc, (target,))  # type: ignore[arg-type]
    if np.can_cast(target.dtype, wanted, "safe"):
        return Operation("astype", "carrying", np.copy, (target,))
    if target.dtype.kind == "c" and wanted.kind != "c":
        return Operation("astype", "smooth", np.real, (target,))

    def cast(value: Any) -> Any:
        # A shadow stays what it is: only the program's number is rounded, by the caller, to the result's dtype.
        return np.copy(value)

    return Operation("astype", "smooth", cast, (target,))


def _filled(target: Any, value: Any) -> Any:
    return np.full(target.shape, value)


def writer_of(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Operation | None:
    """The plain form of a function of NumPy's that writes into its first argument; None for the others."""
    if name == "copyto":
        where = kwargs.get("where", args[3] if len(args) > 3 else True)
        function: Callable[..., Any] = _copied
        return Operation(name, "carrying", function, (args[0], args[1], where), {}, (args[0],))
    if name in ("put", "place", "putmask", "fill_diagonal", "put_along_axis"):
        original = getattr(np, name)

        def changed(target: Any, *rest: Any, **options: Any) -> Any:
            content = target.copy()
            original(content, *rest, **options)
            return content

        return Operation(name, "carrying", changed, args, kwargs, (args[0],))
    if name == "nan_to_num" and kwargs.get("copy", True) is False:
        return Operation(name, kind_of(name, None), np.nan_to_num, args, {**kwargs, "copy": True}, (args[0],))
    return None


def _copied(target: Any, source: Any, where: Any) -> Any:
    return np.where(where, source, target) if where is not True else np.broadcast_to(source, target.shape).copy()
