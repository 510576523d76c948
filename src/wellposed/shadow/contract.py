"""A report as JSON values, and back: what records and other programs get. It only grows."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from typing import Any, TypeVar

from wellposed.shadow.result import DigitsReport

_LEFT_OUT = ("files", "result")


def to_plain(report: DigitsReport, most_operators: int | None = None) -> dict[str, Any]:
    """The report's fields by their names; non-finite numbers are "nan", "inf", "-inf"; the first operators only where
    a number of them is given."""
    short = dataclasses.replace(report, files=None, result=None, operators=report.operators[:most_operators])
    fields = {each.name: getattr(short, each.name) for each in dataclasses.fields(short) if each.name not in _LEFT_OUT}
    return {name: _plain(value) for name, value in fields.items()}


class ContractError(ValueError):
    """What should be a report is none; the message names the field."""


def from_plain(values: Any) -> DigitsReport:
    """The report that `to_plain` made these values of; what it does not know is left out.

    Raises ContractError where a field is missing or of another kind.
    """
    return _made(DigitsReport, values, "report")


_Made = TypeVar("_Made")


def _made(kind: type[_Made], values: Any, name: str) -> _Made:
    if not isinstance(values, dict):
        raise ContractError(f"{name} is no object")
    hints = typing.get_type_hints(kind)
    fields = {}
    for each in dataclasses.fields(kind):  # type: ignore[arg-type]
        if each.name in values:
            fields[each.name] = _value(hints[each.name], values[each.name], f"{name}.{each.name}")
        elif each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING:
            raise ContractError(f"{name}.{each.name} is missing")
    return kind(**fields)


def _value(kind: Any, value: Any, name: str) -> Any:
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in inside:
            return None
        return _value(next(each for each in inside if each is not type(None)), value, name)
    if origin is tuple:
        if not isinstance(value, list):
            raise ContractError(f"{name} is no list")
        kinds = inside[:1] * len(value) if inside[-1] is Ellipsis else inside
        return tuple(_value(each, one, name) for each, one in zip(kinds, value, strict=False))
    if dataclasses.is_dataclass(kind):
        return _made(kind, value, name)  # type: ignore[arg-type]
    if kind is float and not isinstance(value, bool) and isinstance(value, (int, float, str)):
        try:
            return float(value)
        except ValueError:
            raise ContractError(f"{name} is no number") from None
    if origin is typing.Literal:
        kind = str
    if kind in (int, str, bool) and not isinstance(value, kind):
        raise ContractError(f"{name} is of another kind")
    return value


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
