"""The comparison in a headline and a few sentences; every string has been through `plain`."""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.report.compare.model import Comparison, First, OperationDifference
from wellposed.report.compare.words import apart, both, both_places, named
from wellposed.report.text import counted, plain

_GIVEN = {
    "version": "versions",
    "argv": "command",
    "optimizer": "optimizer",
    "parameter": "parameters",
    "initial-weights": "first weights",
}


def headline(comparison: Comparison) -> str:
    status, course = comparison.status, comparison.course
    if status == "nothing":
        return "nothing to compare: no step, operator or parameter is in both records"
    if status == "same":
        return "the same to the last recorded digit" + (_as_far(comparison) or f": {_compared(comparison)}")
    if status == "rounding":
        return "the same up to rounding" + (_as_far(comparison) or f": {_compared(comparison)}")
    step = course.step_of("loss")
    if step is not None:
        return f"the losses part in step {step}"
    steps = [each.step for each in comparison.operations]
    steps += [comparison.gradient.step] if comparison.gradient else []
    steps += [0] if any(each.kind == "initial-weights" for each in comparison.settings) else []
    losses = "" if course.largest_relative is None else "; their losses do not"
    return f"the runs part in step {min(steps, default=0)}{losses}"


def _as_far(comparison: Comparison) -> str:
    course = comparison.course
    if comparison.a.steps == comparison.b.steps or not course.common:
        return ""
    return f" as far as both go: {_compared(comparison)}"


def _compared(comparison: Comparison) -> str:
    parts = []
    if comparison.course.common:
        parts.append(counted(comparison.course.common, "step"))
    if comparison.extent.operations:
        parts.append(f"{counted(comparison.extent.operations, 'operator')} side by side")
    if comparison.extent.modules:
        parts.append(f"{counted(comparison.extent.modules, 'output')} of modules side by side")
    return ", ".join(parts) or "the parameters as they started"


def sentences(comparison: Comparison) -> Iterator[str]:
    a, b, first = comparison.a, comparison.b, comparison.first
    if first is not None:
        yield f"First difference: {_first(first)}."
        if first.kind not in ("operation", "gradient", "loss") and comparison.operations:
            yield f"The operators part {_at(comparison.operations[0])}."
    if comparison.status in ("same", "rounding"):
        given = dict.fromkeys(_GIVEN[each.kind] for each in comparison.settings)
        given.update(dict.fromkeys(["source text"] if comparison.sources else []))
        if given:
            yield f"What was given to them differs all the same: {', '.join(given)}."
    if comparison.status == "rounding" and comparison.course.largest_relative:
        yield f"The losses are at most {apart(comparison.course.largest_relative)} apart."
    if a.steps != b.steps:
        longer, more = ("A", a.steps - b.steps) if a.steps > b.steps else ("B", b.steps - a.steps)
        yield f"{longer} has {counted(more, 'step')} more."
    if comparison.status == "different" and not comparison.extent.steps and not comparison.operations:
        yield "No step was recorded in full by both, so that no operators could be compared."
    if not comparison.extent.complete:
        yield "The records are too large to be compared whole; later operators were left out."


def _first(first: First) -> str:
    where = both_places(first.a_at, first.b_at)
    spot = f" ({where})" if where else ""
    step = f"in step {first.step}, " if first.kind in ("operation", "gradient", "loss") else ""
    kind = {"optimizer": "optimizer ", "initial-weights": "first weights of "}.get(first.kind, "")
    a, b = both(first.a, first.b)
    return f"{step}{kind}{plain(first.name)} is {a} in A and {b} in B{spot}"


def _at(difference: OperationDifference) -> str:
    """Where, in words: ``at aten.exp.default (train.py:39), step 0``."""
    a, b = difference.a, difference.b
    there = a or b
    operator = named(there) if there else ""
    where = both_places(a.at if a else None, b.at if b else None)
    only = "" if a and b else f", which only {'B' if a is None else 'A'} runs"
    return f"in step {difference.step} at {operator}{f' ({where})' if where else ''}{only}"
