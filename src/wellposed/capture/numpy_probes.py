"""What is looked up on the spot when a NumPy operation has just made a NaN or an infinity: see capture/probes.py."""

from __future__ import annotations

import math
from typing import Any

import numpy

from wellposed.capture.numpy_functions import Called
from wellposed.capture.numpy_values import readable

_LARGEST_REPLAY = 4_000_000
"""Elements: a replay of anything larger would take longer than it is worth."""


def probe(called: Called, keywords: dict[str, Any], result: Any) -> dict[str, Any]:
    """Index of the first NaN or infinity in `result`, the operands there, and the magnitudes that the operation gives
    in float64, where it can be asked again. Changes nothing, and NumPy says nothing of what is computed here."""
    with numpy.errstate(all="ignore"):
        facts: dict[str, Any] = {}
        bad = next((each for each in _arrays(result) if not _all_finite(each)), None)
        if bad is None:
            return facts
        position = _first_bad(bad)
        facts["index"] = position
        facts["output"] = _value(bad[tuple(position)])
        names = called.operator.arguments
        for index, argument in enumerate(called.operands):
            if isinstance(argument, (numpy.ndarray, numpy.generic)):
                there = _at(numpy.asarray(argument), bad, position)
                if there is not None:
                    facts[f"input {names[index] if index < len(names) else index}"] = there
        exact = _in_float64(called, keywords)
        if exact is not None:
            facts["float64"] = exact
        return facts


def _in_float64(called: Called, keywords: dict[str, Any]) -> dict[str, Any] | None:
    if not called.repeatable or "out" in keywords or "dtype" in keywords:
        return None
    given = _arrays(list(called.arguments))
    if sum(each.size for each in given) > _LARGEST_REPLAY or not all(_all_finite(each) for each in given):
        return None
    try:
        result = called.function(*[_widened(each) for each in called.arguments], **keywords)
    except Exception:  # then there is nothing to tell
        return None
    first = next(iter(_arrays(result)), None)
    if first is None or first.dtype.kind != "f" or not first.size:
        return None
    finite = first[numpy.isfinite(first)]
    largest = float(numpy.abs(finite).max()) if finite.size else math.nan
    return {"largest": largest, "nan": int(numpy.isnan(first).sum()), "infinite": int(numpy.isinf(first).sum())}


def _widened(value: Any) -> Any:
    if isinstance(value, (numpy.ndarray, numpy.generic)) and value.dtype.kind == "f":
        return value.astype(numpy.float64)
    if isinstance(value, (list, tuple)):
        return type(value)([_widened(each) for each in value])
    return value


def _arrays(value: Any) -> list[numpy.ndarray[Any, Any]]:
    if isinstance(value, numpy.ndarray):
        return [value] if readable(value) else []
    if isinstance(value, (numpy.generic, float)):
        array = numpy.asarray(value)
        return [array] if readable(array) else []
    if isinstance(value, (list, tuple)):
        return [array for each in value for array in _arrays(each)]
    return []


def _all_finite(array: numpy.ndarray[Any, Any]) -> bool:
    return array.dtype.kind not in "fc" or bool(numpy.isfinite(array).all())


def _first_bad(array: numpy.ndarray[Any, Any]) -> list[int]:
    """Index of the first NaN, or where there is none of the first infinity; [] for a scalar."""
    wrong = numpy.isnan(array)
    if not wrong.any():
        wrong = numpy.isinf(array)
    return [int(each) for each in numpy.unravel_index(int(wrong.argmax()), array.shape)] if array.ndim else []


def _at(argument: numpy.ndarray[Any, Any], out: numpy.ndarray[Any, Any], position: list[int]) -> float | str | None:
    """The argument's value that was broadcast to `position` of `out`; None where shapes tell of no such value."""
    if argument.ndim > out.ndim or argument.dtype.kind not in "biuf":
        return None
    index: list[int] = []
    for size, wanted, where in zip(reversed(argument.shape), reversed(out.shape), reversed(position), strict=False):
        if size not in (1, wanted):
            return None
        index.append(0 if size == 1 else where)
    return _value(argument[tuple(reversed(index))])


def _value(number: Any) -> float | str | None:
    if numpy.iscomplexobj(number):
        return None
    value = float(number)
    return value if math.isfinite(value) else str(value)
