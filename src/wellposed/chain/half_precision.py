"""A guard for float16 and bfloat16: another order has other intermediates, and they may leave the range of the dtype.

``(P @ Q) @ R`` may be finite in float16 where ``P @ (Q @ R)`` is not. An infinity never leaves a product: it makes the
whole row or column of the next one infinite or NaN. So an order whose result is finite had finite intermediates, which
is exact where bounds from norms would only be safe, and takes one pass over the result instead of one over every
operand. Where the result is not finite, all is multiplied again in a wider dtype, in which a product of numbers of the
narrower one is finite, and the result rounded once. Where values cannot be looked at (while a program is traced, or a
graph of tasks is built), float16 is multiplied in float32 from the start. bfloat16 is not: it has the range of float32.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

WIDER = {"float16": "float32", "bfloat16": "float64"}
"""The dtype in which products of the other have room. bfloat16 has the exponents of float32, so that is none."""

REMEMBERED = 1024
"""Chains that were warned of; of more than these, the oldest may be warned of again."""

_PACKAGE = str(Path(__file__).parents[1])


class HalfPrecisionWarning(RuntimeWarning):
    """The cheapest order of a product left the range of its dtype, and the product was made in a wider one."""


def guarded(
    narrow: Callable[[], Any],
    widened: Callable[[], Any],
    is_finite: Callable[[Any], Any],
    dtype: str,
    shapes: Hashable,
) -> Any:
    """What `narrow` gives where it is finite, else what `widened` gives; says so once where that makes a difference.

    `is_finite` gives an array of booleans. Where it cannot be read, as while a program is traced, it is `widened`.
    """
    result = narrow()
    finite = is_finite(result)
    try:
        if bool(finite.all()):
            return result
    except Exception:
        return widened()
    wider = widened()
    if bool((is_finite(wider) != finite).any()):
        _warn_once(dtype, shapes)
    return wider


_lock = threading.Lock()
_warned: OrderedDict[Hashable, None] = OrderedDict()


def _warn_once(dtype: str, shapes: Hashable) -> None:
    with _lock:
        if (dtype, shapes) in _warned:
            return
        _warned[dtype, shapes] = None
        if len(_warned) > REMEMBERED:
            _warned.popitem(last=False)
    warnings.warn(
        f"multi_dot: in the order that costs least, products of {dtype} of shapes {shapes} leave its range; they are "
        f"multiplied in {WIDER[dtype]} instead. Give the operands in {WIDER[dtype]}, or scale them, to save the first "
        "attempt",
        HalfPrecisionWarning,
        stacklevel=_depth_of_caller(),
    )


def _depth_of_caller() -> int:
    """The level, as `warnings.warn` counts it, of the innermost frame outside of this package."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, depth = frame.f_back, depth + 1
    return depth
