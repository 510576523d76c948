"""Maps of a run: a row a layer, a column a step. Thinned to fit a page; plain JSON values.

In a cell, ``"x"`` is a value that is not finite, None one that was not recorded; 0 is exactly zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from wellposed.record import Parameter, ParameterStep, Record
from wellposed.report.text import percent, plain

MOST_COLUMNS = 60
MOST_ROWS = 60

HEALTHY_RATIO = (1e-4, 1e-1)
"""Norm of an update over that of its weights: learning goes on within these; about 1e-3 is usual for Adam. Below, the
weights hardly move; above, each step replaces a good part of what was learnt."""

Cell = float | str | None
Cells = dict[tuple[str, int], float]


def gradient_map(record: Record) -> dict[str, Any] | None:
    """Gradient rms, a row a parameter in the network's order; None where no gradient was recorded."""
    return _parameter_map(record, "gradient rms", _gradient)


def update_map(record: Record) -> dict[str, Any] | None:
    """Update over weights, a row a parameter, with the band in which learning goes on; None where none was measured."""
    found = _parameter_map(record, "update over weights", lambda each: each.update_ratio)
    if found is None:
        return None
    return {**found, "band": list(HEALTHY_RATIO), "reading": _within(found["cells"])}


def activation_map(record: Record) -> dict[str, Any] | None:
    """Rms of what each module's forward made last, a row a module; None where none was recorded."""
    cells: Cells = {}
    order: dict[str, None] = {}
    for step, module, rms in record.module_outputs():
        order.setdefault(module)
        cells[module, step] = rms
    seen = {step for _, step in cells}
    for each in record.module_steps():
        if each.step not in seen and each.module:
            order.setdefault(each.module)
            cells[each.module, each.step] = math.nan if each.output.nonfinite else each.output.root_mean_square
    return _map("output rms per module", list(order), cells)


def weighty(parameters: Sequence[Parameter], most: int = MOST_ROWS) -> list[Parameter]:
    """The parameters to show: all, or without biases and scales where these are too many."""
    if len(parameters) <= most:
        return list(parameters)
    # The matrices carry the signal over depth.
    return [each for each in parameters if len(each.shape) > 1] or list(parameters)


def evenly(items: Sequence[Any], most: int) -> list[Any]:
    """At most `most` of them, the first and the last included."""
    if len(items) <= most:
        return list(items)
    return [items[round(n * (len(items) - 1) / (most - 1))] for n in range(most)]


def short(value: float | None) -> float | None:
    """Three digits are enough to draw; None where not finite."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.3g}")


def cell(value: float | None) -> Cell:
    """For a size, which is never negative but in a damaged record."""
    if value is None or value < 0:
        return None
    return short(value) if math.isfinite(value) else "x"


def _gradient(measured: ParameterStep) -> float | None:
    if measured.gradient is None:
        return None
    return math.nan if measured.gradient.nonfinite else measured.gradient.root_mean_square


def _parameter_map(record: Record, what: str, value: Callable[[ParameterStep], float | None]) -> dict[str, Any] | None:
    parameters = record.parameters()
    shown = weighty(parameters)
    names = {parameter.id: parameter.name for parameter in shown}
    measured = record.gradient_steps()
    known = set(measured)
    broken = [step.id for step in record.steps() if step.gradient_nonfinite and step.id in known][:1]
    cells: Cells = {}
    # Only the steps that are drawn are read: a long run has millions of rows.
    for step in sorted({*evenly(measured, MOST_COLUMNS), *broken}):
        for each in record.parameter_steps(step=step):
            number = value(each)
            if number is not None and each.parameter in names:
                cells[names[each.parameter], step] = number
    title = f"{what} per {'parameter' if len(shown) == len(parameters) else 'weight matrix'}"
    thinned = len(measured) > MOST_COLUMNS
    return _map(title, list(dict.fromkeys(names.values())), cells, len(measured) if thinned else None)


def _map(title: str, rows: list[str], cells: Cells, all_steps: int | None = None) -> dict[str, Any] | None:
    present = {row for row, _ in cells}
    rows = [row for row in rows if row in present]
    steps = sorted({step for _, step in cells})
    if not rows:
        return None
    broken = [step for step in steps if any(_is_broken(cells.get((row, step))) for row in rows)][:1]
    kept_rows = evenly(rows, MOST_ROWS)
    kept_steps = sorted({*evenly(steps, MOST_COLUMNS + 1), *broken})
    return {
        "title": title,
        "rows": [plain(row, 120) for row in kept_rows],
        "all_rows": len(rows),
        "steps": kept_steps,
        "all_steps": len(steps) if all_steps is None else all_steps,
        "cells": [[cell(cells.get((row, step))) for step in kept_steps] for row in kept_rows],
        "broken": broken[0] if broken else None,
    }


def _is_broken(value: float | None) -> bool:
    return value is not None and not math.isfinite(value)


def _within(cells: list[list[Cell]]) -> str:
    """How the measured updates lie to the band, as a sentence."""
    low, high = HEALTHY_RATIO
    values = [each for row in cells for each in row if isinstance(each, float)]
    if not values:
        return ""
    below, above = sum(each < low for each in values), sum(each > high for each in values)
    if not below + above:
        return "All updates shown are between 1e-4 and 1e-1 of their weights."
    of = len(values)
    parts = [f"{percent(1 - (below + above) / of)} of the updates shown are between 1e-4 and 1e-1 of their weights"]
    parts += [f"{percent(below / of)} are smaller"] if below else []
    parts += [f"{percent(above / of)} are larger"] if above else []
    return ", ".join(parts) + "."
