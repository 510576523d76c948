"""The verdict on an epsilon that was found, and the sentence that says why."""

from __future__ import annotations

import math

from wellposed.advice.distribution import Distribution
from wellposed.advice.effects import (
    backward_amplification,
    bias,
    forward_amplification,
    held_at,
    noticed,
    power,
    recommended,
)
from wellposed.advice.epsilon import Epsilon, Verdict
from wellposed.advice.found import Found
from wellposed.rules.numerics.limits import format_of, rounded, spacing_at
from wellposed.rules.numerics.wording import number

_MOST = 0.5
"""Share of the elements beyond which an epsilon decides the result as a whole, not at its edges."""
_JUDGED_BY_BIAS = ("quotient", "root quotient", "update")
"""A root alone may be smoothed on purpose (Charbonnier's loss), a logarithm of what is nearly 0 may count for nothing
(the classes that are not the target)."""


def judge(found: Found, times: int) -> Epsilon:
    """Everything that is told of an epsilon that was met `times` times."""
    value = rounded(found.value, found.dtype)
    held = abs(1.0 - value) if found.upper else value
    forward, backward = forward_amplification(found.use, held), backward_amplification(found.use, held)
    protected = found.protected
    typical = protected.typical if protected is not None else math.nan
    moved = bias(found.use, held, typical, clamps=found.clamps)
    dominated = _dominated(found, protected, held)
    advice = recommended(
        found.use,
        protected,
        dtype=found.dtype,
        forward_dtype=found.forward_dtype,
        backward_dtype=found.backward_dtype,
        literal_power=found.literal_power,
        upper=found.upper,
    )
    verdict, message = _verdict(found, held, moved, dominated)
    return Epsilon(
        where=found.where,
        kind=found.kind,
        use=found.use,
        value=found.value,
        clamps=found.clamps,
        dtype=found.dtype,
        value_in_dtype=value,
        quantity=found.quantity,
        protected=protected,
        spacing=spacing_at(typical, found.dtype) if typical > 0 else None,
        absorbed=_absorbed(found, protected, held),
        forward=forward,
        backward=backward,
        forward_in_dtype=None if forward is None else rounded(forward, found.forward_dtype),
        backward_in_dtype=None if backward is None else rounded(backward, found.backward_dtype),
        bias=moved,
        dominated=dominated,
        recommended=advice,
        verdict=verdict,
        message=message,
        times=times,
    )


def _absorbed(found: Found, protected: Distribution | None, held: float) -> float | None:
    """The share of elements v for which v + ε = v in the dtype; for a clamp, for which max(v, ε) = v."""
    if protected is None or found.missing or found.upper:
        return None
    if found.clamps:
        return protected.share_where(lambda v: v >= held)
    return protected.share_where(
        lambda v: rounded(rounded(v, found.dtype) + held, found.dtype) == rounded(v, found.dtype)
    )


def _dominated(found: Found, protected: Distribution | None, held: float) -> float | None:
    if protected is None or found.use in ("norm", "inverse function"):
        return None

    def shows(v: float) -> bool:
        moved = bias(found.use, held, v, clamps=found.clamps)
        return moved is not None and moved > noticed(found.use)

    return protected.share_where(shows, nonzero=True)


def _verdict(found: Found, held: float, moved: float | None, dominated: float | None) -> tuple[Verdict, str]:
    epsilon, dtype = number(found.epsilon), found.dtype
    if found.missing:
        return "missing", _missing(found)
    if found.misplaced:
        return "misplaced", f"ε = {epsilon}: {found.misplaced}."
    if found.ineffective:
        return "ineffective", f"{found.ineffective}: it guards nothing."
    if found.value > 0 and held == 0:
        return "ineffective", f"{epsilon} is 0 in {dtype}: it guards nothing{_not_needed(found)}."
    small = _too_small(found, held)
    if small:
        return "too small", small
    if _too_large(found, held, moved, dominated):
        assert found.protected is not None and moved is not None
        size = number(found.protected.typical)
        what = f"ε = {epsilon} beside a {found.quantity} of {size}"
        if found.use == "update":
            return "too large", f"{what}: updates are {number(1 - moved)} of what they are without it."
        return "too large", f"{what} changes the result by {moved:.0%}: it decides the result."
    return "sound", _sound(found, held, moved)


def _not_needed(found: Found) -> str:
    """That nothing went wrong, where that is so."""
    smallest = found.protected.minimum if found.protected is not None else 0.0
    needed = not smallest > 0 or found.spoilt or found.use == "update"
    return "" if needed else f" (nor was it needed here: the smallest {found.quantity} is {number(smallest)})"


def _missing(found: Found) -> str:
    protected = found.protected
    if found.value == 0 and found.kind not in ("denominator", "logarithm", "root"):
        return f"ε is 0, and so is the {found.quantity} in places: 0 / 0."
    smallest = protected.minimum if protected is not None else 0.0
    where = f" in {protected.zero} of {protected.count} places" if protected is not None and protected.zero else ""
    does = {"logarithm": "its logarithm is taken", "root": "its root is differentiated"}.get(
        found.use, "it is divided by"
    )
    return f"The {found.quantity} is {number(smallest)}{where}, and {does} without an ε."


def _too_small(found: Found, held: float) -> str:
    """Why what the epsilon lets through is more than the dtype holds; empty where it is not."""
    if found.upper or held == 0:
        return ""
    epsilon = number(found.epsilon)
    spoilt = f"ε = {epsilon} is there, and still {found.spoilt}." if found.spoilt else ""
    if found.protected is None:
        return spoilt
    smallest = found.protected.minimum
    at = held_at(smallest, held, clamps=found.clamps)
    reached = f"ε = {epsilon}, and the {found.quantity} comes down to {number(smallest)}"
    # Devices compute with the subnormal numbers of float16; those of the other formats many flush to zero.
    if found.dtype != "float16" and held < format_of(found.dtype).smallest_normal and smallest <= held:
        return f"{reached}: ε is subnormal in {found.dtype}, which keeps few of its bits; many devices flush it to 0."
    for factor, name, dtype in _factors(found, at):
        if math.isinf(rounded(factor, dtype)):
            return f"{reached}: {name} is {factor:.1e}, more than {dtype} holds."
    return spoilt


def _factors(found: Found, at: float) -> list[tuple[float, str, str]]:
    """The factors that this use multiplies by where the guarded quantity is `at`."""
    factors: list[tuple[float, str, str]] = []
    if found.use == "root quotient":
        factors.append((power(at, -0.5), "the factor 1/√ε", found.forward_dtype))
        if found.differentiated and found.literal_power:
            factors.append((power(at, -1.5), "the gradient's factor 1/ε^1.5", found.backward_dtype))
        elif found.differentiated:
            factors.append((power(at, -1.0), "the gradient's factor 1/ε", found.backward_dtype))
    elif found.use in ("quotient", "logarithm") and found.differentiated:
        factors.append((power(at, -1.0), "the gradient's factor 1/ε", found.backward_dtype))
    elif found.use == "update":
        factors.append((power(at, -1.0), "the factor 1/ε", found.dtype))
    return factors


def _too_large(found: Found, held: float, moved: float | None, dominated: float | None) -> bool:
    protected = found.protected
    if protected is None or found.upper or found.noise:
        return False
    if found.use == "logarithm":
        return 0 < protected.maximum < held
    # Zeros (padding) are what an epsilon is for.
    if found.use not in _JUDGED_BY_BIAS or moved is None or 2 * protected.zero > protected.count:
        return False
    return moved > noticed(found.use) and (dominated is None or dominated > _MOST)


def _sound(found: Found, held: float, moved: float | None) -> str:
    epsilon, protected = number(found.epsilon), found.protected
    if found.upper:
        return f"1 − {epsilon} is {1.0 - held!r} in {found.dtype}, below 1."
    if protected is None:
        return f"ε = {epsilon}; nothing was recorded of what it protects."
    if math.isnan(protected.typical):
        return f"ε = {epsilon}; the {found.quantity} is 0 throughout."
    told = (
        f"ε = {epsilon} beside a {found.quantity} of {number(protected.typical)} (smallest {number(protected.minimum)})"
    )
    if moved is None:
        return f"{told}."
    if moved == 0:
        return f"{told}: no change of the result."
    effect = f"{moved:.1g} nats" if found.use == "logarithm" else f"{moved:.1g} of the result"
    return f"{told}: a change of {effect}."
