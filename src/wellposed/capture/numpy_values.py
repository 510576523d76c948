"""NumPy's scalars and Python's floats as arrays that the tape can follow, and memory that is given back."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import Any

import numpy

from wellposed import _native

MOST_NUMBERS = 4_096
"""Numbers that are followed at once; the oldest is forgotten. Each is kept alive for as long, 100 bytes apiece."""
_LONGEST_LIST = 64
_KINDS = "biufc"


class Values:
    """Boxes numbers and watches arrays, so that no address is taken for what lay there before."""

    def __init__(self, tape: _native.Tape):
        self._tape = tape
        self._boxes: OrderedDict[int, tuple[Any, numpy.ndarray[Any, Any]]] = OrderedDict()
        self._watched: dict[int, weakref.ref[Any]] = {}

    def operand(self, value: Any, *, depth: int = 0) -> Any:
        """What the tape is given for an argument: an array, a number, or something short to say of it."""
        if isinstance(value, numpy.ndarray):
            if not readable(value):
                return type(value).__name__
            self.watch(value)
            return value.view(numpy.ndarray) if type(value) is not numpy.ndarray else value
        known = self._boxes.get(id(value))
        if known is not None:
            return known[1]
        if isinstance(value, numpy.generic):
            return self.box(value) if value.dtype.kind in _KINDS else str(value)[:60]
        if value is None or isinstance(value, (bool, int, float, str)):
            return value[:200] if isinstance(value, str) else value
        if isinstance(value, (list, tuple)) and depth < 2:
            if len(value) > _LONGEST_LIST:
                return f"{len(value)} values"
            return [self.operand(each, depth=depth + 1) for each in value]
        if isinstance(value, (type, numpy.dtype)):
            return numpy.dtype(value).name if _is_dtype(value) else getattr(value, "__name__", "type")
        return type(value).__name__

    def result(self, value: Any) -> Any:
        """The same for a result: a number becomes one that is followed."""
        if isinstance(value, (tuple, list)):
            return [self.result(each) for each in value[:_LONGEST_LIST]]
        if isinstance(value, numpy.ndarray):
            return self.operand(value) if readable(value) else None
        known = self._boxes.get(id(value))
        if known is not None:
            return known[1]
        if isinstance(value, (numpy.generic, float)) and (type(value) is float or value.dtype.kind in _KINDS):  # type: ignore[union-attr]
            return self.box(value)
        return None

    def box(self, value: Any) -> numpy.ndarray[Any, Any]:
        """An array of no dimensions for a number that is new, kept for as long as the number is."""
        array = numpy.array(value)
        self._boxes[id(value)] = (value, array)
        if type(value) is float:
            _native.instrument_follow(value)
        if len(self._boxes) > MOST_NUMBERS:
            self.forget_number(next(iter(self._boxes)))
        return array

    def forget_number(self, identity: int) -> None:
        known = self._boxes.pop(identity, None)
        if known is not None:
            if type(known[0]) is float:
                _native.instrument_unfollow(known[0])
            self._forget(known[1])

    def watch(self, array: numpy.ndarray[Any, Any]) -> None:
        """Forget what is known of the array's memory when it is given back."""
        owner = array
        while isinstance(owner.base, numpy.ndarray):
            owner = owner.base
        identity = id(owner)
        if identity in self._watched:
            return
        begin = owner.__array_interface__["data"][0]
        end = begin + _extent(owner)
        tape, watched = self._tape, self._watched

        def freed(_: Any) -> None:
            watched.pop(identity, None)
            tape.forget_memory(begin, end)

        self._watched[identity] = weakref.ref(owner, freed)

    def release(self, array: Any) -> None:
        """Stop watching: ``array.resize()`` refuses an array that is referred to, and moves its memory."""
        if self._watched.pop(id(array), None) is not None:
            begin = array.__array_interface__["data"][0]
            self._tape.forget_memory(begin, begin + array.nbytes)

    def _forget(self, array: numpy.ndarray[Any, Any]) -> None:
        begin = array.__array_interface__["data"][0]
        self._tape.forget_memory(begin, begin + array.itemsize)

    def close(self) -> None:
        self._watched.clear()
        self._boxes.clear()


def readable(array: numpy.ndarray[Any, Any]) -> bool:
    """Whether its elements are numbers that mean what they say: not of a masked array, which hides some."""
    if array.dtype.kind not in _KINDS:
        return False
    return type(array) is numpy.ndarray or all(each.__name__ != "MaskedArray" for each in type(array).__mro__)


def _extent(array: numpy.ndarray[Any, Any]) -> int:
    if array.size == 0:
        return 0
    reach = sum((size - 1) * stride for size, stride in zip(array.shape, array.strides, strict=True) if stride > 0)
    return int(reach + array.itemsize)


def _is_dtype(value: Any) -> bool:
    return isinstance(value, numpy.dtype) or issubclass(value, (numpy.generic, float, int, complex, bool))
