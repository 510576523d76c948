"""How long products take on this machine: two coefficients, measured once and kept in the user's cache folder.

The model is the usual one of two terms: a product of p×q by q×r takes a time for each of its p·q·r multiplications and
a time for each of the p·q + q·r + p·r elements that it reads or writes.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

FILE = "product-times.json"

# Large enough to be beyond the second cache, and to take a millisecond or more.
_SQUARE = 1024
_LONG = 4096
_ROUNDS = 7


@dataclass(frozen=True)
class Coefficients:
    """Of the model of time; in seconds, for float32."""

    seconds_per_multiplication: float
    seconds_per_element: float


DEFAULT = Coefficients(seconds_per_multiplication=1e-11, seconds_per_element=1e-10)
"""Where nothing was measured here: as `measure` found them on two cores of an AMD EPYC (200 GFLOP/s, 40 GB/s)."""


def cache_file() -> Path:
    """Where the coefficients are kept."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("wellposed", appauthor=False)) / FILE


def coefficients() -> Coefficients:
    """Those of this machine where they were measured, else `DEFAULT`; a file that is damaged counts as none."""
    try:
        kept = json.loads(cache_file().read_text(encoding="utf-8"))
        read = Coefficients(float(kept["seconds_per_multiplication"]), float(kept["seconds_per_element"]))
    except (OSError, ValueError, KeyError, TypeError):
        return DEFAULT
    numbers = (read.seconds_per_multiplication, read.seconds_per_element)
    return read if all(0 < number < math.inf for number in numbers) else DEFAULT


def calibrate() -> tuple[Coefficients, Path]:
    """Measure with NumPy, for about a second, and keep the result. Raises OSError where the file cannot be written."""
    measured = measure()
    file = cache_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(measured), indent=1) + "\n", encoding="utf-8")
    return measured, file


def measure() -> Coefficients:
    """The coefficients of ``numpy.matmul`` for float32. Raises ImportError where there is no NumPy."""
    import numpy

    def product(rows: int, inner: int, columns: int) -> tuple[float, int, int]:
        left = numpy.ones((rows, inner), dtype=numpy.float32)
        right = numpy.ones((inner, columns), dtype=numpy.float32)
        elements = rows * inner + inner * columns + rows * columns
        return _seconds(lambda: left @ right), rows * inner * columns, elements

    return solve(product(_SQUARE, _SQUARE, _SQUARE), product(1, _LONG, _LONG))


def solve(square: tuple[float, int, int], thin: tuple[float, int, int]) -> Coefficients:
    """The two coefficients from the seconds, multiplications and elements of two products, one bound by each.

    Two linear equations; where noise would make a coefficient negative, each term explains its product alone.
    """
    (t1, m1, e1), (t2, m2, e2) = square, thin
    determinant = m1 * e2 - m2 * e1
    arithmetic, moved = (t1 * e2 - t2 * e1) / determinant, (m1 * t2 - m2 * t1) / determinant
    if arithmetic > 0 and moved > 0:
        return Coefficients(arithmetic, moved)
    return Coefficients(t1 / m1, t2 / e2)


def _seconds(call: Callable[[], Any]) -> float:
    call()
    times = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return median(times)
