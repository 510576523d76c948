"""Every epsilon in force in a recording, each with its verdict."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

from wellposed.advice.by_hand import GUARDS, Backward, guard_epsilons
from wellposed.advice.distribution import merged
from wellposed.advice.epsilon import Epsilon
from wellposed.advice.found import Found
from wellposed.advice.judging import judge
from wellposed.advice.layers import LAYERS, Measurement, layer_epsilon
from wellposed.advice.missing import missing_epsilons
from wellposed.advice.optimizers import optimizer_epsilons
from wellposed.record import Operation, Record
from wellposed.rules.numerics.epsilon.guards import guards_of

MOST_STEPS = 6
"""Steps that are read: the first ones, in which whatever is set wrong shows, and the last."""

MOST_AT_A_PLACE = 8
"""Of a line that runs in a loop, so many operations are looked at in each step."""


def epsilons_in(record: Record, measured: Mapping[int, Measurement] | None = None) -> tuple[Epsilon, ...]:
    """The epsilons of layers, of functions and of formulas in the order they ran, then those of optimizers, then those
    that are missing.

    `measured` gives, by the id of the operation, order statistics of the magnitudes of what its epsilon protects; of
    other operations the record's extremes and means are told. Raises RecordError where the record is damaged.
    """
    groups: dict[tuple[object, ...], list[Found]] = {}
    for found in _met(record, measured or {}):
        groups.setdefault(_sameness(found), []).append(found)
    told = [judge(_together(group), len(group)) for group in groups.values()]
    unguarded = {each.unguarded for group in groups.values() for each in group if each.unguarded is not None}
    told += [judge(found, 1) for found in optimizer_epsilons(record)]
    absent = {_sameness(found): found for found in missing_epsilons(record, unguarded)}
    return (*told, *(judge(found, 1) for found in absent.values()))


def _met(record: Record, measured: Mapping[int, Measurement]) -> Iterator[Found]:
    full = [step.id for step in record.steps() if step.level == "full"]
    steps: list[int] = full if len(full) <= MOST_STEPS else [*full[: MOST_STEPS - 1], full[-1]]
    modules = record.modules()
    for step in steps:
        met = list(_candidates(record, step))
        backward = _backward(record, step) if met else {}
        for operation in met:
            if operation.base in LAYERS:
                differentiated = operation.id in backward
                yield from layer_epsilon(record, operation, measured, modules, differentiated=differentiated)
            else:
                yield from guard_epsilons(record, operation, measured, modules, backward)


def _candidates(record: Record, step: int) -> Iterator[Operation]:
    """The operations of a step that may hold an epsilon, the first few at each place."""
    seen: Counter[tuple[object, ...]] = Counter()
    for operation in record.operations(*GUARDS, *LAYERS, step=step, phase="forward"):
        if operation.base in LAYERS or next(guards_of(operation), None) is not None:
            place = (operation.site.id if operation.site else None, operation.module, operation.operator)
            seen[place] += 1
            if seen[place] <= MOST_AT_A_PLACE:
                yield operation


def _backward(record: Record, step: int) -> Backward:
    found: dict[int, list[Operation]] = defaultdict(list)
    for operation in record.operations(step=step, phase="backward"):
        if operation.forward is not None:
            found[operation.forward].append(operation)
    return found


def _sameness(found: Found) -> tuple[object, ...]:
    where = found.where
    return (where.file, where.line, where.function, where.module, found.kind, found.use, found.value, found.upper)


def _together(group: list[Found]) -> Found:
    """The first of them, with the quantities of all, and the worst that is known of any."""
    first = group[0]
    return replace(
        first,
        protected=merged([each.protected for each in group if each.protected is not None]),
        misplaced=next((each.misplaced for each in group if each.misplaced), ""),
        # What rounds away in one step and not in another depends on the values.
        ineffective=first.ineffective if all(each.ineffective for each in group) else "",
        spoilt=next((each.spoilt for each in group if each.spoilt), ""),
        missing=any(each.missing for each in group),
        differentiated=any(each.differentiated for each in group),
        noise=all(each.noise for each in group),
    )
