"""How two runs went over the steps that both have: where the losses part, and what else stood there."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from wellposed.record import Parameter, Record, Step
from wellposed.report.compare.digits import gap, relative
from wellposed.report.compare.model import Beside, Course, GradientDifference, Readings
from wellposed.report.compare.settings import place

_TENTH = 0.1
_TENFOLD = 10.0
MOST_ROWS = 300_000
"""Rows of gradients that are looked at."""

Pairs = Sequence[tuple[Parameter, Parameter]]


def compare_course(a: Record, b: Record, tolerance: float) -> Course:
    """Raises RecordError where a record is damaged."""
    steps_a, steps_b = a.steps(), b.steps()
    pairs = common_steps(steps_a, steps_b)
    events: dict[int, list[str]] = {}
    for name, happened in _events(tolerance):
        step = next((left.id for left, right in pairs if happened(left, right)), None)
        if step is not None:
            events.setdefault(step, []).append(name)
    if pairs:
        events.setdefault(pairs[-1][0].id, []).append("last")
    by_id = {left.id: (left, right) for left, right in pairs}
    apart = [
        found
        for left, right in pairs
        if left.loss is not None and right.loss is not None and math.isfinite(found := relative(left.loss, right.loss))
    ]
    return Course(
        common=len(pairs),
        a_last=steps_a[-1].id if steps_a else None,
        b_last=steps_b[-1].id if steps_b else None,
        largest_relative=max(apart, default=None),
        beside=tuple(
            Beside(step, tuple(names), _readings(a, by_id[step][0]), _readings(b, by_id[step][1]))
            for step, names in sorted(events.items())
        ),
    )


def common_steps(a: Sequence[Step], b: Sequence[Step]) -> list[tuple[Step, Step]]:
    others = {step.id: step for step in b}
    return [(step, others[step.id]) for step in a if step.id in others]


def _events(tolerance: float) -> Sequence[tuple[str, Callable[[Step, Step], bool]]]:
    return (
        ("learning-rate", lambda a, b: _apart(a.learning_rate, b.learning_rate) > tolerance),
        ("skipped", lambda a, b: a.skipped != b.skipped),
        ("loss", lambda a, b: _apart(a.loss, b.loss) > tolerance),
        ("loss-10-percent", lambda a, b: _apart(a.loss, b.loss) > _TENTH),
        ("loss-tenfold", lambda a, b: _tenfold(a.loss, b.loss)),
        ("a-nonfinite", lambda a, _: a.loss is not None and not math.isfinite(a.loss)),
        ("b-nonfinite", lambda _, b: b.loss is not None and not math.isfinite(b.loss)),
    )


def _apart(a: float | None, b: float | None) -> float:
    return 0.0 if a is None or b is None else relative(a, b)


def _tenfold(a: float | None, b: float | None) -> bool:
    if a is None or b is None or not (math.isfinite(a) and math.isfinite(b)):
        return False
    smaller, larger = sorted((abs(a), abs(b)))
    return larger > 0 and (larger >= _TENFOLD * smaller)


def _readings(record: Record, step: Step) -> Readings:
    ratios = [each.update_ratio for each in record.parameter_steps(step=step.id) if each.update_ratio is not None]
    return Readings(
        loss=step.loss,
        learning_rate=step.learning_rate,
        gradient_norm=step.gradient_norm,
        gradient_nonfinite=step.gradient_nonfinite,
        update_norm=step.update_norm,
        update_ratio=max(ratios, default=None),
    )


# --- gradients ------------------------------------------------------------------------------------------------


def compare_gradients(
    a: Record, b: Record, parameters: Pairs, tolerance: float
) -> tuple[GradientDifference | None, bool, int]:
    """The first gradient that differs beyond rounding; whether every digit was equal up to there; rows looked at."""
    measured = set(b.gradient_steps())
    exact, rows = True, 0
    for step in a.gradient_steps():
        if step not in measured or rows >= MOST_ROWS:
            continue
        of_a, of_b = ({each.parameter: each for each in record.parameter_steps(step=step)} for record in (a, b))
        for left, right in parameters:
            one, other = of_a.get(left.id), of_b.get(right.id)
            if one is None or other is None:
                continue
            rows += 1
            exact &= one == other or (
                _apart(one.weight_rms, other.weight_rms) == 0 and _apart(one.update_ratio, other.update_ratio) == 0
            )
            where = left.name, right.name
            places = place(left.site), place(right.site)
            if one.gradient is None or other.gradient is None:
                if one.gradient is not other.gradient:
                    rms = [each.gradient.root_mean_square if each.gradient else None for each in (one, other)]
                    found = GradientDifference(step, *where, "rms", rms[0], rms[1], math.inf, *places)
                    return found, False, rows
                continue
            apart = gap(one.gradient, other.gradient)
            if apart is not None:
                exact = False
                if apart.relative > tolerance:
                    values = apart.a, apart.b
                    found = GradientDifference(step, *where, apart.what, *values, apart.relative, *places)
                    return found, False, rows
    return None, exact, rows


def same_digits(pairs: Sequence[tuple[Step, Step]]) -> bool:
    """Whether every number that both recorded of these steps is the same."""
    names = ("loss", "learning_rate", "gradient_norm", "gradient_nonfinite", "update_norm", "scale")
    return all(
        _apart(getattr(a, name), getattr(b, name)) == 0 and a.skipped == b.skipped for a, b in pairs for name in names
    )
