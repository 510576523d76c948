"""`ordered` in NumPy: an array whose products wait until something else is done with it.

Whatever NumPy returns for such arrays is wrapped again, so that chains go on; numbers are numbers. Before anything is
written to memory, the products that read it are done. An array that was handed out as it is may be written to unseen
from then on, and is copied when it enters a product.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from wellposed.chain.lazy import Node, scaled, transposed
from wellposed.integrations import ordered_numpy_products as products
from wellposed.integrations.ordered_numpy_products import LIBRARY, Array
from wellposed.integrations.ordered_session import Session, here

_READING = {
    "all", "any", "argmax", "argmin", "argpartition", "argsort", "astype", "choose", "clip", "compress", "conj",
    "conjugate", "copy", "cumprod", "cumsum", "diagonal", "dump", "dumps", "flatten", "item", "max", "mean", "min",
    "nonzero", "prod", "ravel", "repeat", "reshape", "round", "searchsorted", "squeeze", "std", "sum", "take",
    "tobytes", "tofile", "tolist", "trace", "var", "to_device", "__array_namespace__",
}  # fmt: skip
"""Methods that do not write to the array and do not hand out its memory, but as an array."""

_METHODS: dict[str, Any] = {"dot": np.dot, "transpose": np.transpose, "swapaxes": np.swapaxes}


class LazyArray(NDArrayOperatorsMixin):
    """An array that is there or a product that was not done yet; behaves as a `numpy.ndarray`."""

    __slots__ = ("__weakref__", "_node", "_session")
    _node: Node
    _session: Session

    def __init__(self, node: Node, session: Session) -> None:
        object.__setattr__(self, "_node", node)
        object.__setattr__(self, "_session", session)
        if node.pending:
            session.hold(self, node, LIBRARY)

    # Code that asks isinstance(x, numpy.ndarray) goes the way that it goes without us.
    __class__ = property(lambda self: np.ndarray)  # type: ignore[assignment]

    # --- what needs no value ---

    @property
    def shape(self) -> tuple[int, ...]:
        return self._node.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._node.group  # type: ignore[return-value]

    @property
    def ndim(self) -> int:
        return len(self._node.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self._node.shape, dtype=object))

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    def __len__(self) -> int:
        return self._node.shape[0]

    # --- products, transposes, factors ---

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs:
            made = None
            if ufunc is np.matmul:
                made = _multiplied(self._session, ufunc, inputs)
            elif ufunc in products.SCALINGS:
                made = _scaled(self._session, ufunc, inputs)
            if made is not None:
                return made
        changed = inputs[:1] if method == "at" else ()
        return _run(self._session, getattr(ufunc, method), inputs, kwargs, changed)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return _function(self._session, func, args, kwargs)

    @property
    def T(self) -> Any:
        return _function(self._session, np.transpose, (self,), {})

    @property
    def mT(self) -> Any:
        return _function(self._session, np.matrix_transpose, (self,), {})

    # --- everything else ---

    def __getattr__(self, name: str) -> Any:
        if name in _METHODS:
            return lambda *args, **kwargs: _function(self._session, _METHODS[name], (self, *args), kwargs)
        value = value_of(self)
        found = getattr(value, name)
        if callable(found) and name != "ctypes":
            changed = () if name in _READING else (self,)
            return lambda *args, **kwargs: _run(self._session, found, args, kwargs, changed, self)
        if isinstance(found, np.ndarray) and name in ("real", "imag"):
            return _wrapped(found, self._session)
        if name not in ("strides", "flags"):
            expose(self)
        return found

    def __setattr__(self, name: str, new: Any) -> None:
        value = value_of(self)
        _before_a_change(self._session, [value])
        setattr(value, name, unwrapped(new))
        object.__setattr__(self, "_node", products.leaf_of(value))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        value = value_of(self)
        if copy or (dtype is not None and np.dtype(dtype) != value.dtype):
            if copy is False:
                raise ValueError("a conversion of the dtype takes a copy")
            return np.array(value, dtype=dtype)
        expose(self)
        return value

    def __buffer__(self, flags: int) -> memoryview:
        expose(self)
        return memoryview(value_of(self))

    def __getitem__(self, key: Any) -> Any:
        return _wrapped(value_of(self)[unwrapped(key)], self._session)

    def __setitem__(self, key: Any, new: Any) -> None:
        value, new = value_of(self), unwrapped(new)
        _before_a_change(self._session, [value])
        value[unwrapped(key)] = new

    def __iter__(self) -> Iterator[Any]:
        return (_wrapped(entry, self._session) for entry in value_of(self))

    def __contains__(self, what: Any) -> bool:
        return unwrapped(what) in value_of(self)

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return bool(value_of(self))

    def __int__(self) -> int:
        return int(value_of(self))

    def __float__(self) -> float:
        return float(value_of(self))

    def __complex__(self) -> complex:
        return complex(value_of(self))

    def __index__(self) -> int:
        return value_of(self).__index__()

    def __repr__(self) -> str:
        return repr(value_of(self))

    def __str__(self) -> str:
        return str(value_of(self))

    def __format__(self, how: str) -> str:
        return format(value_of(self), how)

    def __copy__(self) -> Any:
        return value_of(self).copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return value_of(self).copy()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return value_of(self).__reduce_ex__(protocol)

    def __dir__(self) -> Iterable[str]:
        return dir(np.ndarray)


def value_of(array: LazyArray) -> Array:
    """The array itself."""
    value: Array = array._session.value(array._node, LIBRARY)
    return value


def unwrapped(value: Any) -> Any:
    """The same with arrays themselves in it, also in tuples, lists and dicts."""
    if type(value) is LazyArray:
        return value_of(value)
    if type(value) in (tuple, list):
        return type(value)([unwrapped(entry) for entry in value])
    if type(value) is dict:
        return {key: unwrapped(entry) for key, entry in value.items()}
    return value


def _wrapped(value: Any, session: Session) -> Any:
    if type(value) is np.ndarray:
        return LazyArray(products.leaf_of(value), session)
    if isinstance(value, tuple) and hasattr(value, "_make"):  # numpy.linalg.eigh
        return type(value)(*(_wrapped(entry, session) for entry in value))
    if type(value) in (tuple, list):
        return type(value)([_wrapped(entry, session) for entry in value])
    return value


# --- memory ---------------------------------------------------------------------------------------------------


def _owner(array: Array) -> Any:
    base: Any = array
    while isinstance(base, np.ndarray) and base.base is not None:
        base = base.base
    return base


def expose(array: LazyArray) -> None:
    """Its memory is handed out, and may be written to without our seeing it."""
    value = value_of(array)
    _before_a_change(array._session, [value])
    owner = _owner(value)
    array._session.exposed[id(owner)] = owner


def _before_a_change(session: Session, arrays: list[Array]) -> None:
    if session.waits and arrays:
        session.settle(lambda node: any(np.may_share_memory(node.value, array) for array in arrays))


def _node_of(value: Any, session: Session) -> Node | None:
    """The node of a factor; None for what is left to NumPy."""
    if type(value) is LazyArray:
        node = value._node
        if node.value is None:
            return node
        array, mine = node.value, id(_owner(node.value)) not in session.exposed
    elif type(value) is np.ndarray:
        array, mine = value, False
    else:
        return None
    if not array.ndim or not products.is_ordered(array.dtype) or not array.dtype.isnative:
        return None
    return products.leaf_of(array if mine else array.copy())


# --- calls ----------------------------------------------------------------------------------------------------


def _multiplied(session: Session, func: Any, args: Any) -> Any:
    if len(args) != 2:
        return None
    left, right = (_node_of(value, session) for value in args)
    made = products.multiplied(func, left, right) if left is not None and right is not None else None
    if made is None:
        return None
    if not made.shape:
        # A number, as NumPy gives it.
        return session.value(made, LIBRARY)
    return LazyArray(made, session)


def _scaled(session: Session, func: Any, args: Any) -> Any:
    array, number = args if len(args) == 2 else (args[0], None)
    if type(array) is not LazyArray and func not in products.QUOTIENTS:
        array, number = number, array
    if type(array) is not LazyArray or not array._node.pending:
        return None
    scaling = products.scaling_of(func, array._node, number)
    return LazyArray(scaled(array._node, scaling, site=here()), session) if scaling is not None else None


def _function(session: Session, func: Any, args: Any, kwargs: Any) -> Any:
    made = None
    if func in products.PRODUCTS and not kwargs:
        made = _multiplied(session, func, args)
    elif func in products.TRANSPOSES and args:
        array = args[0]
        pending = type(array) is LazyArray and array._node.pending
        if pending and products.turns_matrices(func, array.ndim, args[1:], kwargs):
            made = LazyArray(transposed(array._node, site=here()), session)
    if made is not None:
        return made
    return _run(session, func, args, kwargs, args[:1] if func in products.CHANGING else ())


def _run(session: Session, func: Any, args: Any, kwargs: Any, changed: Any = (), of: LazyArray | None = None) -> Any:
    """Call NumPy with the arrays themselves; what it gives is wrapped, and what it was given comes back as it was."""
    out = kwargs.get("out")
    written = [*changed, *(out if isinstance(out, tuple) else (out,))]
    given = {id(array._node.value): array for array in _lazy_in((args, kwargs, of)) if value_of(array) is not None}
    if session.waits:
        _before_a_change(session, [array for array in map(unwrapped, written) if isinstance(array, np.ndarray)])
    result = func(*(unwrapped(arg) for arg in args), **{name: unwrapped(arg) for name, arg in kwargs.items()})
    if of is not None and changed:
        object.__setattr__(of, "_node", products.leaf_of(value_of(of)))
    same = given.get(id(result))
    return same if same is not None else _wrapped(result, session)


def _lazy_in(value: Any) -> Iterator[LazyArray]:
    if type(value) is LazyArray:
        yield value
    elif type(value) in (tuple, list):
        for entry in value:
            yield from _lazy_in(entry)
    elif type(value) is dict:
        for entry in value.values():
            yield from _lazy_in(entry)
