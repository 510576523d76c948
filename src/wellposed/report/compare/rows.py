"""Rows of A beside B, in groups, in sections; every string has been through `plain`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wellposed.report.compare.model import (
    Beside,
    Comparison,
    GradientDifference,
    OperationDifference,
    Ran,
    Readings,
    Setting,
)
from wellposed.report.compare.words import NOTHING, apart, both, both_places, named, place
from wellposed.report.text import counted, human, plain

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
    "dtype": "dtype differs",
    "device": "device differs",
    "shape": "shape differs",
    "argument": "argument differs",
    "value": "value differs",
    "nonfinite": "NaN and infinities differ",
}
_SETTINGS = {"version": "version of ", "parameter": "", "initial-weights": "first weights: "}


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


def given(comparison: Comparison) -> Section:
    """What the two started from, where it differs."""
    return _section("given differently", "", [Group("", tuple(map(_setting, comparison.settings)))])


def parting(comparison: Comparison) -> Section:
    """The first operations and the first gradient that differ."""
    note = f"relative differences up to {human(comparison.tolerance)} count as rounding"
    return _section("where they part", note, _partings(comparison))


def course(comparison: Comparison) -> Section:
    """Both runs at the steps that matter; empty where nothing differs."""
    return _section("the course", "", [] if comparison.status == "same" else map(_beside, comparison.course.beside))


def _section(title: str, note: str, groups: Iterable[Group]) -> Section:
    return Section(title, note, tuple(group for group in groups if group.rows))


def _setting(setting: Setting) -> Row:
    name = f"{_SETTINGS.get(setting.kind, '')}{plain(setting.name)}"
    if setting.what:
        name += f": {setting.what}"
    if setting.others:
        name += f" (and {counted(setting.others, 'other')})"
    notes = [both_places(setting.a_at, setting.b_at)]
    if setting.relative is not None and math.isfinite(setting.relative):
        notes.append(f"{apart(setting.relative)} apart{'' if setting.beyond else ', rounding'}")
    return Row(name, *both(setting.a, setting.b), note=", ".join(filter(None, notes)))


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
        shown = named(there), NOTHING
        row = Row("operator", *(shown if b is None else shown[::-1]), place(there.at))
        return Group(title, (row,))
    rows: list[Row] = []
    where = both_places(a.at, b.at) if a.operator == b.operator else ""
    if difference.kind == "missing":
        title = f"operator differs{_when(difference.step, a)}"
        rows.append(Row("operator", named(a), named(b)))
        rows.append(Row("line", place(a.at) or NOTHING, place(b.at) or NOTHING))
        return Group(title, tuple(rows))
    title = f"{kind}: {named(a)}{f' at {where}' if where else ''}{_when(difference.step, a)}"
    what = f"{'argument ' if difference.kind == 'argument' else ''}{plain(difference.what)}"
    relative = difference.relative
    note = f"{apart(relative)} apart" if relative is not None and math.isfinite(relative) else ""
    rows.append(Row(what, *both(difference.a_value, difference.b_value), note=note))
    if difference.kind in ("value", "nonfinite"):
        others = (("rms", "root_mean_square"), ("minimum", "minimum"), ("maximum", "maximum"))
        rows += [Row(name, *both(getattr(a, key), getattr(b, key))) for name, key in others if name != what]
    return Group(title, tuple(rows))


def _when(step: int, ran: Ran) -> str:
    module = plain(ran.module) if ran.operator else ""
    return f" ({', '.join(filter(None, (f'step {step}', plain(ran.phase), module)))})"


def _gradient(difference: GradientDifference) -> Group:
    name = plain(difference.a_name)
    if difference.a_name != difference.b_name:
        name += f" (in B {plain(difference.b_name)})"
    note = f"{apart(difference.relative)} apart" if math.isfinite(difference.relative) else ""
    row = Row(difference.what, *both(difference.a_value, difference.b_value), note=note)
    return Group(f"gradient differs: {name} (step {difference.step})", (row,))


def _beside(beside: Beside) -> Group:
    lesser = dict(itertools.pairwise(_PARTING))
    what = "; ".join(_EVENTS.get(each, each) for each in beside.events if lesser.get(each) not in beside.events)
    return Group(f"step {beside.step}: {what}", tuple(_readings(beside.a, beside.b)))


def _readings(a: Readings, b: Readings) -> Iterator[Row]:
    yield Row("loss", *both(a.loss, b.loss))
    if a.learning_rate != b.learning_rate:
        yield Row("learning rate", *both(a.learning_rate, b.learning_rate))
    if a.gradient_norm is not None or b.gradient_norm is not None:
        norms = both(a.gradient_norm, b.gradient_norm)
        yield Row("gradient norm", _norm(a) or norms[0], _norm(b) or norms[1])
    for name, key in (("update norm", "update_norm"), ("largest update ratio", "update_ratio")):
        left, right = getattr(a, key), getattr(b, key)
        if left is not None or right is not None:
            yield Row(name, *both(left, right))


def _norm(readings: Readings) -> str:
    # The norm is over the finite elements; where others are not, it says nothing.
    return f"{counted(readings.gradient_nonfinite, 'element')} not finite" if readings.gradient_nonfinite else ""
