"""Epsilons that are not there: divisions, roots and logarithms that met a zero, to the program's harm, unguarded."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from wellposed.advice.distribution import recorded_distribution
from wellposed.advice.effects import backward_amplification, forward_amplification
from wellposed.advice.found import Found
from wellposed.advice.uses import endangered, quantity_of
from wellposed.record import Record
from wellposed.rules.numerics.births import original_births
from wellposed.rules.numerics.epsilon.guards import guards_before
from wellposed.rules.numerics.formulas import subject
from wellposed.rules.numerics.limits import format_of
from wellposed.rules.tracing import location


def missing_epsilons(record: Record, misplaced: Collection[int]) -> Iterator[Found]:
    """One for each operation whose NaN or infinity mattered; those of the ids in `misplaced` have an epsilon, in the
    wrong place, and are told there."""
    for birth in original_births(record):
        operation = subject(record, birth)
        risk = endangered(operation)
        # A division in a backward pass whose forward is unknown says nothing of the program's own formula.
        if risk is None or operation.id in misplaced or operation.phase != "forward":
            continue
        use, operand = risk
        protected = recorded_distribution(operand.statistics)
        if protected is None or (protected.negative and use != "quotient"):
            continue
        if next(guards_before(record, operand), None) is not None:
            continue
        largest = format_of(operand.dtype).largest
        factors = (forward_amplification(use, protected.minimum), backward_amplification(use, protected.minimum))
        if not any(each is not None and each > largest for each in factors):
            continue
        result = operation.output.dtype if operation.output is not None else operand.dtype
        yield Found(
            where=location(operation),
            kind={"quotient": "denominator", "root quotient": "denominator"}.get(use, use),
            use=use,
            value=0.0,
            dtype=result,
            forward_dtype=result,
            backward_dtype=result,
            quantity=quantity_of(record, operand, use),
            protected=protected,
            missing=True,
            differentiated=birth.operation.phase == "backward",
            operation=operation,
        )
