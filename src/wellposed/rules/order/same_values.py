"""Products that were computed before: which products of a run have the same factors, to the last bit.

Two tensors are taken for the same where nothing wrote to either in between (the record's producer), or where all that
was measured of them agrees: count, extremes, smallest magnitude, mean, deviation and rms in float64, and how many of
their elements are zero. Two different tensors that agree in all of these are not met in practice; a tensor that was not
measured is never taken for another.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable

from wellposed.record import Operand
from wellposed.rules.order.products import Product


def fingerprint(operand: Operand) -> Hashable | None:
    """What tells the operand's values from others; None where nothing does."""
    values = operand.statistics
    if values is None or values.nonfinite or values.count < 2 or values.standard_deviation == 0.0:
        return None
    return (
        operand.shape, operand.dtype, values.count, values.zero, values.minimum, values.maximum,
        values.smallest_nonzero, values.mean, values.standard_deviation, values.root_mean_square,
    )  # fmt: skip


def same(products: Iterable[Product]) -> list[list[Product]]:
    """Products of the same factors in the same roles, two and more together."""
    groups: dict[Hashable, list[Product]] = defaultdict(list)
    for product in products:
        left, right = fingerprint(product.left), fingerprint(product.right)
        if left is not None and right is not None:
            groups[product.operation.base, left, right].append(product)
    return [each for each in groups.values() if len(each) > 1]
