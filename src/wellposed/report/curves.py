"""What the page draws over steps: lines (loss, gradient norm …) and maps (a row a layer), thinned to fit a page.

Everything here is JSON values: a number that is not finite is None, and draws as a gap.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from wellposed.record import Record, Step
from wellposed.report.text import plain

MOST_POINTS = 500
MOST_COLUMNS = 90
MOST_ROWS = 64

_LINES = (
    ("loss", "loss", False),
    ("gradient norm", "gradient_norm", True),
    ("update norm", "update_norm", True),
    ("learning rate", "learning_rate", False),
    ("loss scale of the GradScaler", "scale", True),
)


def lines(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """The curves that have something to show: each with its points and the first step where it was not finite."""
    found = []
    for title, field, logarithmic in _LINES:
        points = [(step.id, value) for step in steps if (value := _value(step, field)) is not None]
        constant = len({value for _, value in points if math.isfinite(value)}) < 2
        if not points or (constant and field in ("learning_rate", "scale")):
            continue
        broken = next((step for step, value in points if not math.isfinite(value)), None)
        kept = thinned(points, MOST_POINTS)
        found.append(
            {
                "title": title,
                "logarithmic": logarithmic or _spans_decades(points),
                "steps": [step for step, _ in kept],
                "values": [_short(value) for _, value in kept],
                "range": [steps[0].id, steps[-1].id],
                "broken": broken,
                "broken_text": "" if broken is None else _kind(dict(points)[broken]),
            }
        )
    return found


def _value(step: Step, field: str) -> float | None:
    # The norm is over the finite elements; where others are not, it says nothing.
    if field == "gradient_norm" and step.gradient_nonfinite:
        return math.nan
    value: float | None = getattr(step, field)
    return value


def thinned(points: Sequence[tuple[int, float]], most: int) -> list[tuple[int, float]]:
    """At most about `most` points: of each stretch its smallest, its largest and its first non-finite value."""
    if len(points) <= most:
        return list(points)
    size = math.ceil(len(points) / (most // 3))
    kept: list[tuple[int, float]] = []
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        finite = [point for point in stretch if math.isfinite(point[1])]
        chosen = [point for point in stretch if not math.isfinite(point[1])][:1]
        if finite:
            chosen += [min(finite, key=lambda point: point[1]), max(finite, key=lambda point: point[1])]
        kept += sorted(set(chosen), key=lambda point: point[0])
    return kept


def gradient_map(record: Record) -> dict[str, Any] | None:
    """Gradient rms, a row a parameter in the network's order; None where no gradient was recorded."""
    parameters = record.parameters()
    total = len(parameters)
    if len(parameters) > MOST_ROWS:
        # Biases and scales are left out first: the matrices carry the signal over depth.
        parameters = [each for each in parameters if len(each.shape) > 1] or parameters
    names = {parameter.id: parameter.name for parameter in parameters}
    measured = record.gradient_steps()
    known = set(measured)
    broken = [step.id for step in record.steps() if step.gradient_nonfinite and step.id in known][:1]
    cells: dict[tuple[str, int], float] = {}
    # Only the steps that are drawn are read: a long run has millions of rows.
    for step in sorted({*_evenly(measured, MOST_COLUMNS), *broken}):
        for each in record.parameter_steps(step=step):
            if each.gradient is not None and each.parameter in names:
                bad = each.gradient.nonfinite > 0
                cells[names[each.parameter], step] = math.nan if bad else each.gradient.root_mean_square
    title = "gradient rms per parameter" if len(parameters) == total else "gradient rms per weight matrix"
    return _map(title, list(dict.fromkeys(names.values())), cells, len(measured))


def activation_map(record: Record) -> dict[str, Any] | None:
    """Rms of what each module's forward made last, a row a module; None where none was recorded."""
    cells: dict[tuple[str, int], float] = {}
    order: dict[str, None] = {}
    for step, module, rms in record.module_outputs():
        order.setdefault(module)
        cells[module, step] = rms
    return _map("output rms per module", list(order), cells)


def _map(
    title: str, rows: list[str], cells: dict[tuple[str, int], float], all_steps: int | None = None
) -> dict[str, Any] | None:
    present = {row for row, _ in cells}
    rows = [row for row in rows if row in present]
    steps = sorted({step for _, step in cells})
    if not rows:
        return None
    broken = [step for step in steps if any(_is_broken(cells.get((row, step))) for row in rows)][:1]
    kept_rows = _evenly(rows, MOST_ROWS)
    kept_steps = sorted({*_evenly(steps, MOST_COLUMNS + 1), *broken})
    return {
        "title": title,
        "rows": [plain(row, 120) for row in kept_rows],
        "all_rows": len(rows),
        "steps": kept_steps,
        "all_steps": len(steps) if all_steps is None else all_steps,
        # "x" is a value that is not finite, null one that was not recorded.
        "cells": [[_cell(cells.get((row, step))) for step in kept_steps] for row in kept_rows],
        "broken": broken[0] if broken else None,
    }


def _cell(value: float | None) -> float | str | None:
    return None if value is None else _short(value) if math.isfinite(value) else "x"


def _is_broken(value: float | None) -> bool:
    return value is not None and not math.isfinite(value)


def _evenly(items: Sequence[Any], most: int) -> list[Any]:
    """At most `most` of them, the first and the last included."""
    if len(items) <= most:
        return list(items)
    return [items[round(n * (len(items) - 1) / (most - 1))] for n in range(most)]


def _spans_decades(points: Iterable[tuple[int, float]]) -> bool:
    """Whether a curve is only readable on a logarithmic scale: positive, and over four decades."""
    finite = [value for _, value in points if math.isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) / min(finite) > 1e4


def _kind(value: float) -> str:
    return "NaN" if math.isnan(value) else "infinite"


def _short(value: float) -> float | None:
    """Four digits are enough to draw; None where not finite."""
    return float(f"{value:.4g}") if math.isfinite(value) else None
