"""Shadows carried along with NumPy arrays, found by memory.

An array's shadow belongs to the array that owns the memory; a view has a view of it, at the same elements.
The values that were last seen are kept beside it: elements that someone changed behind our back no longer match, and
their shadow starts anew. A shadow goes when the array that owns the memory goes. Buffers are never written to, only
replaced, so that whoever kept one keeps what it was.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds
from numpy.lib.stride_tricks import as_strided

from wellposed.shadow.numpy_dtypes import Array, as_array
from wellposed.shadow.numpy_reference import Reference

SCALARS_KEPT = 65_536
"""Numbers cannot be referenced weakly: those used least lately are forgotten, and count as exact when they return."""

View = tuple[int, tuple[int, ...], tuple[int, ...]]
"""Of a flat buffer: first element, shape, strides in elements."""


@dataclass(slots=True)
class Entry:
    """The shadow of the memory that one array owns, or of one number."""

    number: int
    shadow: Array
    """Flat, an element for each of the memory's."""
    seen: Array
    """What the program's elements were when last looked at, flat."""
    low: int = 0
    """Address of the first element."""
    itemsize: int = 1
    uncertainty: float = 0.0
    """Estimated relative error of the shadow itself."""
    owner: Any = None
    """Weak for an array, strong for a number."""
    created: bool = field(default=False)
    off: tuple[View, float] | None = None
    """How far the program's values in a view are off, relatively, where that was measured since the last change."""


@dataclass(slots=True)
class Found:
    """What is known of one value."""

    entry: Entry
    view: View
    shadow: Array
    relifted: bool
    """Some of its elements were unknown, or changed unseen: their shadow equals them."""


class Store:
    """Finds shadows by the object or by the memory that it looks at. See the file's words on views and changes."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._arrays: dict[tuple[int, str], Entry] = {}
        self._scalars: OrderedDict[int, Entry] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return len(self._arrays)

    def known(self, value: Any) -> bool:
        """Whether there is a shadow for `value`'s memory (or for that very number) already."""
        if isinstance(value, np.ndarray):
            return (id(root_of(value)), value.dtype.str) in self._arrays
        return id(value) in self._scalars

    def find(self, value: Any) -> Found:
        """The shadow of a floating-point value; one equal to it where it has none or where it changed unseen."""
        if not isinstance(value, np.ndarray):
            return self._find_scalar(value)
        entry = self._entry_of(value)
        view = _view_in(entry, value)
        shadow, seen = looking_at(entry.shadow, view), looking_at(entry.seen, view)
        relifted = entry.created
        entry.created = False
        changed = _differs(seen, value)
        if changed.any():
            relifted = True
            lifted = self._reference.lift(value)
            self._replace(entry, view, np.where(changed, lifted, shadow), value)
            shadow = looking_at(entry.shadow, view)
        return Found(entry, view, shadow, relifted)

    def put(self, value: Any, shadow: Array, uncertainty: float) -> Found:
        """Let `shadow` be what stands for `value`, an array (perhaps a view) or a number, from now on."""
        if not isinstance(value, np.ndarray):
            return self._put_scalar(value, shadow, uncertainty)
        whole = root_of(value) is value and (id(value), value.dtype.str) not in self._arrays
        entry = self._entry_of(value, lift=not whole)
        entry.created = False
        view = _view_in(entry, value)
        self._replace(entry, view, shadow, value)
        covers = value.size >= entry.shadow.size
        entry.uncertainty = uncertainty if covers else max(entry.uncertainty, uncertainty)
        return Found(entry, view, looking_at(entry.shadow, view), False)

    def forget(self) -> None:
        """Hold nothing of the program's any more, not even weakly."""
        self._arrays.clear()
        self._scalars.clear()

    # --- arrays ---

    def _entry_of(self, value: Array, lift: bool = True) -> Entry:
        root = root_of(value)
        key = (id(root), value.dtype.str)
        entry = self._arrays.get(key)
        if entry is not None and _inside(entry, value):
            return entry
        low, high = byte_bounds(value if root.dtype != value.dtype else root)
        start = value if root.dtype != value.dtype else root
        count = max((high - low) // value.dtype.itemsize, 0) if start.size else 0
        self._count += 1
        seen = np.empty(count, value.dtype)
        entry = Entry(self._count, np.empty(0), seen, low, value.dtype.itemsize, created=True)
        if count:
            memory = _flat_memory(start, low, count)
            seen[...] = memory
        entry.shadow = self._reference.lift(seen) if lift else self._reference.empty(count, value.dtype)
        arrays = self._arrays
        entry.owner = weakref.ref(root, lambda gone: _drop(arrays, key, gone))
        arrays[key] = entry
        return entry

    def _replace(self, entry: Entry, view: View, part: Array, value: Array) -> None:
        whole = part.size == entry.shadow.size
        wide = np.result_type(entry.shadow.dtype, part.dtype)
        buffer = np.empty(entry.shadow.shape, wide) if whole else entry.shadow.astype(wide, copy=True)
        if whole and not _covers(view, buffer.size):
            buffer[...] = entry.shadow
        looking_at(buffer, view)[...] = part
        entry.off = None
        entry.shadow = buffer
        looking_at(entry.seen, view)[...] = value

    # --- numbers ---

    def _find_scalar(self, value: Any) -> Found:
        entry = self._scalars.get(id(value))
        relifted = entry is None
        if entry is None:
            entry = self._new_scalar(value, self._reference.lift(as_array(value)), 0.0)
        else:
            self._scalars.move_to_end(id(value))
        return Found(entry, (0, (), ()), looking_at(entry.shadow, (0, (), ())), relifted)

    def _put_scalar(self, value: Any, shadow: Array, uncertainty: float) -> Found:
        entry = self._new_scalar(value, np.asarray(shadow), uncertainty)
        return Found(entry, (0, (), ()), looking_at(entry.shadow, (0, (), ())), False)

    def _new_scalar(self, value: Any, shadow: Array, uncertainty: float) -> Entry:
        self._count += 1
        seen = as_array(value).reshape(1)
        entry = Entry(self._count, np.asarray(shadow).reshape(1), seen, owner=value, uncertainty=uncertainty)
        self._remember(value, entry)
        return entry

    def _remember(self, value: Any, entry: Entry) -> None:
        self._scalars[id(value)] = entry
        self._scalars.move_to_end(id(value))
        while len(self._scalars) > SCALARS_KEPT:
            self._scalars.popitem(last=False)


def root_of(value: Array) -> Array:
    """The array that owns the memory, or the last one before something that is not an array."""
    while isinstance(value.base, np.ndarray):
        value = value.base
    return value


def looking_at(flat: Array, view: View) -> Array:
    """The view of a flat buffer."""
    first, shape, strides = view
    if first == 0 and shape == flat.shape and strides == (1,):
        return flat
    sizes = tuple(stride * flat.itemsize for stride in strides)
    return as_strided(flat[first:] if first else flat, shape, sizes) if flat.size else np.empty(shape, flat.dtype)


def _drop(arrays: dict[tuple[int, str], Entry], key: tuple[int, str], gone: Any) -> None:
    entry = arrays.get(key)
    if entry is not None and entry.owner is gone:
        del arrays[key]


def _address(value: Array) -> int:
    return int(value.__array_interface__["data"][0])


def _inside(entry: Entry, value: Array) -> bool:
    if not value.size:
        return True
    low, high = byte_bounds(value)
    return low >= entry.low and high <= entry.low + entry.shadow.size * entry.itemsize


def _view_in(entry: Entry, value: Array) -> View:
    offset = _address(value) - entry.low if value.size else 0
    if offset % entry.itemsize or any(stride % entry.itemsize for stride in value.strides):
        raise NotImplementedError("a view that is not aligned to elements")
    first = offset // entry.itemsize
    return first, value.shape, tuple(stride // entry.itemsize for stride in value.strides)


def _flat_memory(start: Array, low: int, count: int) -> Array:
    """The memory of `start` as `count` elements in the order in which they lie there."""
    if start.flags.c_contiguous:
        return start.reshape(-1)
    first = as_strided(start, (1,), (start.itemsize,)) if _address(start) == low else None
    if first is None:  # a negative stride: turn it round
        turned = start[tuple(slice(None, None, -1 if stride < 0 else 1) for stride in start.strides)]
        return _flat_memory(turned, low, count)
    return as_strided(start, (count,), (start.itemsize,))


def _covers(view: View, size: int) -> bool:
    first, shape, strides = view
    expected = 1
    for length, stride in sorted(zip(shape, strides, strict=True), key=lambda pair: pair[1]):
        if length == 1:
            continue
        if stride != expected:
            return False
        expected *= length
    return first == 0 and expected == max(size, 1)


def _differs(seen: Array, value: Array) -> Array:
    """Where two arrays of one dtype differ; NaN is NaN."""
    unequal = np.asarray(seen != value)
    if not unequal.any():
        return unequal
    return np.asarray((seen != value) & ((seen == seen) | (value == value)))
