"""What the statistics must be, computed by NumPy in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

COUNTS = ("count", "nan", "positive_infinity", "negative_infinity", "zero")
EXTREMES = ("minimum", "maximum", "smallest_nonzero")
MOMENTS = ("mean", "standard_deviation", "root_mean_square")

SMALLEST_NORMAL = {
    torch.float64: 2.0**-1022,
    torch.float32: 2.0**-126,
    torch.bfloat16: 2.0**-126,
    torch.float16: 2.0**-14,
    torch.float8_e4m3fn: 2.0**-6,
    torch.float8_e4m3fnuz: 2.0**-7,
    torch.float8_e5m2: 2.0**-14,
    torch.float8_e5m2fnuz: 2.0**-15,
}


def expected(array: Any) -> dict[str, float]:
    """The statistics of a tensor or array, whose elements all fit in float64."""
    if isinstance(array, torch.Tensor):
        tensor = array.detach().resolve_conj().resolve_neg()
        normal = SMALLEST_NORMAL.get(tensor.dtype, 0.0)
        if tensor.is_complex():
            normal = SMALLEST_NORMAL[tensor.real.dtype]
            tensor = torch.view_as_real(tensor.contiguous())
        values = tensor.to(torch.float64).numpy().reshape(-1)
    else:
        array = np.asarray(array)
        normal = 0.0 if array.dtype.kind in "iub" else float(np.finfo(array.dtype).tiny)
        if array.dtype.kind == "c":
            array = np.stack([array.real, array.imag])
        values = array.astype(np.float64).reshape(-1)
    finite = values[np.isfinite(values)]
    magnitudes = np.abs(finite[finite != 0])
    found = {
        "count": values.size,
        "nan": int(np.isnan(values).sum()),
        "positive_infinity": int((values == np.inf).sum()),
        "negative_infinity": int((values == -np.inf).sum()),
        "zero": int((finite == 0).sum()),
        "subnormal": int((magnitudes < normal).sum()),
        "smallest_nonzero": float(magnitudes.min()) if magnitudes.size else math.nan,
    }
    return found | moments(finite)


def moments(finite: np.ndarray) -> dict[str, float]:
    """Extremes and moments, scaled so that no square overflows."""
    if finite.size == 0:
        return dict.fromkeys(("minimum", "maximum", *MOMENTS), math.nan)
    exponent = max(int(np.frexp(np.abs(finite).max())[1]), -1000)
    scaled = np.ldexp(finite, -exponent)
    return {
        "minimum": float(finite.min()),
        "maximum": float(finite.max()),
        "mean": math.ldexp(float(scaled.mean()), exponent),
        "standard_deviation": math.ldexp(float(scaled.std()), exponent),
        "root_mean_square": math.ldexp(float(np.sqrt(np.mean(scaled * scaled))), exponent),
    }


def same(a: float, b: float) -> bool:
    """Equal, where NaN equals NaN."""
    return a == b or (math.isnan(a) and math.isnan(b))


def check(found: Any, array: Any, tolerance: float = 1e-6) -> None:
    """Counts and extremes must be exact; moments within ``tolerance`` of the root mean square."""
    want = expected(array)
    for name in (*COUNTS, "subnormal", *EXTREMES):
        assert same(getattr(found, name), want[name]), (name, getattr(found, name), want[name])
    for name in MOMENTS:
        value, right = getattr(found, name), want[name]
        near = abs(value - right) <= tolerance * want["root_mean_square"]
        assert near or same(value, right), (name, value, right)
