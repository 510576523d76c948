"""What each floating-point format can hold. Sources: IEEE 754-2019, OCP (float8), torch.finfo."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Format:
    """The limits of a floating-point format."""

    largest: float
    smallest_normal: float
    smallest_subnormal: float
    epsilon: float
    """Spacing of the numbers just above 1."""

    @property
    def exp_overflow(self) -> float:
        """exp of anything above is infinite."""
        return math.log(self.largest)

    @property
    def exp_underflow(self) -> float:
        """exp of anything below is zero: half the smallest subnormal number rounds to nothing."""
        return math.log(self.smallest_subnormal) - math.log(2.0)


FORMATS: Final[dict[str, Format]] = {
    "float64": Format(1.7976931348623157e308, 2.2250738585072014e-308, 5e-324, 2.220446049250313e-16),
    "float32": Format(3.4028234663852886e38, 1.1754943508222875e-38, 1.401298464324817e-45, 1.1920928955078125e-07),
    "bfloat16": Format(3.3895313892515355e38, 1.1754943508222875e-38, 9.183549615799121e-41, 0.0078125),
    "float16": Format(65504.0, 6.103515625e-05, 5.960464477539063e-08, 0.0009765625),
    "float8_e4m3fn": Format(448.0, 0.015625, 0.001953125, 0.125),
    "float8_e4m3fnuz": Format(240.0, 0.0078125, 0.0009765625, 0.125),
    "float8_e5m2": Format(57344.0, 6.103515625e-05, 1.52587890625e-05, 0.25),
    "float8_e5m2fnuz": Format(57344.0, 3.0517578125e-05, 7.62939453125e-06, 0.25),
}


def spacing_at(value: float, dtype: str) -> float:
    """Distance of a number of this magnitude to the next larger one in the dtype (one ulp)."""
    held = format_of(dtype)
    if not 0 < abs(value) < math.inf:
        return held.smallest_subnormal
    return max(held.epsilon * 2.0 ** math.floor(math.log2(abs(value))), held.smallest_subnormal)


def format_of(dtype: str) -> Format:
    """The limits of `dtype`; those of float32 for dtypes that are no floating-point format (integers promote to it)."""
    return FORMATS.get(dtype, FORMATS["float32"])


def rounded(value: float, dtype: str) -> float:
    """What `dtype` makes of a Python number: 1e-8 is 0 in float16, 1 - 1e-8 is 1 in float32."""
    code = {"float16": "e", "float32": "f", "bfloat16": "f"}.get(dtype)
    if code is None or not math.isfinite(value):
        return value
    try:
        packed = struct.pack(f"<{code}", value)
    except OverflowError:
        return math.copysign(math.inf, value)
    if dtype == "bfloat16":
        bits = int.from_bytes(packed, "little")
        bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
        packed = bits.to_bytes(4, "little")
    return float(struct.unpack(f"<{code}", packed)[0])
