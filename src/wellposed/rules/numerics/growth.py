"""Following large values back to where they grew, along the larger input of each operation."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

from wellposed.record import Operand, Operation, Record

ORDINARY = 1e3
"""The way back ends where the values are this small."""
FURTHEST = 3_000


@dataclass(frozen=True, slots=True)
class Growth:
    """The way of the largest values, from where they were ordinary to the overflow."""

    path: tuple[tuple[Operation, float], ...]
    """Operations, last first, with the factor that each multiplied by."""
    start: float
    """Magnitude where the way begins."""
    from_weights: str
    """Name of the parameter it begins with; empty where it begins elsewhere."""


def magnitude(operation: Operation, operand: Operand) -> float:
    """The operand's largest magnitude; where it was not measured, its value at the first bad element."""
    if operand.statistics is not None:
        value: object = operand.statistics.largest_magnitude
    else:
        value = operation.probes.get(f"input {operand.name}")
    return abs(float(value)) if isinstance(value, (int, float)) and not math.isnan(value) else 0.0


def followed_back(record: Record, operation: Operation) -> Growth:
    """The way back from the operation, by the larger input each time."""
    path: list[tuple[Operation, float]] = []
    current, after = operation, math.inf
    seen: set[int] = set()
    for _ in range(FURTHEST):
        operand = max(current.inputs, key=lambda each: magnitude(current, each), default=None)
        size = magnitude(current, operand) if operand is not None else 0.0
        if operand is None or size <= 0.0:
            break
        path.append((current, after / size if math.isfinite(after) else 1.0))
        after = size
        before = record.operation(operand.producer) if operand.producer else None
        if size < ORDINARY or before is None or before.id in seen or operand.label:
            return Growth(tuple(path), size, operand.label)
        seen.add(before.id)
        current = before
    return Growth(tuple(path), after, "")


def steepest(growth: Growth) -> tuple[Operation, float] | None:
    """An operation on the line at which the values were multiplied most, and by how much in all; None for no growth."""
    total: dict[tuple[str, int], float] = defaultdict(float)
    largest: dict[tuple[str, int], tuple[float, Operation]] = {}
    for each, factor in growth.path:
        if each.site is not None and factor > 0:
            line = each.site.file, each.site.line
            total[line] += math.log(factor)
            if line not in largest or factor > largest[line][0]:
                largest[line] = factor, each
    if not total:
        return None
    line = max(total, key=lambda each: total[each])
    return largest[line][1], math.exp(min(total[line], 700.0))
