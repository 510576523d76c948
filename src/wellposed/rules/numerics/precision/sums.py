"""Sums kept in float16 or bfloat16: those that stand still, and those that many roundings have made wrong."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record, Statistics
from wellposed.rules.numerics.limits import format_of, spacing_at
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import location

FEWEST = 3
"""Times that a sum is seen to lose what it adds."""
LOW = ("float16", "bfloat16")
_BASES = ("add", "sub")


@dataclass(frozen=True, slots=True)
class Sum:
    """What is added in place at one place in the source, to tensors of one shape (or one parameter)."""

    additions: tuple[Operation, ...]
    """Those that were recorded."""
    count: int
    """All that there were, as far as the recorded steps tell."""

    @property
    def dtype(self) -> str:
        return self.additions[0].inputs[0].dtype

    @property
    def is_update(self) -> bool:
        """Whether it is a weight that is added to: a parameter, or what an update by hand writes."""
        first = self.additions[0]
        return bool(first.inputs[0].label) or first.phase == "optimizer"


def sums(record: Record) -> Iterator[Sum]:
    """In-place sums in a low dtype, in the order of their first addition."""
    found: dict[object, list[Operation]] = defaultdict(list)
    for dtype in LOW:
        for each in record.operations(*_BASES, dtype=dtype):
            if _is_addition(each, dtype):
                whose = each.inputs[0].label or each.inputs[0].shape
                found[each.site.id if each.site else None, each.operator, whose].append(each)
    full = sum(step.level == "full" for step in record.steps())
    for additions in found.values():
        seen_in = len({each.step for each in additions})
        # Where about every recorded step adds, those between do so too.
        every = additions[-1].step - additions[0].step + 1 if 2 * seen_in >= full else seen_in
        yield Sum(tuple(additions), round(len(additions) / seen_in * every))


def total_of(operation: Operation) -> Statistics | None:
    """Of the sum before the addition; after it, where it goes on from an earlier step."""
    before = operation.inputs[0].statistics
    return before or (operation.output.statistics if operation.output is not None else None)


def stalled_sums(record: Record) -> Iterator[Sum]:
    """Sums in which, as they stand last, nothing that is added changes anything; only the additions that were lost."""
    for each in sums(record):
        lost = [operation for operation in each.additions if _is_lost(operation)]
        # A counter works until it is too large.
        if len(lost) >= FEWEST and lost[-1] is each.additions[-1]:
            yield Sum(tuple(lost), each.count)


def finding_of_stalled(rule: Rule, stalled: Sum) -> Finding:
    operation = stalled.additions[0]
    to, dtype, added = total_of(operation), stalled.dtype, size_of_added(operation)
    assert to is not None
    return rule.finding(
        location(operation),
        f"This sum in {dtype} adds values of up to {number(added)} to values of {number(to.smallest_nonzero)} and "
        f"more: {dtype} resolves {number(format_of(dtype).epsilon)} of a value, so that nothing changes.",
        step=operation.step,
        evidence=[
            Evidence("largest value that is added", added, "", spacing_at(to.smallest_nonzero, dtype) / 2),
            Evidence("smallest value that it is added to", to.smallest_nonzero),
            Evidence("times it was seen here", len(stalled.additions)),
        ],
        fixes=[Fix("keep the sum in float32", "total = total.float() + x.float()")],
        operations=[operation.id],
    )


def size_of_added(operation: Operation) -> float:
    """The largest magnitude that is added; 0 where it is not known."""
    added = operation.inputs[1].statistics if len(operation.inputs) > 1 else None
    given = operation.arguments.get("other")
    if len(operation.inputs) == 1 and isinstance(given, (int, float)):
        return abs(float(given))
    alpha = operation.arguments.get("alpha", 1)
    factor = abs(float(alpha)) if isinstance(alpha, (int, float)) else 1.0
    return factor * added.largest_magnitude if added is not None else 0.0


def _is_addition(operation: Operation, dtype: str) -> bool:
    in_place = operation.operator.split(".")[1].endswith("_")
    if not in_place or not operation.inputs or operation.inputs[0].dtype != dtype:
        return False
    to = total_of(operation)
    return to is not None and not to.nonfinite and 0 < size_of_added(operation) < math.inf


def _is_lost(operation: Operation) -> bool:
    """Whether nothing that is added can change anything."""
    to = total_of(operation)
    # Round to nearest, ties to even, drops half a spacing from a sum that was even before, as it is after the first.
    return (
        to is not None
        and to.zero == 0
        and size_of_added(operation) <= spacing_at(to.smallest_nonzero, operation.inputs[0].dtype) / 2
    )
