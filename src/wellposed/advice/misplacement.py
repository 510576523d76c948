"""Epsilons in the wrong place: they are there, and what they were meant to prevent happens all the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from wellposed.advice.epsilon import Use
from wellposed.advice.uses import Served, endangered, is_root
from wellposed.record import Operation, Record
from wellposed.rules.numerics.epsilon.guards import Guard, guards_before
from wellposed.rules.numerics.formulas import LOGARITHMS
from wellposed.rules.numerics.limits import format_of
from wellposed.rules.tracing import SAME_VALUES, origin


@dataclass(frozen=True, slots=True)
class Misplaced:
    """Why an epsilon stands in the wrong place."""

    use: Use
    """The use that is left unguarded."""
    why: str
    """A clause that goes on from "ε = 1e-8: "."""
    unguarded: int
    """Id of the operation that is left unguarded."""


_SPREADS = frozenset({"std", "var", "std_mean", "var_mean"})


def misplacement(
    record: Record, guard: Guard, served: Served | None, backward: Mapping[int, list[Operation]]
) -> Misplaced | None:
    """Why the guard stands in the wrong place, where what feeds it, or what it feeds, shows that."""
    operation = guard.operation
    source = origin(record, operation.inputs[0], SAME_VALUES | {"neg"})
    adds = operation.base == "add"
    if source is not None and source.phase == operation.phase:
        if adds and is_root(source):
            after_root = _after_root(source, backward)
            if after_root:
                return Misplaced("root", after_root, source.id)
        if adds and served is None and source.base in LOGARITHMS:
            zeros = source.inputs[0].statistics.zero if source.inputs and source.inputs[0].statistics else 0
            seen = f", and {zeros} of its arguments are 0 here" if zeros else ""
            return Misplaced(
                "logarithm", f"it is added after the logarithm, which it does not keep off zero{seen}", source.id
            )
        if source.base in _SPREADS and _has_nan(source):
            why = f"`{source.base}` of a single element is NaN, which no ε mends; use correction=0"
            return Misplaced("quotient", why, source.id)
        # The clamp of probabilities on both sides may follow a quotient that is fine.
        risk = endangered(source)
        if not adds and not guard.upper and risk is not None and _made_nonfinite(source):
            why = f"it clamps what `{source.base}` has already made infinite or NaN; the gradient stays NaN"
            return Misplaced(risk[0], why, source.id)
    values = operation.inputs[0].statistics
    if served is None or served.use != "quotient" or served.subtracted or not adds or guard.epsilon >= 1:
        return None
    if values is not None and values.minimum < 0 < values.maximum:
        signs = f"{values.minimum:.3g} to {values.maximum:.3g}"
        why = f"the denominator takes both signs ({signs}): adding ε moves the zero, and keeps nothing off it"
        return Misplaced("quotient", why, served.operation.id)
    return None


def numerator_alone(record: Record, guard: Guard) -> Misplaced | None:
    """A guard that is added to the numerator, while the denominator is zero and has none."""
    made = {guard.operation.id}
    for use in record.consumers(guard.operation.id):
        risk = endangered(use)
        if use.base != "div" or risk is None or use.inputs[0].producer not in made or risk[1].producer in made:
            continue
        below = risk[1].statistics
        if below is not None and below.zero and next(guards_before(record, risk[1]), None) is None:
            why = f"it is added to the numerator; the denominator is 0 in {below.zero} of {below.count} places"
            return Misplaced("quotient", why, use.id)
    return None


def thrown_away(record: Record, guard: Guard) -> Misplaced | None:
    """A clamp whose result nobody reads, while its argument goes on into what needs a guard."""
    operation = guard.operation
    before = operation.inputs[0].producer
    if operation.operator.split(".")[1].endswith("_") or before is None or record.consumers(operation.id):
        return None
    for use in record.consumers(before):
        risk = endangered(use)
        if use.id > operation.id and use.phase == operation.phase and risk is not None and risk[1].producer == before:
            why = f"the result of `{operation.base}` is never used; `{use.base}` takes what was not clamped"
            return Misplaced(risk[0], why, use.id)
    return None


def _after_root(root: Operation, backward: Mapping[int, list[Operation]]) -> str:
    values = root.inputs[0].statistics
    if root.id not in backward or values is None or math.isnan(values.minimum) or values.minimum < 0:
        return ""
    smallest, roundoff = values.smallest_magnitude, format_of(root.inputs[0].dtype).epsilon / 2
    # A gradient of 1/u drowns all others it is summed with.
    if smallest > 0 and 0.5 / math.sqrt(smallest) < 1 / roundoff:
        return ""
    steep = f"{0.5 / math.sqrt(smallest):.1e}" if smallest else "infinite"
    at = f"its smallest argument, {smallest:.3g}"
    return f"it is added after the root, whose gradient is {steep} at {at}; ε belongs inside"


def _has_nan(source: Operation) -> bool:
    made = source.output.statistics if source.output is not None else None
    return made is not None and made.nan > 0 and not any(each.nonfinite for each in source.inputs)


def _made_nonfinite(source: Operation) -> bool:
    return any(each.nonfinite for each in source.outputs) and not any(each.nonfinite for each in source.inputs)
