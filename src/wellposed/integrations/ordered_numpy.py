"""`ordered` in NumPy: the arrays that a function is called with are wrapped, and what it returns is unwrapped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from wellposed.integrations.ordered_numpy_array import LazyArray, value_of
from wellposed.integrations.ordered_numpy_products import leaf_of
from wellposed.integrations.ordered_session import Session


def is_array(value: Any) -> bool:
    return type(value) is np.ndarray


def wrap(array: np.ndarray[Any, Any], session: Session) -> LazyArray:
    """The array, with products that wait."""
    return LazyArray(leaf_of(array), session)


def call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], session: Session) -> Any:
    """``function(*args, **kwargs)`` with its arrays wrapped and its result unwrapped.

    Lists and dicts that it was given hold afterwards what it put into them. Inside another ordered function the result
    stays wrapped: its chain goes on.
    """
    wrapping = _Wrapping(session)
    args, kwargs = wrapping.of(args), wrapping.of(kwargs)
    result = function(*args, **kwargs)
    if wrapping.nested:
        return result
    return wrapping.put_back(result)


class _Wrapping:
    """Wraps arguments, and remembers the lists and dicts that were copied for that."""

    def __init__(self, session: Session) -> None:
        self.nested = False
        """Whether an argument was wrapped already."""
        self._session = session
        self._handles: dict[int, LazyArray] = {}
        self._copies: list[tuple[Any, Any]] = []

    def of(self, value: Any) -> Any:
        kind = type(value)
        if kind is np.ndarray:
            # The same array twice is one array inside, too.
            if id(value) not in self._handles:
                self._handles[id(value)] = wrap(value, self._session)
            return self._handles[id(value)]
        if kind is LazyArray:
            self.nested = True
        elif kind is list or kind is tuple:
            entries = [self.of(entry) for entry in value]
            if _differ(entries, value):
                return self._copied(value, entries) if kind is list else tuple(entries)
        elif isinstance(value, tuple) and hasattr(value, "_make"):
            return kind(*(self.of(entry) for entry in value))
        elif kind is dict:
            items = {key: self.of(entry) for key, entry in value.items()}
            if _differ(items.values(), value.values()):
                return self._copied(value, items)
        return value

    def _copied(self, original: Any, copy: Any) -> Any:
        self._copies.append((original, copy))
        return copy

    def put_back(self, result: Any) -> Any:
        """What was done to a copy is done to what it was copied from; `result` with plain arrays and the originals."""
        originals = {id(copy): original for original, copy in self._copies}
        for original, copy in self._copies:
            if isinstance(original, list):
                entries = [_plain(entry, originals) for entry in copy]
                if len(entries) != len(original) or _differ(entries, original):
                    original[:] = entries
            else:
                items = {key: _plain(entry, originals) for key, entry in copy.items()}
                if list(items) != list(original) or _differ(items.values(), original.values()):
                    original.clear()
                    original.update(items)
        return _plain(result, originals)


def _plain(value: Any, originals: dict[int, Any]) -> Any:
    """The same with plain arrays: new tuples, and lists and dicts as they are, with their entries replaced."""
    if type(value) is LazyArray:
        return value_of(value)
    if id(value) in originals:
        return originals[id(value)]
    if type(value) is tuple:
        entries = tuple(_plain(entry, originals) for entry in value)
        return entries if _differ(entries, value) else value
    if isinstance(value, tuple) and hasattr(value, "_make"):
        return type(value)(*(_plain(entry, originals) for entry in value))
    if type(value) in (list, dict):
        # Itself from now on, so that a list in itself ends.
        originals[id(value)] = value
        for place in range(len(value)) if type(value) is list else list(value):
            entry = value[place]
            new = _plain(entry, originals)
            if new is not entry:
                value[place] = new
    return value


def _differ(some: Iterable[Any], others: Iterable[Any]) -> bool:
    return any(one is not other for one, other in zip(some, others, strict=True))
