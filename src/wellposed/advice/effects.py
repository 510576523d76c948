"""What an epsilon does, in closed form: the amplification it allows, the bias it causes, the range where it serves.

Sources: ε is added to the variance inside the root in batch normalisation (Ioffe & Szegedy 2015, arXiv 1502.03167) and
layer normalisation (Ba et al. 2016, arXiv 1607.06450), to the root of the second moment, outside it, in Adam (Kingma &
Ba 2015, arXiv 1412.6980). Adam's updates shrink once the rms of the gradient comes near ε (Wortsman et al. 2023, arXiv
2309.14322). What a dtype can hold and the unit roundoff u: Higham 2002, Accuracy and Stability, chapter 2.
"""

from __future__ import annotations

import math

from wellposed.advice.distribution import Distribution
from wellposed.advice.epsilon import Range, Use
from wellposed.rules.numerics.limits import format_of

_NOTICED = 0.1
"""Bias above which an epsilon is too large: the result is a tenth off, which no rounding explains."""
_NOTICED_IN_UPDATES = 0.5
"""The same of an optimizer, whose learning rate takes up smaller factors: ε reaches the gradient's rms (Wortsman et al.
2023)."""
_BESIDE_ONE = 1e-3
"""Largest distance to 1 that a bound just below 1 should keep."""
UNNOTICED = 0.01
"""Bias that the recommended range allows; it is about the unit roundoff of bfloat16."""


def forward_amplification(use: Use, held: float) -> float | None:
    """What a numerator of 1 becomes where the guarded quantity is `held`; |log| of it for a logarithm."""
    if use in ("quotient", "update"):
        return power(held, -1.0)
    if use == "root quotient":
        return power(held, -0.5)
    if use == "logarithm":
        return abs(math.log(held)) if held > 0 else math.inf
    return None


def backward_amplification(use: Use, held: float) -> float | None:
    """The largest factor of the derivative, as the backward pass forms it, where the guarded quantity is `held`.

    1/v has 1/v², 1/sqrt(v) has v^-1.5 (PyTorch computes that power before it halves it), sqrt(v) has 1/(2 sqrt(v)),
    log(v) has 1/v, acos(1 - v) has 1/sqrt(2 v).
    """
    if use == "quotient":
        return power(held, -2.0)
    if use == "root quotient":
        return power(held, -1.5)
    if use == "logarithm":
        return power(held, -1.0)
    if use == "root":
        return 0.5 * power(held, -0.5)
    if use == "inverse function":
        return power(2 * held, -0.5)
    return None


def bias(use: Use, epsilon: float, quantity: float, *, clamps: bool) -> float | None:
    """How far the epsilon moves the result at this quantity: relative, for a logarithm absolute (nats).

    None where the quantity is not positive, or for norms and inverse functions.
    """
    if not quantity > 0 or not epsilon >= 0 or use in ("norm", "inverse function"):
        return None
    held = held_at(quantity, epsilon, clamps=clamps)
    added = max(epsilon - quantity, 0.0) if clamps else epsilon
    if use == "logarithm":
        return math.log1p(added / quantity)
    lost = added / held
    # 1 - sqrt(v / held), without the difference of numbers close to each other.
    return lost / (1 + math.sqrt(quantity / held)) if use in ("root", "root quotient") else lost


def noticed(use: Use) -> float:
    """The bias above which an epsilon is too large."""
    return _NOTICED_IN_UPDATES if use == "update" else _NOTICED


def held_at(quantity: float, epsilon: float, *, clamps: bool) -> float:
    return max(quantity, epsilon) if clamps else quantity + epsilon


def recommended(
    use: Use,
    protected: Distribution | None,
    *,
    dtype: str,
    forward_dtype: str,
    backward_dtype: str,
    literal_power: bool = True,
    upper: bool = False,
) -> Range:
    """The range in which the epsilon serves: from where amplification leaves the dtype to where it shows in results."""
    if upper:
        spacing = format_of(dtype).epsilon / 2
        if spacing > _BESIDE_ONE:
            return Range(
                None, None, f"none serves in {dtype}, whose numbers below 1 are {spacing:.2g} apart; use float32"
            )
        return Range(
            spacing, _BESIDE_ONE, f"from the spacing of {dtype} just below 1 ({spacing:.2g}) to what is small against 1"
        )
    low, why = _lowest(use, dtype, forward_dtype, backward_dtype, literal_power)
    if protected is None or math.isnan(protected.typical):
        return Range(low, None, why)
    # Where zeros occur, what they are multiplied by should not drown everything else.
    relative = (0.5 * format_of(backward_dtype).epsilon) ** (2 if use == "root quotient" else 1) * protected.typical
    if use in ("quotient", "root quotient") and protected.minimum < relative and relative > low:
        low, why = relative, f"zeros are amplified at most 1/u times as much as the rest, u of {backward_dtype}"
    if use in ("norm", "inverse function"):
        return Range(low, UNNOTICED * protected.typical, why)
    # Some parameters have no gradient to speak of: a bias before a normalisation.
    low_end = None if use == "update" else protected.quantile(0.05)
    near = low_end or protected.typical
    high = (2 * UNNOTICED if use in ("root", "root quotient") else UNNOTICED) * near
    at = "the 5 % quantile" if low_end else "the median" if protected.measured else "the mean"
    if low > high:
        return Range(None, None, f"none serves in {dtype}: {why}, yet bias starts at {high:.2g}; use float32")
    return Range(low, high, f"{why}; bias at most {UNNOTICED:.0%} at {at}, {near:.2g}")


def _lowest(use: Use, dtype: str, forward_dtype: str, backward_dtype: str, literal_power: bool) -> tuple[float, str]:
    normal = format_of(dtype).smallest_normal
    if use == "root quotient":
        bounds = [(format_of(forward_dtype).largest ** -2.0, f"1/√ε is finite in {forward_dtype}")]
        largest = format_of(backward_dtype).largest
        bounds.append(
            (largest ** (-2 / 3), f"1/ε^1.5 is finite in {backward_dtype}")
            if literal_power
            else (1 / largest, f"the gradient, up to 1/ε, is finite in {backward_dtype}")
        )
    elif use in ("quotient", "logarithm"):
        bounds = [(1 / format_of(backward_dtype).largest, f"1/ε is finite in {backward_dtype}")]
    else:
        bounds = []
    bounds.append((normal, f"ε is a normal number in {dtype}"))
    return max(bounds, key=lambda each: each[0])


def power(value: float, exponent: float) -> float:
    """`value` to a negative exponent; infinite where it is too large to tell, or the value is not positive."""
    if not value > 0:
        return math.inf
    try:
        return float(value**exponent)
    except OverflowError:
        return math.inf
