"""From what the engine noted to a report: outputs, shares, culprits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from wellposed.shadow.numpy_attribution import Declared, attribute
from wellposed.shadow.numpy_dtypes import Array, as_array, is_floating, name_of, unit_roundoff
from wellposed.shadow.numpy_engine import Engine
from wellposed.shadow.numpy_measure import norm, norm_of_finite
from wellposed.shadow.result import Attribution, Culprit, DigitsReport, OperatorDigits, OutputDigits

SUSPECT_BITS = 5
"""Bits beyond unit roundoff from which an operation is looked at: Herbgrind's default (Sanchez-Stern et al., 2018)."""


@np.errstate(all="ignore")
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
    rows = list(engine.table.rows.values())
    suspects = {
        row.group for row in rows if max(row.formula, row.propagated) > 2**SUSPECT_BITS * unit_roundoff(row.dtype)
    }
    shares = attribute(engine.tape, declared, {row.group: row.rounding for row in rows}, suspects)
    told = [
        OutputDigits(
            name=name,
            dtype=dtype,
            value=_size(as_array(value)),
            reference=_size(found.shadow),
            error=_size(error),
            digits=digits,
            attribution=attribution,
        )
        for (name, value, dtype, found, error, digits), attribution in zip(
            named, _padded(shares.attributions, named), strict=True
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
        culprits=culprits_among(operators, tuple(told)),
        flips=engine.table.all_flips(),
        reference=engine.reference.name_for(engine.dtypes),
        backend=f"NumPy {np.__version__} CPU",
        executed=engine.executed,
        skipped=tuple((name, reason, count) for (name, reason), count in engine.table.skips.items()),
        notes=(f"No attribution: {engine.tape.overrun} to run again.",) if engine.tape.overrun else (),
        result=result,
    )


def culprits_among(operators: tuple[OperatorDigits, ...], outputs: tuple[OutputDigits, ...]) -> tuple[Culprit, ...]:
    """The lines to change, chosen as for every array library."""
    try:
        from wellposed.shadow.culprits import culprits_of  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        return ()
    return tuple(culprits_of(operators, outputs))


def _padded(attributions: list[Attribution | None], named: list[Any]) -> list[Attribution | None]:
    return attributions if len(attributions) == len(named) else [None] * len(named)


def _size(numbers: Any) -> float:
    """A number as it is, an array by its root mean square."""
    values: Array = np.asarray(numbers)
    if values.ndim == 0:
        single: Any = values[()]
        return float(abs(single)) if np.iscomplexobj(values) else float(single)
    finite = norm_of_finite(values) if not np.isfinite(norm(values)) else norm(values)
    return float(finite / max(values.size, 1) ** 0.5)
