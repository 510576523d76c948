"""How far a NumPy value is from its shadow: errors relative to a norm, and digits. Numbers in, numbers out.

Values that are infinite or NaN are met on the way; callers have NumPy's floating-point warnings off (`numpy.errstate`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wellposed.shadow.numpy_dtypes import SIGNIFICAND_BITS, Array, unit_roundoff
from wellposed.shadow.result import DIGITS_OF, Significant


def difference(value: Any, shadow: Array) -> Array:
    """value − shadow in the shadow's arithmetic; 0 where both are the same infinity or both NaN."""
    lifted = np.asarray(value)
    if shadow.dtype == object:
        from wellposed.shadow.numpy_multiprecision import difference as exact

        return exact(lifted, shadow)
    lifted = lifted.astype(np.result_type(shadow.dtype, np.complex128) if lifted.dtype.kind == "c" else shadow.dtype)
    plain = np.asarray(lifted - shadow)
    if math.isfinite(norm(plain)):
        return plain
    same = (lifted == shadow) | ((lifted != lifted) & (shadow != shadow))
    return np.where(same, 0, plain)


_SQUARES_FROM = 1e-280
"""A sum of squares below this may have lost some to underflow."""


def norm(values: Array) -> float:
    """The 2-norm without overflow; infinite where an element is infinite or NaN."""
    if not np.size(values):
        return 0.0
    if np.size(values) == 1:
        only = float(abs(np.asarray(values).reshape(-1)[0]))
        return only if math.isfinite(only) else math.inf
    if values.dtype != object:
        flat = values.reshape(-1)
        total = float(np.vdot(flat, flat).real)
        if _SQUARES_FROM < total < math.inf:
            return math.sqrt(total)
    sizes = np.asarray(np.abs(values))
    largest = sizes.max()
    if largest == 0:
        return 0.0
    if not math.isfinite(float(largest)):
        return math.inf
    scaled = np.asarray(sizes / largest).astype(np.float64)
    return float(largest * np.sqrt(np.sum(scaled * scaled)))


def norm_of_finite(values: Array) -> float:
    """`norm` of the elements that are finite."""
    size = norm(values)
    if math.isfinite(size):
        return size
    sizes = np.asarray(np.abs(values))
    return norm(np.where(np.asarray(sizes < np.inf, bool), sizes, 0))


def relative(error: Array, shadow: Array) -> float:
    """‖error‖ / ‖shadow‖, 0 where there is no error, infinite where there is one and nothing to compare it with."""
    size = norm(error)
    if size == 0:
        return 0.0
    base = norm_of_finite(shadow)
    return size / base if base > 0 else math.inf


def digits_from(error: float, dtype: str) -> float:
    """−log10 of a relative error, from 0 to what `dtype` holds."""
    most = DIGITS_OF[dtype]
    if error <= 0:
        return most
    return min(max(-math.log10(error), 0.0), most) if math.isfinite(error) else 0.0


def significant(error: Array, shadow: Array, dtype: str) -> Significant:
    """Digits of a value in `dtype` that is `error` away from `shadow`.

    Of more than `MOST_ELEMENTS` elements an evenly spaced sample is looked at one by one; the norm is of all.
    """
    most = DIGITS_OF[dtype]
    if not error.size:
        return Significant(most, most, most, 0.0)
    if error.size == 1:
        digits = digits_from(relative(error, shadow), dtype)
        return Significant(digits, digits, digits, float(digits < most / 2))
    stride = -(-error.size // MOST_ELEMENTS)
    sizes, errors = (np.abs(part.reshape(-1)[::stride]).astype(np.float64) for part in (shadow, error))
    # 2-norm over root of the count, from values that may be too large to square.
    mean_size = norm_of_finite(sizes) / math.sqrt(max(int(np.isfinite(sizes).sum()), 1))
    floor = np.maximum(sizes, unit_roundoff(dtype) * mean_size)
    each = np.where(errors == 0, 0.0, errors / floor)
    each = np.where(np.isnan(each), np.inf, each)
    few = float(np.mean(each > 10 ** (-most / 2)))
    middle = each if each.size <= SAMPLED else each[:: -(-each.size // SAMPLED)]
    return Significant(
        digits_from(relative(error, shadow), dtype),
        digits_from(float(each.max()), dtype),
        digits_from(float(np.median(middle)), dtype),
        few,
    )


MOST_ELEMENTS = 1 << 18
"""Elements that are looked at one by one."""
SAMPLED = 4096
"""Elements from which a median is taken."""


def cancelled_bits(name: str, operands: list[Array], result: Array, dtype: str, apply: Any) -> float:
    """Bits that operands lose to each other in a sum, difference or product of matrices, normwise.

    log2 of the size that the terms have over the size that is left; the whole significand where nothing is.
    `apply(magnitudes)` gives what the operation makes of the operands' absolute values.
    """
    if name in ("add", "subtract"):
        size = max((norm(np.broadcast_to(np.asarray(part), result.shape)) for part in operands), default=0.0)
    elif name in SUMS:
        try:
            size = norm_of_finite(np.asarray(apply([_size_of(part) for part in operands])))
        except (NotImplementedError, TypeError, ValueError):
            return 0.0
    else:
        return 0.0
    left = norm(result)
    if size == 0 or not math.isfinite(size) or not math.isfinite(left):
        return 0.0
    most = float(SIGNIFICAND_BITS[dtype])
    return min(max(math.log2(size / left), 0.0), most) if left > 0 else most


def _size_of(part: Array) -> Array:
    """Absolute values, in float64 where that can be: BLAS multiplies no longer numbers."""
    sizes = np.abs(part)
    return sizes if sizes.dtype == object else sizes.astype(np.float64)


def terms_of(name: str, operands: list[Array], elements: int) -> int:
    """Numbers added up for one element of a result of `elements`: n of a sum, the inner dimension of a product."""
    sizes = [np.size(part) for part in operands]
    if not sizes or not elements:
        return 1
    if name in PRODUCTS:
        # m·k and k·n numbers give m·n.
        return max(int((sizes[0] * sizes[-1] / elements) ** 0.5), 1)
    if name in SUMS or name in ("var", "std", "norm", "prod", "nanvar", "nanstd"):
        return max(sizes[0] // elements, len(sizes) // elements, 1)
    return max(elements, 1) if name in ("cumsum", "add.accumulate", "cumprod") else 1


PRODUCTS = frozenset({"matmul", "dot", "vdot", "inner", "tensordot", "einsum"})
"""Operations that add up products of two operands' elements."""
SUMS = frozenset({
    "sum", "mean", "add.reduce", "nansum", "nanmean", "matmul", "dot", "vdot", "inner", "tensordot", "einsum",
    "average", "trace",
})  # fmt: skip
"""Operations that are sums of terms or of products, whose terms lose bits to each other."""
