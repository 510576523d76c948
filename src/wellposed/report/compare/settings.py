"""What the two runs start from: versions, arguments, optimizers and their settings, parameters and first weights."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from wellposed.record import Event, Parameter, Record, Site
from wellposed.report.compare.align import paired
from wellposed.report.compare.digits import gap
from wellposed.report.compare.model import Place, Scalar, Setting

_LONGEST_VALUE = 400
_ADDRESS = re.compile(" at 0x[0-9a-f]+")
"""An object without a text of its own tells where it lay, and lies elsewhere in each run."""


@dataclass(frozen=True, slots=True)
class Parameters:
    pairs: tuple[tuple[Parameter, Parameter], ...]
    only_a: tuple[Parameter, ...]
    only_b: tuple[Parameter, ...]


def pair_parameters(a: Record, b: Record) -> Parameters:
    """By name, then by shape and order. Raises RecordError where a record is damaged."""
    all_a, all_b = a.parameters(), b.parameters()
    pairs, only_a, only_b = paired(*([(each.name, each.shape) for each in given] for given in (all_a, all_b)))
    return Parameters(
        tuple((all_a[n], all_b[m]) for n, m in pairs),
        tuple(all_a[n] for n in only_a),
        tuple(all_b[n] for n in only_b),
    )


def compare_settings(a: Record, b: Record, parameters: Parameters, tolerance: float) -> tuple[Setting, ...]:
    """In order of time: what was there before the program, its parameters as they started, then its optimizers."""
    return (
        *_versions(a, b),
        *_arguments(a, b),
        *_shapes(parameters),
        *_weights(parameters, tolerance),
        *_optimizers(a.events("optimizer"), b.events("optimizer")),
    )


def scalar(value: object) -> Scalar:
    """A value of a record's JSON as it can be shown: numbers, texts and truth as they are, the rest as text."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return _ADDRESS.sub("", value[:_LONGEST_VALUE])
    try:
        return json.dumps(value)[:_LONGEST_VALUE]
    except (RecursionError, ValueError):
        return "…"


def differ(a: Scalar, b: Scalar) -> bool:
    return a != b and not (a != a and b != b)  # NaN is the same as NaN here


def place(site: Site | None) -> Place | None:
    return None if site is None else Place(site.file, site.line, site.function)


def _versions(a: Record, b: Record) -> Iterator[Setting]:
    left, right = a.program.versions, b.program.versions
    for name in dict.fromkeys((*left, *right)):
        if left.get(name) != right.get(name):
            yield Setting("version", name, left.get(name), right.get(name))


def _arguments(a: Record, b: Record) -> Iterator[Setting]:
    if a.program.argv != b.program.argv:
        yield Setting("argv", "command", shlex.join(a.program.argv), shlex.join(b.program.argv))


def _shapes(parameters: Parameters) -> Iterator[Setting]:
    missing = [
        *(Setting("parameter", each.name, _describe(each), None, a_at=place(each.site)) for each in parameters.only_a),
        *(Setting("parameter", each.name, None, _describe(each), b_at=place(each.site)) for each in parameters.only_b),
    ]
    pairs = parameters.pairs
    renamed = [_setting(a, b, "name", a.name, b.name) for a, b in pairs if a.name != b.name]
    for what in ("shape", "dtype"):
        differ = [(a, b) for a, b in pairs if getattr(a, what) != getattr(b, what)]
        yield from _counted(
            [_setting(a, b, what, *(scalar(_word(getattr(each, what))) for each in (a, b))) for a, b in differ]
        )
    yield from _counted(renamed)
    for side in ("a", "b"):
        yield from _counted([each for each in missing if getattr(each, side) is not None])


def _weights(parameters: Parameters, tolerance: float) -> Iterator[Setting]:
    found = []
    for a, b in parameters.pairs:
        if a.initial is None or b.initial is None:
            continue
        apart = gap(a.initial, b.initial)
        if apart is not None:
            setting = Setting(
                "initial-weights", a.name, apart.a, apart.b, place(a.site), place(b.site), apart.what,
                apart.relative, apart.relative > tolerance,
            )  # fmt: skip
            found.append(setting)
    yield from _counted([each for each in found if each.beyond] or found)


def _optimizers(a: Sequence[Event], b: Sequence[Event]) -> Iterator[Setting]:
    """The first optimizer of one run is the first of the other."""
    for left, right in zip(a, b, strict=False):
        where = place(left.site), place(right.site)
        names = [str(each.details.get("class", "optimizer")) for each in (left, right)]
        if names[0] != names[1]:
            yield Setting("optimizer", "class", names[0], names[1], *where)
        shared = [key for key in left.details if key in right.details and key != "class"]
        for key in shared if names[0] != names[1] else dict.fromkeys((*left.details, *right.details)):
            values = scalar(left.details.get(key)), scalar(right.details.get(key))
            if differ(*values):
                yield Setting("optimizer", f"{names[0]}: {key}" if names[0] == names[1] else key, *values, *where)
    for each in a[len(b) :]:
        yield Setting("optimizer", "class", str(each.details.get("class", "")), None, a_at=place(each.site))
    for each in b[len(a) :]:
        yield Setting("optimizer", "class", None, str(each.details.get("class", "")), b_at=place(each.site))


def _counted(settings: Sequence[Setting]) -> list[Setting]:
    """The first stands for all."""
    return [replace(settings[0], others=len(settings) - 1)] if settings else []


def _setting(a: Parameter, b: Parameter, what: str, left: Scalar, right: Scalar) -> Setting:
    return Setting("parameter", a.name, left, right, place(a.site), place(b.site), what)


def _describe(parameter: Parameter) -> str:
    return f"{parameter.dtype} {_word(parameter.shape)}"


def _word(value: object) -> str:
    return ("×".join(map(str, value)) or "scalar") if isinstance(value, tuple) else str(value)
