"""From what the engine noted to a report: outputs, shares, culprits."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from wellposed.shadow.culprits import culprits_of
from wellposed.shadow.numpy_attribution import Declared, attribute
from wellposed.shadow.numpy_dtypes import Array, is_floating, name_of, unit_roundoff
from wellposed.shadow.numpy_engine import Engine
from wellposed.shadow.numpy_measure import norm, norm_of_finite, relative, significant
from wellposed.shadow.numpy_quiet import quietly
from wellposed.shadow.numpy_tape import Write
from wellposed.shadow.result import DigitsReport, OutputDigits, Significant

IN_THE_MIDDLE = 200
"""Operations before the end of a run that was cut short: places that ran repeatedly among them are loops at work."""
SUSPECT_BITS = 5
"""Bits beyond unit roundoff from which an operation is looked at: Herbgrind's default (Sanchez-Stern et al., 2018)."""


@quietly()
def report_of(engine: Engine, outputs: Iterable[tuple[str, Any]], result: Any = None) -> DigitsReport:
    """The report of everything that `engine` saw, for the declared `outputs` (name, array or number).

    `result` is what the function returned, to be handed on.
    An output that the engine knows nothing of is told among `skipped`, not as exact.
    """
    declared, named = [], []
    for name, value in outputs:
        if not is_floating(value):
            continue
        if not engine.store.known(value):
            engine.table.skip(name, "it was not computed from what was followed, or left it on the way")
            continue
        engine.taken_out.pop(id(value), None)
        found, error, digits = engine.digits_of(value)
        if found.relifted:
            engine.table.skip(name, "some of its elements were written where nobody followed")
        dtype = name_of(value)
        declared.append(Declared(found.entry.number, found.view, found.shadow, error, unit_roundoff(dtype)))
        named.append((name, value, dtype, found, error, digits))
    for _ in range(len(engine.taken_out)):
        engine.table.skip("float", "taken out as a number of Python's; what is done with it is not followed")
    return _report(
        engine,
        declared,
        [digits for *_, digits in named],
        [name for name, *_ in named],
        result,
        [dtype for _, _, dtype, *_ in named],
    )


@quietly()
def report_of_sinks(engine: Engine, is_cut: bool = False, most: int = 24, most_of_a_place: int = 2) -> DigitsReport:
    """The same for a program that declares no outputs: those are what it computed and no later operation read, the
    first and the last of each place, and of them the `most` with the largest errors.

    `is_cut` says that the engine saw no more of the program than its beginning: what it was at work on when it stopped
    may be read later.
    """
    last: dict[int, list[Write]] = {}
    ran = Counter(step.group for step in engine.tape.steps[-IN_THE_MIDDLE:]) if is_cut else Counter[int]()
    unfinished = {group for group, times in ran.items() if times > 1}
    for group, write in engine.tape.sinks():
        if group >= 0 and group not in unfinished:
            seen = last.setdefault(group, [])
            # The first and the last: what only loses its digits later tends to zero.
            seen[1:] = [*seen[1:], write][-(most_of_a_place - 1) :] if seen else [write]
    rows = {row.group: row for row in engine.table.rows.values()}
    found = [(rows[group], write) for group, writes in last.items() if group in rows for write in writes]
    found.sort(key=lambda each: -_finite(relative(each[1].error, each[1].shadow)))
    found = sorted(found[:most], key=lambda each: each[0].group)
    declared, digits, names = [], [], []
    for row, write in found:
        declared.append(Declared(write.number, write.view, write.shadow, write.error, unit_roundoff(row.dtype)))
        digits.append(significant(write.error, write.shadow, row.dtype))
        names.append(f"result of line {row.place[0].line}")
    return _report(engine, declared, digits, names, None, [row.dtype for row, _ in found])


def _report(
    engine: Engine,
    declared: list[Declared],
    digits: list[Significant],
    names: list[str],
    result: Any,
    dtypes: list[str],
) -> DigitsReport:
    rows = list(engine.table.rows.values())
    suspects = {
        row.group for row in rows if max(row.formula, row.propagated) > 2**SUSPECT_BITS * unit_roundoff(row.dtype)
    }
    shares = attribute(engine.tape, declared, {row.group: row.rounding for row in rows}, suspects)
    told = [
        OutputDigits(
            name=name,
            dtype=dtype,
            value=_size(np.asarray(output.shadow + output.error)),
            reference=_size(output.shadow),
            error=_size(output.error),
            digits=left,
            attribution=attribution,
        )
        for name, dtype, output, left, attribution in zip(
            names, dtypes, declared, digits, shares.attributions, strict=True
        )
    ]
    operators = tuple(
        sorted(
            (row.finished(shares.share.get(row.group, 0.0), True) for row in rows if row.group in shares.moving),
            key=lambda operator: (-operator.share, -operator.formula),
        )
    )
    return DigitsReport(
        outputs=tuple(told),
        operators=operators,
        culprits=culprits_of(operators, tuple(told)),
        flips=engine.table.all_flips(),
        reference=engine.reference.name_for(engine.dtypes),
        backend=f"NumPy {np.__version__} CPU",
        executed=engine.executed,
        skipped=tuple((name, reason, count) for (name, reason), count in engine.table.skips.items()),
        notes=(f"No attribution: {engine.tape.overrun} to run again.",) if engine.tape.overrun else (),
        result=result,
    )


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.inf


def _size(numbers: Any) -> float:
    """A number as it is, an array by its root mean square."""
    values: Array = np.asarray(numbers)
    if values.ndim == 0:
        single: Any = values[()]
        return float(abs(single)) if np.iscomplexobj(values) else float(single)
    finite = norm_of_finite(values) if not np.isfinite(norm(values)) else norm(values)
    return float(finite / max(values.size, 1) ** 0.5)
