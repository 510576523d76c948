"""The comparison in words fit to be shown: sections of rows, A beside B. Rendered elsewhere.

Every string in here has been through `plain`: no renderer needs to fear what a record holds.
"""

from __future__ import annotations

import itertools
import math
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wellposed.findings import SEVERITIES
from wellposed.report.compare.model import (
    Beside,
    Comparison,
    First,
    Found,
    GradientDifference,
    OperationDifference,
    Place,
    Ran,
    Readings,
    Run,
    Scalar,
    Setting,
    SourceDifference,
)
from wellposed.report.text import MESSAGE_LIMIT, counted, human, plain

NOTHING = "–"
_EVENTS = {
    "learning-rate": "the learning rates part",
    "skipped": "only one skips the update (GradScaler)",
    "loss": "the losses part beyond rounding",
    "loss-10-percent": "the losses part by more than 10 %",
    "loss-tenfold": "the losses part tenfold",
    "a-nonfinite": "the loss of A is not finite from here on",
    "b-nonfinite": "the loss of B is not finite from here on",
    "last": "the last step of both",
}
_PARTING = ("loss", "loss-10-percent", "loss-tenfold")
_KINDS = {
    "dtype": "other dtype",
    "device": "other device",
    "shape": "other shape",
    "argument": "other argument",
    "value": "other value",
    "nonfinite": "other count of NaN and infinities",
}
_SETTINGS = {"version": "version of ", "parameter": "", "initial-weights": "first weights: "}
_VALUE_LIMIT = 300


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    a: str
    b: str
    note: str = ""
    """How far apart, or where in the source."""


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    note: str
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Diff:
    title: str
    lines: tuple[str, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Side:
    letter: str
    record: str
    program: str
    facts: str
    verdict: str
    healthy: bool
    ending: str


@dataclass(frozen=True, slots=True)
class OnlyHere:
    """A finding that only one run has."""

    letter: str
    rule: str
    severity: str
    role: str
    step: int | None
    place: str
    message: str


@dataclass(frozen=True, slots=True)
class Account:
    same: bool
    """Whether no number differs beyond rounding."""
    headline: str
    sentences: tuple[str, ...]
    sides: tuple[Side, Side]
    given: Section
    diffs: tuple[Diff, ...]
    parting: Section
    course: Section
    only_here: tuple[OnlyHere, ...]
    command: str
    """Shows it as a page."""


def make_account(comparison: Comparison) -> Account:
    tolerance = f"relative differences up to {human(comparison.tolerance)} count as rounding"
    findings = sorted(comparison.findings, key=_seriousness)
    return Account(
        same=comparison.status in ("same", "rounding"),
        headline=_headline(comparison),
        sentences=tuple(_sentences(comparison)),
        sides=(_side("A", comparison.a), _side("B", comparison.b)),
        given=_section("given differently", "", [Group("", tuple(map(_setting, comparison.settings)))]),
        diffs=tuple(map(_diff, comparison.sources)),
        parting=_section("where they part", tolerance, _partings(comparison)),
        course=_section(
            "the course", "", [] if comparison.status == "same" else map(_beside, comparison.course.beside)
        ),
        only_here=tuple(map(_only_here, findings)),
        command=shlex.join(
            ["wellposed", "report", "--compare", "--format", "html"]
            + [plain(run.record, 1000) for run in (comparison.a, comparison.b)]
        ),
    )


# --- sentences ------------------------------------------------------------------------------------------------


def _headline(comparison: Comparison) -> str:
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
    return f"the runs part in step {min(steps, default=0)}; their losses do not"


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
    return ", ".join(parts) or "the parameters as they started"


def _sentences(comparison: Comparison) -> Iterator[str]:
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
        yield f"The losses are at most {_apart(comparison.course.largest_relative)} apart."
    if a.steps != b.steps:
        longer, more = ("A", a.steps - b.steps) if a.steps > b.steps else ("B", b.steps - a.steps)
        yield f"{longer} has {counted(more, 'step')} more."
    if comparison.status == "different" and not comparison.extent.steps and not comparison.operations:
        yield "No step was recorded in full by both, so that no operators could be compared."
    if not comparison.extent.complete:
        yield "The records are too large to be compared whole; later operators were left out."


_GIVEN = {
    "version": "versions",
    "argv": "command",
    "optimizer": "optimizer",
    "parameter": "parameters",
    "initial-weights": "first weights",
}


def _first(first: First) -> str:
    where = _both_places(first.a_at, first.b_at)
    spot = f" ({where})" if where else ""
    step = f"step {first.step}, " if first.kind in ("operation", "gradient", "loss") else ""
    kind = {"optimizer": "optimizer ", "initial-weights": "first weights of "}.get(first.kind, "")
    a, b = _both(first.a, first.b)
    return f"{step}{kind}{plain(first.name)}, {a} in A, {b} in B{spot}"


def _at(difference: OperationDifference) -> str:
    """Where, in words: ``at aten.exp.default (train.py:39), step 0``."""
    a, b = difference.a, difference.b
    there = a or b
    operator = plain(there.operator) if there else ""
    where = _both_places(a.at if a else None, b.at if b else None)
    only = "" if a and b else f", which only {'B' if a is None else 'A'} runs"
    return f"in step {difference.step} at {operator}{f' ({where})' if where else ''}{only}"


def _side(letter: str, run: Run) -> Side:
    steps = counted(run.steps, "step")
    if run.full_steps < run.steps:
        steps += f" ({run.full_steps:,} in full)"
    facts = [steps, counted(run.operations, "operator"), plain(run.precision)]
    ending = ""
    if run.error:
        ending = f"ended with {plain(run.error, 500)}"
    elif run.exit_code is None:
        ending = "had not ended when this was recorded"
    elif run.exit_code:
        ending = f"ended with exit code {run.exit_code}"
    return Side(
        letter=letter,
        record=plain(run.record, 1000),
        program=plain(" ".join(run.argv), 1000) or "(unnamed program)",
        facts=", ".join(filter(None, facts)),
        verdict=plain(run.verdict),
        healthy=run.verdict == "healthy",
        ending=ending,
    )


# --- rows -----------------------------------------------------------------------------------------------------


def _section(title: str, note: str, groups: Iterable[Group]) -> Section:
    return Section(title, note, tuple(group for group in groups if group.rows))


def _setting(setting: Setting) -> Row:
    name = f"{_SETTINGS.get(setting.kind, '')}{plain(setting.name)}"
    if setting.what:
        name += f": {setting.what}"
    if setting.others:
        name += f" (and {counted(setting.others, 'other')})"
    notes = [_both_places(setting.a_at, setting.b_at)]
    if setting.relative is not None and math.isfinite(setting.relative):
        notes.append(f"{_apart(setting.relative)} apart{'' if setting.beyond else ', rounding'}")
    return Row(name, *_both(setting.a, setting.b), note=", ".join(filter(None, notes)))


def _diff(difference: SourceDifference) -> Diff:
    a, b = difference.a, difference.b
    if a is None or b is None:
        return Diff(f"{plain(a or b or '')} is only in {'B' if a is None else 'A'}", (), 0)
    title = plain(a) if a == b else f"{plain(a)} in A, {plain(b)} in B"
    lines = tuple(plain(line.expandtabs(4), 400) for line in difference.diff)
    return Diff(title, lines, difference.left_out)


def _partings(comparison: Comparison) -> Iterator[Group]:
    if comparison.first_digit is not None:
        yield _operation(comparison.first_digit, "first digit that differs, within rounding")
    yield from (_operation(each, _KINDS.get(each.kind, "")) for each in comparison.operations)
    if comparison.gradient is not None:
        yield _gradient(comparison.gradient)


def _operation(difference: OperationDifference, kind: str) -> Group:
    a, b = difference.a, difference.b
    if a is None or b is None:
        there = a or b
        assert there is not None
        title = f"operator that only {'A' if b is None else 'B'} runs{_when(difference.step, there)}"
        shown = plain(there.operator), NOTHING
        row = Row("operator", *(shown if b is None else shown[::-1]), _place(there.at))
        return Group(title, (row,))
    rows: list[Row] = []
    where = _both_places(a.at, b.at) if a.operator == b.operator else ""
    if difference.kind == "missing":
        title = f"other operator{_when(difference.step, a)}"
        rows.append(Row("operator", plain(a.operator), plain(b.operator)))
        rows.append(Row("line", _place(a.at) or NOTHING, _place(b.at) or NOTHING))
        return Group(title, tuple(rows))
    title = f"{kind}: {plain(a.operator)}{f' at {where}' if where else ''}{_when(difference.step, a)}"
    what = plain(difference.what)
    relative = difference.relative
    note = f"{_apart(relative)} apart" if relative is not None and math.isfinite(relative) else ""
    rows.append(Row(what, *_both(difference.a_value, difference.b_value), note=note))
    if difference.kind in ("value", "nonfinite"):
        others = (("rms", "root_mean_square"), ("minimum", "minimum"), ("maximum", "maximum"))
        rows += [Row(name, *_both(getattr(a, key), getattr(b, key))) for name, key in others if name != what]
    return Group(title, tuple(rows))


def _when(step: int, ran: Ran) -> str:
    return f" (step {step}, {plain(ran.phase)}{f', {plain(ran.module)}' if ran.module else ''})"


def _gradient(difference: GradientDifference) -> Group:
    name = plain(difference.a_name)
    if difference.a_name != difference.b_name:
        name += f" (in B {plain(difference.b_name)})"
    note = f"{_apart(difference.relative)} apart" if math.isfinite(difference.relative) else ""
    row = Row(difference.what, *_both(difference.a_value, difference.b_value), note=note)
    return Group(f"other gradient: {name} (step {difference.step})", (row,))


def _beside(beside: Beside) -> Group:
    lesser = dict(itertools.pairwise(_PARTING))
    what = "; ".join(_EVENTS.get(each, each) for each in beside.events if lesser.get(each) not in beside.events)
    return Group(f"step {beside.step}: {what}", tuple(_readings(beside.a, beside.b)))


def _readings(a: Readings, b: Readings) -> Iterator[Row]:
    yield Row("loss", *_both(a.loss, b.loss))
    if a.learning_rate != b.learning_rate:
        yield Row("learning rate", *_both(a.learning_rate, b.learning_rate))
    if a.gradient_norm is not None or b.gradient_norm is not None:
        norms = _both(a.gradient_norm, b.gradient_norm)
        yield Row("gradient norm", _norm(a) or norms[0], _norm(b) or norms[1])
    for name, key in (("update norm", "update_norm"), ("largest update ratio", "update_ratio")):
        left, right = getattr(a, key), getattr(b, key)
        if left is not None or right is not None:
            yield Row(name, *_both(left, right))


def _norm(readings: Readings) -> str:
    # The norm is over the finite elements; where others are not, it says nothing.
    return f"{counted(readings.gradient_nonfinite, 'element')} not finite" if readings.gradient_nonfinite else ""


def _only_here(found: Found) -> OnlyHere:
    line = "" if found.line is None else f":{found.line}"
    return OnlyHere(
        letter=found.run,
        rule=plain(found.rule),
        severity=found.severity,
        role=found.role,
        step=found.step,
        place=f"{plain(found.file)}{line}" if found.file else "",
        message=plain(found.message, MESSAGE_LIMIT),
    )


def _seriousness(found: Found) -> tuple[int, int, str]:
    return ("root", "consequence", "advice").index(found.role), SEVERITIES.index(found.severity), found.run


# --- words ----------------------------------------------------------------------------------------------------


def _place(place: Place | None) -> str:
    return "" if place is None else f"{plain(place.file)}:{place.line}"


def _both_places(a: Place | None, b: Place | None) -> str:
    left, right = _place(a), _place(b)
    return left if left == right or not right else right if not left else f"{left}, in B {right}"


def _shown(value: Scalar) -> str:
    return NOTHING if value is None else plain(value, _VALUE_LIMIT) if isinstance(value, str) else human(value)


def _both(a: Scalar, b: Scalar) -> tuple[str, str]:
    """With as many digits as it takes to see that they differ."""
    shown = _shown(a), _shown(b)
    if shown[0] == shown[1] and isinstance(a, float) and isinstance(b, float) and a != b:
        longer = ((f"{a:.{digits}g}", f"{b:.{digits}g}") for digits in (6, 9, 12, 17))
        return next((each for each in longer if each[0] != each[1]), shown)
    return shown


def _apart(relative: float) -> str:
    """``15 %``, ``3.1e-8``."""
    return f"{relative:.2g}".replace("e-0", "e-") if relative < 0.001 else f"{human(float(f'{100 * relative:.2g}'))} %"
