"""Shadows, carried along with the memory that they stand beside.

A shadow belongs to a storage, element for element, so that every view of the memory has its shadow without anybody
following views, and a write through one view is seen through all. It is freed when the storage is. A storage without
a shadow is exact: what it holds is what the reference holds.
"""

from __future__ import annotations

import math
import weakref
from typing import Any

import torch

from wellposed.shadow.reference import Reference

Geometry = tuple[tuple[int, ...], tuple[int, ...], int]


class Entry:
    """What is known of one storage."""

    __slots__ = ("bytes", "dtype", "elements", "error", "geometry", "serial", "shaped", "weak", "whole")

    def __init__(self, serial: int, weak: Any) -> None:
        self.serial = serial
        """Never used twice, unlike an address."""
        self.weak = weak
        self.whole: Any = None
        """The shadow of the storage, flat; None where it is exact or where only `shaped` was made so far."""
        self.shaped: Any = None
        """The shadow of the view `geometry`; shares memory with `whole`."""
        self.geometry: Geometry | None = None
        self.dtype: torch.dtype | None = None
        self.elements = 0
        self.bytes = 0
        self.error = math.inf
        """At most this is the 2-norm of what the storage differs from its shadow; infinite where not measured."""

    @property
    def exact(self) -> bool:
        return self.whole is None and self.shaped is None


class Store:
    """The shadows of all storages that live."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference
        self._entries: dict[int, Entry] = {}
        self._serial = 0
        self.bytes = 0
        """Of the shadows that are held."""
        self.most_bytes = 0
        self.reinterpreted = 0
        """How often a shadow was given up because its memory was looked at as another dtype, or resized."""
        self.rewritten = 0
        """How often memory was found changed by something that is no operator."""

    def __len__(self) -> int:
        return sum(not each.exact for each in self._entries.values())

    def clear(self) -> None:
        self._entries.clear()
        self.bytes = 0

    def entry(self, tensor: torch.Tensor) -> Entry:
        """What is known of the tensor's storage, entered where it is new."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        found = self._entries.get(key)
        if found is None:
            self._serial += 1
            found = self._entries[key] = Entry(self._serial, weakref.ref(storage, lambda _: self._forget(key)))
        return found

    def known(self, tensor: torch.Tensor) -> Entry | None:
        return self._entries.get(tensor.untyped_storage()._cdata)

    def shadow(self, tensor: torch.Tensor) -> Any:
        """The shadow of the tensor, not to be written; None where it is exact."""
        entry = self._entries.get(tensor.untyped_storage()._cdata)
        if entry is None or entry.exact:
            return None
        if not self._fits(entry, tensor):
            self._drop(entry)
            self.reinterpreted += 1
            return None
        geometry = geometry_of(tensor)
        if geometry == entry.geometry and tensor.dtype == entry.dtype:
            return entry.shaped
        return self._strided(self._whole_as(entry, tensor.dtype), geometry)

    def put(self, tensor: torch.Tensor, shadow: Any, error: float = math.inf) -> None:
        """`shadow`, which nobody else may hold, becomes the tensor's; None makes it exact.

        `error` is the 2-norm of their difference where it is known.
        """
        entry = self.entry(tensor)
        elements = tensor.untyped_storage().nbytes() // tensor.element_size()
        if tensor.numel() == elements and is_dense(tensor):
            self._drop(entry)
            if shadow is None:
                return
            entry.dtype, entry.elements, entry.error = tensor.dtype, elements, error
            geometry = geometry_of(tensor)
            if self._lies_like(shadow, tensor):
                entry.shaped, entry.geometry = shadow, geometry
            else:
                flat = tensor.new_zeros((elements,))
                entry.whole = self.reference.lift(flat)
                self.reference.write(entry.whole, lambda each: each.as_strided(*geometry), shadow)
            self._account(entry, elements)
            return
        if shadow is None and entry.exact:
            return
        if entry.exact or not self._fits(entry, tensor):
            self._drop(entry)
            entry.whole = self.reference.lift(tensor.as_strided((elements,), (1,), 0))
            entry.dtype, entry.elements, entry.error = tensor.dtype, elements, 0.0
            self._account(entry, elements)
        geometry = geometry_of(tensor)
        whole = self._whole_as(entry, tensor.dtype)
        part = self.reference.lift(tensor) if shadow is None else shadow
        self.reference.write(whole, lambda each: each.as_strided(*geometry), part)
        entry.error = math.hypot(entry.error, 0.0 if shadow is None else error)

    def written(self, tensor: torch.Tensor) -> None:
        """Says that somebody wrote into the shadow of the tensor; its distance from it is not known any more."""
        entry = self.known(tensor)
        if entry is not None:
            entry.error = math.inf

    def lost(self, tensor: torch.Tensor, difference: float) -> bool:
        """Whether memory was changed by something that is no operator; then it counts as exact from here on.

        `difference` is the 2-norm of tensor − shadow, as found now: it cannot have grown since it was written.
        """
        entry = self.known(tensor)
        if entry is None or entry.exact or _repeats(tensor):
            return False
        if not difference > entry.error * (1 + 1e-6) + 1e-300:
            return False
        self._drop(entry)
        self.rewritten += 1
        return True

    def _whole(self, entry: Entry) -> Any:
        if entry.whole is None:
            entry.whole = self._strided(entry.shaped, ((entry.elements,), (1,), 0))
        return entry.whole

    def _whole_as(self, entry: Entry, dtype: torch.dtype) -> Any:
        """The flat shadow; complex numbers as pairs of real ones, or the other way round, where `dtype` asks for it."""
        whole = self._whole(entry)
        if entry.dtype is None or dtype.is_complex == entry.dtype.is_complex:
            return whole
        return torch.view_as_complex(whole.view(-1, 2)) if dtype.is_complex else torch.view_as_real(whole).view(-1)

    def _strided(self, shadow: Any, geometry: Geometry) -> Any:
        if isinstance(shadow, torch.Tensor):
            return shadow.as_strided(*geometry)
        return self.reference.apply(torch.ops.aten.as_strided.default, (shadow, *geometry), {})

    @staticmethod
    def _lies_like(shadow: Any, tensor: torch.Tensor) -> bool:
        """Whether the shadow's memory is arranged as the tensor's, and is the shadow's alone."""
        return (
            isinstance(shadow, torch.Tensor)
            and shadow.stride() == tensor.stride()
            and shadow.shape == tensor.shape
            and shadow.storage_offset() == tensor.storage_offset() == 0
            and shadow.untyped_storage().nbytes() == shadow.numel() * shadow.element_size()
        )

    @staticmethod
    def _fits(entry: Entry, tensor: torch.Tensor) -> bool:
        """False where the memory is looked at as another dtype, or was resized."""
        known, size = entry.dtype, tensor.element_size()
        if known is None or known.to_real() != tensor.dtype.to_real():
            return False
        if known != tensor.dtype and not isinstance(
            entry.whole if entry.shaped is None else entry.shaped, torch.Tensor
        ):
            return False
        return entry.elements * known.itemsize == tensor.untyped_storage().nbytes() // size * size

    def _account(self, entry: Entry, elements: int) -> None:
        entry.bytes = elements * (8 if self.reference.name == "float64" else 16)
        self.bytes += entry.bytes
        self.most_bytes = max(self.most_bytes, self.bytes)

    def _drop(self, entry: Entry) -> None:
        self.bytes -= entry.bytes
        entry.bytes = 0
        entry.whole = entry.shaped = entry.geometry = None
        entry.error = math.inf

    def _forget(self, key: int) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.bytes -= entry.bytes


def geometry_of(tensor: torch.Tensor) -> Geometry:
    """Size, stride and offset."""
    return tuple(tensor.shape), tensor.stride(), int(tensor.storage_offset())


def _repeats(tensor: torch.Tensor) -> bool:
    """Whether elements may share memory, as in an expanded view."""
    reach = 1
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        if size > 1 and stride == 0:
            return True
        reach += (size - 1) * stride
    return tensor.numel() > reach


def is_dense(tensor: torch.Tensor) -> bool:
    """Whether each element has memory of its own, without gaps."""
    if tensor.is_contiguous():
        return True
    expected = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size == 1:
            continue
        if stride != expected:
            return False
        expected *= size
    return True
